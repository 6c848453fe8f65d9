"""Prints one message as a letter: what stands on the page, and the page itself as a PDF."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from unicodedata import category, name

import typst
from sqlalchemy.orm import Session

from activities.composing import bill_of, tongue
from activities.desk import Desk
from activities.job import Job
from activities.layout import parse
from activities.paper import Block, blocks
from activities.payment_slip import Payee, PaymentSlip, payment_slip
from activities.phrases import CALL, Pen
from activities.wording import Composed
from domain.invoice import Contact
from domain.model import Value
from gateways.base import Attachment

A4, US_LETTER = "a4", "us-letter"

_US_LETTER_COUNTRIES = frozenset({"BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"})
"""Where letters are of the American size, by CLDR's measurement data."""

_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
"""What the embedded fonts can print. A letter in any other script would come out as empty boxes."""

_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lo"})
_OF_NO_SCRIPT = "ªºµ"


class Letter(Value):
    """Everything on the page, ready for print.

    `window` is what shows through the envelope's window, if the letter is `addressed` at all.
    """

    paper: str
    language: str
    day: date
    sender: str
    sender_lines: tuple[str, ...]
    window: tuple[str, ...]
    addressed: bool
    today: str
    references: tuple[tuple[str, str], ...]
    subject: str
    body: tuple[Block, ...]
    slip: PaymentSlip | None
    page: str  # such as "Page {n} of {total}"


def write(
    session: Session, desk: Desk, jobs: Sequence[Job], contact: Contact, composed: Composed, *, asks: bool
) -> Letter:
    """The letter of a composed message about all of `jobs`, the leading one first; with a slip when it `asks`.

    By the figures of this very transaction.
    """
    lead, head = jobs[0], desk.letterhead
    language = tongue(desk, lead)
    labels, locale = desk.catalogue.labels(language), desk.catalogue.locale(language)
    today, pen = lead.calendar.local_date(lead.now), Pen(locale, CALL)
    bills = [bill_of(session, job) for job in jobs]
    asked = [bill for bill in bills if bill.asked > 0]
    payee = Payee(name=desk.sender.company, iban=head.iban, bic=head.bic)
    return Letter(
        paper=head.paper or paper_of(lead.customer.country),
        language=locale.language,
        day=today,
        sender=desk.sender.company,
        sender_lines=head.address,
        window=window_lines(lead.customer.name, contact),
        addressed=head.addressed,
        today=pen.day(today, today) or "",
        references=((labels["our_reference"], ", ".join(bill.number for bill in bills)),),
        subject=composed.subject,
        body=blocks(parse(composed.markdown)),
        slip=payment_slip(payee, asked, labels, pen, today) if asks and asked else None,
        page=labels["page"],
    )


def paper_of(country: str) -> str:
    """The size of paper that offices of `country` (ISO 3166-1 alpha-2) put into their printers."""
    return US_LETTER if country in _US_LETTER_COUNTRIES else A4


def window_lines(company: str, contact: Contact) -> tuple[str, ...]:
    """Company and name above the postal address, unless the address names them itself."""
    post = tuple((contact.post or "").splitlines())
    known = "\n".join(post).casefold()
    return tuple(line for line in (company, contact.name) if line.casefold() not in known) + post


def unprintable(desk: Desk, job: Job, contact: Contact) -> str | None:
    """The first character that our fonts lack, by name; None when the letter can be printed."""
    labels = desk.catalogue.labels(tongue(desk, job))
    text = "".join((*labels.values(), desk.sender.name, desk.sender.company, *desk.letterhead.address))
    for sign in dict.fromkeys(text + job.customer.name + contact.name + (contact.post or "")):
        if category(sign) in _LETTERS and sign not in _OF_NO_SCRIPT and not name(sign, "").startswith(_SCRIPTS):
            return name(sign, f"U+{ord(sign):04X}")
    return None


def printed(letter: Letter) -> Attachment:
    """The letter as a PDF; the same letter gives the same bytes."""
    written = typst.compile(
        _template(),
        sys_inputs={"letter": json.dumps(letter.model_dump(mode="json"))},
        ignore_system_fonts=True,
        timestamp=datetime.combine(letter.day, time(), UTC),
    )
    return Attachment("letter.pdf", "application/pdf", written)


@cache
def _template() -> bytes:
    return files("activities").joinpath("letter.typ").read_bytes()
