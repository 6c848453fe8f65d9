"""Prints one message as a letter: the contents of the page, and the page as a PDF."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from unicodedata import category, name

import segno
import typst
from sqlalchemy.orm import Session

from dunwell.domain.autolinks import WORD_JOINER
from dunwell.domain.contact import Contact
from dunwell.domain.model import Value
from dunwell.gateways.base import Attachment
from dunwell.services import message_links
from dunwell.services.composing import bill_of, language_of
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.store import invoices
from dunwell.texts.catalogue import Composed
from dunwell.texts.formatting import CALL, Claimed, Formatter, OtherInvoice
from dunwell.texts.letter_blocks import Block, blocks
from dunwell.texts.markup import escaped, parse
from dunwell.texts.payment_slip import Payee, PaymentSlip, payment_slip

A4, US_LETTER = "a4", "us-letter"

_US_LETTER_COUNTRIES = frozenset({"BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"})
"""Where letters are of the American size, by CLDR's measurement data."""

_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "MODIFIER LETTER")
"""What the embedded fonts can print. A letter in any other script would come out as empty boxes."""

_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lo", "Lm"})
_OF_NO_SCRIPT = "ªºµ"
_BEYOND_OUR_FONTS = 0x2E80
"""From here on Unicode has the letters and punctuation of East Asia, and pictures."""

_PICTURES = re.compile(r" ?[\u2600-\u27bf\u2b00-\u2bff\ufe00-\ufe0f\u20e3\U0001f000-\U0001faff]+")
"""Emoji and their like, with a space before: a letter is as good without them."""

_USUAL_WINDOW = (5, 40)
"""So many lines of so many characters surely fit the window of an envelope."""


class AnswerCode(Value):
    """The QR code of the page on which the reader answers: an SVG image, and the text beside it."""

    code: str
    scan: str


class Letter(Value):
    """Everything on the page, ready for print.

    `window` is what shows through the envelope's window, if the letter is `addressed` at all, and `side` is the
    window's side.
    """

    paper: str
    language: str
    day: date
    sender: str
    sender_lines: tuple[str, ...]
    window: tuple[str, ...]
    side: str
    addressed: bool
    today: str
    references: tuple[tuple[str, str], ...]
    subject: str
    body: tuple[Block, ...]
    slip: PaymentSlip | None
    answer: AnswerCode | None = None
    page: str  # such as "Page {n} of {total}"


def write(
    session: Session,
    deps: Dependencies,
    jobs: Sequence[Dispatch],
    contact: Contact,
    composed: Composed,
    *,
    asks: bool,
    page_url: str | None = None,
) -> Letter:
    """The letter of a composed message about all of `jobs`, the leading one first; with a slip when it `asks`.

    With the amounts of this transaction. page_url: the page on which this reader answers; None: the sample that
    stands in the text.
    """
    sample = message_links.shown(deps)
    markdown, page_url = composed.markdown, page_url or sample
    if sample is not None and page_url is not None:
        markdown = markdown.replace(escaped(sample), escaped(page_url))
    lead, head = jobs[0], deps.letterhead
    language = language_of(deps, lead)
    labels, locale = deps.catalogue.labels(language), deps.catalogue.locale(language)
    today, formatter = lead.calendar.local_date(lead.now), Formatter(locale, CALL)
    bills = [bill_of(session, dispatch) for dispatch in jobs]
    asked = [bill for bill in bills if bill.asked > 0]
    claims, until = composed.claimed
    return Letter(
        paper=head.paper or paper_of(lead.customer.country),
        language=locale.language,
        day=today,
        sender=deps.sender.company,
        sender_lines=head.address,
        window=window_lines(lead.customer.name, contact),
        side=head.window,
        addressed=head.addressed,
        today=formatter.day(today, today) or "",
        references=((labels["our_reference"], ", ".join(bill.number for bill in bills)),),
        subject=composed.subject,
        body=blocks(parse(markdown.replace(WORD_JOINER, ""), locale.language)),  # paper has no links
        slip=_slip(deps, composed.reference, asked, claims, until, labels, formatter, today)
        if asks and asked
        else None,
        answer=_answer_code(page_url, labels["scan_to_answer"]) if page_url and composed.owing else None,
        page=labels["page"],
    )


def _answer_code(page_url: str, scan: str) -> AnswerCode:
    code = segno.make_qr(page_url, error="m")
    return AnswerCode(code=code.svg_inline(border=4, omitsize=True), scan=scan)


def _slip(
    deps: Dependencies,
    reference: str,
    bills: Sequence[OtherInvoice],
    claims: tuple[Claimed, ...],
    until: date | None,
    labels: Mapping[str, str],
    formatter: Formatter,
    today: date,
) -> PaymentSlip | None:
    """None where we have no account for the currency, or the sums are of several currencies."""
    currencies = {bill.currency for bill in bills} | {one.lump_sum_currency for one in claims if one.lump_sum}
    account = deps.sender.account_for(bills[0].currency)
    if account is None or len(currencies) > 1:
        return None
    payee = Payee(name=deps.sender.company, iban=account.iban, bic=account.bic)
    return payment_slip(payee, reference, bills, labels, formatter, today, claims, until)


def paper_of(country: str) -> str:
    """The size of paper that offices of `country` (ISO 3166-1 alpha-2) put into their printers."""
    return US_LETTER if country in _US_LETTER_COUNTRIES else A4


def window_lines(company: str, contact: Contact) -> tuple[str, ...]:
    """Company and name above the postal address, unless the address names them itself."""
    post = tuple((contact.post or "").splitlines())
    known = "\n".join(post).casefold()
    return tuple(line for line in (company, contact.name) if line.casefold() not in known) + post


def unfit(session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact) -> str | None:
    """Why no letter to `contact` can be printed, for people; None when one can."""
    if lacking := _lacking(session, deps, dispatch, contact):
        return f"no font of ours can print {lacking}"
    return None if _fits_window(deps, dispatch, contact) else "the address does not fit the window of an envelope"


def _lacking(session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact) -> str | None:
    """The first character that our fonts lack, by name."""
    labels = deps.catalogue.labels(language_of(deps, dispatch))
    text = "".join((*labels.values(), deps.sender.name, deps.sender.company, *deps.letterhead.address))
    row = invoices.get_row(session, dispatch.case.invoice_id)
    text += dispatch.customer.name + contact.name + (contact.post or "") + (row.number if row else "")
    return missing_glyph(text)


def missing_glyph(text: str) -> str | None:
    """Return the first character that our fonts lack, by name; None when a letter can have all of them."""
    for sign in dict.fromkeys(_PICTURES.sub("", text)):
        if not _has_glyph(sign):
            return name(sign, f"U+{ord(sign):04X}")
    return None


def _has_glyph(sign: str) -> bool:
    if category(sign) in _LETTERS and sign not in _OF_NO_SCRIPT:
        return name(sign, "").startswith(_SCRIPTS)
    return ord(sign) < _BEYOND_OUR_FONTS


def _fits_window(deps: Dependencies, dispatch: Dispatch, contact: Contact) -> bool:
    lines = window_lines(dispatch.customer.name, contact)
    most, longest = _USUAL_WINDOW
    if not deps.letterhead.addressed or (len(lines) <= most and all(len(line) <= longest for line in lines)):
        return True
    paper = deps.letterhead.paper or paper_of(dispatch.customer.country)
    try:
        printed(_EMPTY.model_copy(update={"paper": paper, "window": lines, "side": deps.letterhead.window}))
    except typst.TypstError as error:
        if _TOO_LONG in str(error):
            return False
        raise
    return True


_TOO_LONG = "the address does not fit the window"  # what the template says
_EMPTY = Letter(
    paper=A4,
    language="en",
    day=date(2000, 1, 1),
    sender="",
    sender_lines=(),
    window=(),
    side="left",
    addressed=True,
    today="",
    references=(),
    subject="",
    body=(),
    slip=None,
    page="",
)


def printed(letter: Letter) -> Attachment:
    """The letter as a PDF; the same letter gives the same bytes."""
    said = _PICTURES.sub("", json.dumps(letter.model_dump(mode="json"), ensure_ascii=False))
    written = typst.compile(
        _template(),
        sys_inputs={"letter": "".join(sign if _has_glyph(sign) else "?" for sign in said)},
        ignore_system_fonts=True,
        timestamp=datetime.combine(letter.day, time(), UTC),
    )
    return Attachment("letter.pdf", "application/pdf", written)


@cache
def _template() -> bytes:
    return files("dunwell.services").joinpath("letter.typ").read_bytes()
