"""The facts that a message may use, and their formats in each language: amounts, days, lists, plurals."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel import Locale
from babel.core import get_global
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent, get_currency_symbol, parse_pattern

from dunwell.domain.autolinks import WORD_JOINER, unlinked
from dunwell.domain.cleaning import clean, isolated, one_line
from dunwell.domain.model import Value
from dunwell.domain.payment_reference import grouped
from dunwell.texts.markup import escaped
from dunwell.texts.sms import basic_letters

LONG_OVERDUE = timedelta(days=30)
"""An invoice due longer ago than this is long overdue: messages name its age and do not call it an oversight."""


class Instalment(Value):
    """One part of an agreed payment plan."""

    on: date
    amount: Decimal


class OtherInvoice(Value):
    """Another open invoice named in the same message. `asked` is in `currency` with `digits` minor units."""

    number: str
    issued_on: date
    due_on: date
    asked: Decimal
    currency: str
    digits: int
    payment_url: str | None = None


class Claimed(Value):
    """What a message claims of one invoice beside its principal, counted up to the day it is to be paid by.

    interest, costs  in `currency` with `digits` minor units
    rate             per cent a year, where one rate applied to all of the interest; since: its first day
    lump_sum         the fixed sum for late payment, in the currency the law names it in
    basis            citations of the law
    """

    number: str
    interest: Decimal = Decimal(0)
    rate: Decimal | None = None
    since: date | None = None
    costs: Decimal = Decimal(0)
    currency: str
    digits: int
    lump_sum: Decimal = Decimal(0)
    lump_sum_currency: str = ""
    lump_sum_digits: int = 2
    basis: tuple[str, ...] = ()


class AccruingInterest(Value):
    """Interest that has been accruing `since` a day and is not claimed yet; `rate` in per cent a year."""

    since: date
    rate: Decimal
    basis: tuple[str, ...] = ()


class AnswerWords(Value):
    """What a clerk answers: phrases of the catalogue by name, then words of their own, which may have paragraphs.

    subject  that of the e-mail answered; empty for none
    """

    phrases: tuple[str, ...] = ()
    words: str = ""
    subject: str = ""


class Facts(Value):
    """The facts for a message to one contact about one invoice on one day.

    Amounts are in `currency` with `digits` minor units.

    reference              our payment reference of this invoice and `others` together
    open, asked            what is unpaid; the same without a disputed part
    credit                 what was overpaid
    today                  the date in the customer's time zone
    earlier                the days of earlier reminders of this invoice, sent here and not returned, or elsewhere
    consequence            what the policy does next, one of CONSEQUENCES; `consequence_on` is its date
    promise_on, promise_amount  the latest promise to pay, or the missed instalment
    missing                what was not paid of it, in a message that says so
    instalments            the agreed plan; `instalment_on` and `instalment_amount` are its next part, without what
                           was paid of it
    met                    the numbers of the invoices whose consequence the message announces or states, this one
                           first; empty for this one alone
    holding                other invoices that have a hold on the account, in a message that tells of access
    beside                 the other companies of the customer's group whose invoices are among `others`
    suspended              the account is suspended, not only restricted
    taken_back             how much of the last payment was taken back on `taken_back_on`, if none has come since
    plan_ended             the day of the missed instalment that ended the last plan, if nothing was agreed since
    not_settled            in a message that access is back: a part in dispute is still open, or the due date moved
    others                 further invoices for which the message asks for payment; tone, warnings and promises are
                           those of this invoice
    claims                 what is claimed beside the invoices; the total, paid by `claim_until`, settles everything
    claim_provisional      a rate in it is not published yet
    settled                the invoice is paid, and the message asks for the claims alone
    accruing               the interest on this invoice that is announced and not claimed
    consumer, public_body  the kind of customer; both false for a company or when it is unknown
    iban, bic              our account for this currency, without spaces
    short_url              a short link to `payment_url`, for SMS
    page_url               the page on which this contact answers without a login; in an SMS instead of `payment_url`
    answer                 what a clerk says, in a clerk's answer alone
    enclosed               the numbers of the attached invoices
    unsubscribe_url        stops e-mails to this contact
    """

    contact_name: str
    company: str
    beside: tuple[str, ...] = ()
    number: str
    reference: str
    issued_on: date
    due_on: date
    today: date
    amount: Decimal
    paid: Decimal
    open: Decimal
    asked: Decimal
    currency: str
    digits: int
    payment_url: str | None = None
    short_url: str | None = None
    page_url: str | None = None
    earlier: tuple[date, ...] = ()
    consequence: str | None = None
    consequence_on: date | None = None
    met: tuple[str, ...] = ()
    promise_on: date | None = None
    promise_amount: Decimal | None = None
    missing: Decimal | None = None
    instalments: tuple[Instalment, ...] = ()
    instalment_on: date | None = None
    instalment_amount: Decimal | None = None
    credit: Decimal = Decimal(0)
    others: tuple[OtherInvoice, ...] = ()
    holding: tuple[OtherInvoice, ...] = ()
    suspended: bool = False
    not_settled: bool = False
    taken_back: Decimal | None = None
    taken_back_on: date | None = None
    plan_ended: date | None = None
    claims: tuple[Claimed, ...] = ()
    claim_until: date | None = None
    claim_provisional: bool = False
    settled: bool = False
    accruing: AccruingInterest | None = None
    consumer: bool = False
    public_body: bool = False
    sender_name: str
    sender_company: str
    reply_to: str | None = None
    phone: str | None = None
    iban: str | None = None
    bic: str | None = None
    answer: AnswerWords | None = None
    enclosed: tuple[str, ...] = ()
    unsubscribe_url: str | None = None

    @property
    def long_overdue(self) -> bool:
        """Whether the invoice is due for longer than LONG_OVERDUE."""
        return self.today - self.due_on > LONG_OVERDUE

    @property
    def owing(self) -> bool:
        """Whether anything is to be paid."""
        return self.asked > 0 or bool(self.claims)

    @property
    def bills(self) -> tuple[OtherInvoice, ...]:
        """All invoices of the message: this one, then the others, the longest due first."""
        own = OtherInvoice(
            number=self.number,
            issued_on=self.issued_on,
            due_on=self.due_on,
            asked=self.asked,
            currency=self.currency,
            digits=self.digits,
            payment_url=self.payment_url,
        )
        return (own, *sorted(self.others, key=lambda other: (other.due_on, other.number)))


# ---- formats of values


@dataclass(frozen=True)
class FieldStyle:
    """The formats of facts in one field of a message.

    dates    style of dates
    rows     style of dates in a row of a table
    guard    escapes a text for the field
    brief    for SMS: no year where it is clear, and no character outside the basic SMS alphabet in amounts
    roomy    whether there is room for optional words
    parting  what breaks up a domain in a name; the basic SMS alphabet has no invisible character for it
    """

    dates: Literal["medium", "long"]
    rows: Literal["medium", "long"]
    guard: Callable[[str], str]
    brief: bool = False
    roomy: bool = True
    parting: str = WORD_JOINER


SUBJECT = FieldStyle("medium", "medium", one_line)
BODY = FieldStyle("long", "medium", escaped)
SHORT = FieldStyle("medium", "medium", one_line, brief=True, parting=" ")
SHORT_TIGHT = FieldStyle("medium", "medium", one_line, brief=True, roomy=False, parting=" ")
CALL = FieldStyle("long", "long", one_line, parting="")
PAGE = FieldStyle("long", "medium", clean, parting="")

_PLACEHOLDER = "\ue000"


@dataclass(frozen=True)
class Formatter:
    """Formats facts for a locale and one field of a message. A fact that is None stays None."""

    locale: Locale
    style: FieldStyle

    def text(self, value: str | None) -> str | None:
        return isolated(self.style.guard(value)) if value else None

    def name(self, value: str) -> str | None:
        """Return a name, with any domain in it broken up so that mail programs do not make a link of it."""
        return self.names((value,))

    def names(self, values: Sequence[str]) -> str | None:
        """Return several names as a list, each treated as `name` does."""
        if not self.style.parting:
            return self.text(format_list(values, locale=self.locale))
        # The guard removes invisible characters and escapes full stops, so a private-use mark holds the place.
        marked = self.text(format_list([unlinked(value, _PLACEHOLDER) for value in values], locale=self.locale))
        return marked and marked.replace(_PLACEHOLDER, self.style.parting)

    def numbers(self, values: Sequence[str]) -> str | None:
        """Return several invoice numbers as a list, each once; None for a single one."""
        several = list(dict.fromkeys(values))
        return self.listed(several) if len(several) > 1 else None

    def listed(self, values: Sequence[str]) -> str | None:
        return self.text(format_list(values, locale=self.locale))

    def day(self, value: date | None, today: date) -> str | None:
        if value is None:
            return None
        if self.style.brief and value.year == today.year:
            written = _day_of_year(self.locale, "MMMd", value)
        else:
            written = _date(self.locale, self.style.dates, value)
        if self.style.brief and _script(self.locale) == "Latn":
            written = basic_letters(written)  # "août" would cost a second SMS
        return self.text(self._ordinal(written))

    def _ordinal(self, written: str) -> str:
        """Return a date as people write it where Babel does not.

        That is the first of the month in French and in Brazil, and in German a day that stays beside its month.
        """
        if self.locale.language == "de":
            return re.sub(r"^(\d+\.) ", "\\1\N{NO-BREAK SPACE}", written)
        if self.locale.language == "fr":
            return re.sub(r"^1 ", "1er ", written)
        if self.style.brief or (self.locale.language, self.locale.territory) != ("pt", "BR"):
            return written
        return re.sub(r"^1 de ", "1º de ", written)

    def days(self, values: tuple[date, ...], today: date) -> str | None:
        """Return the days in order as a list in words, without the year if all are in this year."""
        ordered = sorted(set(values))
        if all(day.year == today.year for day in ordered):
            written = [self._ordinal(_day_of_year(self.locale, "MMMMd", day)) for day in ordered]
        else:
            written = [self._ordinal(_date(self.locale, self.style.dates, day)) for day in ordered]
        if self.locale.language == "fr":  # "le {{ earlier }}" is to read "le 3 mars et le 17 mars"
            written[1:] = [f"le {day}" for day in written[1:]]
        return self.text(format_list(written, locale=self.locale))

    def money(self, value: Decimal | None, currency: str, digits: int) -> str | None:
        """Return the amount with `digits` minor units."""
        return None if value is None else self.text(_amount(self.locale, self.style.brief, value, currency, digits))

    def count(self, value: int) -> str:
        """Return a whole number."""
        written = format_decimal(value, locale=self.locale)
        return _basic_marks(written) if self.style.brief else written

    def rate(self, value: Decimal | None) -> str | None:
        """Return a rate in per cent a year, with its per cent sign."""
        if value is None:
            return None
        return self.text(format_percent(value / 100, locale=self.locale, decimal_quantization=False))

    def totals(self, bills: tuple[OtherInvoice, ...], claims: tuple[Claimed, ...] = ()) -> str | None:
        """Return what is asked for in all, one sum a currency; None if there is no room for several sums."""
        parts = [(bill.asked, bill.currency, bill.digits) for bill in bills if bill.asked or not claims]
        for claim in claims:
            if claim.interest + claim.costs:
                parts.append((claim.interest + claim.costs, claim.currency, claim.digits))
            if claim.lump_sum:
                parts.append((claim.lump_sum, claim.lump_sum_currency, claim.lump_sum_digits))
        sums: dict[str, Decimal] = {}
        digits: dict[str, int] = {}
        for amount, currency, places in parts:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
            digits[currency] = max(digits.get(currency, 0), places)
        if len(sums) > 1 and not self.style.roomy:
            return None
        written = [
            _amount(self.locale, self.style.brief, value, currency, digits[currency])
            for currency, value in sums.items()
        ]
        return self.text(format_list(written, locale=self.locale))

    def claim(self, claim: Claimed, today: date) -> dict[str, object]:
        """Return the formatted facts of what is claimed of one invoice; heads without an amount are None."""
        fixed = claim.lump_sum, claim.lump_sum_currency, claim.lump_sum_digits
        return {
            "number": self.text(claim.number),
            "interest": self.money(claim.interest, claim.currency, claim.digits) if claim.interest else None,
            "rate": self.rate(claim.rate),
            "since": self.day(claim.since, today),
            "costs": self.money(claim.costs, claim.currency, claim.digits) if claim.costs else None,
            "lump_sum": self.money(*fixed) if claim.lump_sum else None,
        }

    def row(self, bill: OtherInvoice, today: date) -> dict[str, object]:
        """Return the formatted facts of one invoice among several."""
        return {
            "number": self.text(bill.number),
            "issued_on": self.text(self._ordinal(_date(self.locale, self.style.rows, bill.issued_on))),
            "due_on": self.text(self._ordinal(_date(self.locale, self.style.rows, bill.due_on))),
            "days_left": max(0, (bill.due_on - today).days),
            "days_late": max(0, (today - bill.due_on).days),
            "asked": self.money(bill.asked, bill.currency, bill.digits) if bill.asked else None,
            "payment_url": self.text(bill.payment_url),
        }


@lru_cache(maxsize=4096)
def _amount(locale: Locale, brief: bool, value: Decimal, currency: str, digits: int) -> str:
    # Cached, like the dates below, because one message has the same amounts and days many times.
    shape = locale.currency_formats["standard"].pattern
    symbol = get_currency_symbol(currency, locale=locale)
    if brief and not (
        symbol.replace("\N{NARROW NO-BREAK SPACE}", " ").isascii() or symbol in "£¥€" or _script(locale) != "Latn"
    ):
        shape, symbol = shape.replace("¤", "¤¤"), currency  # "¤¤" is the currency's ISO code
    if symbol[-1:].isalpha():  # by CLDR a symbol that ends in a letter is separated from the digits
        shape = re.sub(r"¤(?=[#0])", "¤\N{NO-BREAK SPACE}", shape)
    pattern = parse_pattern(shape)
    pattern.frac_prec = (digits, digits)
    written: str = pattern.apply(value, locale, currency, currency_digits=False, decimal_quantization=False)
    return _basic_marks(written) if brief else written


def _basic_marks(number: str) -> str:
    """Return a number with the apostrophe of the basic SMS alphabet: Switzerland writes 1’240."""
    return number.replace("’", "'")


def spelling(locale: Locale) -> Callable[[str], str]:
    """Return a function that spells the words of a language file as the country of the locale does."""
    if locale.language == "de" and locale.territory in _SWISS:
        return _swiss
    return _canadian if (locale.language, locale.territory) == ("fr", "CA") else str


_SWISS = frozenset({"CH", "LI"})
_GREETING = re.compile(r"^Guten Tag \{\{ contact_name \}\},$", re.MULTILINE)
_AFTER_GREETING = re.compile(r"(?<=greeting \}\}\n\n)(?:.+\n)+")
_FIRST_WORD = re.compile(r"(\A|%\}\n)((?:\{%[^%]*%\})*[a-zäöü])")


def _swiss(words: str) -> str:
    """Return German words as Switzerland writes them: no ß, no comma after the greeting, and a capital after that."""
    words = _GREETING.sub("Guten Tag {{ contact_name }}", words.replace("ß", "ss"))
    return _AFTER_GREETING.sub(lambda found: _FIRST_WORD.sub(_capital, found[0]), words)


def _capital(found: re.Match[str]) -> str:
    return found[1] + found[2][:-1] + found[2][-1].upper()


def _canadian(words: str) -> str:
    """Return French words as Canada writes them: courriel, and no space before ; ! ? (a condition's != stays)."""
    words = words.replace("d'e-mail", "de courriel").replace("e-mail", "courriel")
    return re.sub(r" ([;!?])(?!=)", r"\1", words)


@lru_cache
def _script(locale: Locale) -> str:
    """Return the ISO 15924 script of a locale, such as "Cyrl"."""
    likely: str = get_global("likely_subtags").get(locale.language, "")
    return locale.script or next((part for part in likely.split("_") if len(part) == 4), "Latn")


@lru_cache(maxsize=4096)
def _date(locale: Locale, style: Literal["medium", "long"], value: date) -> str:
    return format_date(value, style, locale=locale)


@lru_cache(maxsize=4096)
def _day_of_year(locale: Locale, skeleton: str, value: date) -> str:
    return format_skeleton(skeleton, value, locale=locale)


def formatted_facts(facts: Facts, formatter: Formatter) -> dict[str, object]:
    """Return every fact that a template may use, formatted. Facts that the case lacks are left out."""

    def day(value: date | None) -> str | None:
        return formatter.day(value, facts.today)

    def money(value: Decimal | None) -> str | None:
        return formatter.money(value, facts.currency, facts.digits)

    def unless_zero(value: Decimal) -> str | None:
        return money(value) if value else None

    rows = [formatter.row(bill, facts.today) for bill in facts.bills] if facts.others else []
    written: dict[str, object | None] = {
        "contact_name": formatter.name(facts.contact_name),
        "company": formatter.name(facts.company),
        "companies": formatter.names((facts.company, *facts.beside)),
        "number": formatter.text(facts.number),
        "reference": formatter.text(facts.reference if formatter.style.brief else grouped(facts.reference)),
        "sender_name": formatter.text(facts.sender_name),
        "sender_company": formatter.text(facts.sender_company),
        "reply_to": formatter.text(facts.reply_to),
        "phone": formatter.text(facts.phone),
        "iban": formatter.text(facts.iban if formatter.style.brief else grouped_iban(facts.iban)),
        "bic": formatter.text(facts.bic),
        "payment_url": formatter.text(_way_to_pay(facts, formatter)),
        "page_url": formatter.text(facts.page_url),
        "issued_on": day(facts.issued_on),
        "due_on": day(facts.due_on),
        "today": day(facts.today),
        "days_left": max(0, (facts.due_on - facts.today).days),
        "days_late": max(0, (facts.today - facts.due_on).days),
        "long_overdue": facts.long_overdue,
        "amount": money(facts.amount),
        "open": money(facts.open),
        "asked": money(facts.asked),
        "nothing_open": facts.open == 0,
        "paid": unless_zero(facts.paid),
        "disputed": unless_zero(facts.open - facts.asked),
        "credit": unless_zero(facts.credit),
        "earlier": formatter.days(facts.earlier, facts.today) if facts.earlier else None,
        "last_written": day(max(facts.earlier, default=None)),
        "consequence_on": day(facts.consequence_on),
        "met": formatter.numbers(facts.met),
        "until": formatter.numbers((facts.number, *facts.met, *(one.number for one in facts.holding))),
        "promise_on": day(facts.promise_on),
        "promise_amount": money(facts.promise_amount),
        "missing": money(facts.missing) if facts.missing and facts.missing != facts.promise_amount else None,
        "instalments": [{"on": day(part.on), "amount": money(part.amount)} for part in facts.instalments] or None,
        "instalment_on": day(facts.instalment_on),
        "instalment_amount": money(facts.instalment_amount),
        "bills": rows or None,
        "others": rows[1:] or None,
        "total": formatter.totals(facts.bills) if facts.others else None,
        "holding": [formatter.row(bill, facts.today) for bill in facts.holding] or None,
        "held": formatter.listed([one.number for one in facts.holding]) if facts.holding else None,
        "suspended": facts.suspended or None,
        "not_settled": facts.not_settled or None,
        "taken_back": money(facts.taken_back),
        "taken_back_on": day(facts.taken_back_on),
        "plan_ended": day(facts.plan_ended),
        **_formatted_claims(facts, formatter),
        "consumer": facts.consumer,
        "public_body": facts.public_body,
        "links": any(row["payment_url"] for row in rows) or None,
        "roomy": formatter.style.roomy or None,
    }
    return {name: word for name, word in written.items() if word is not None}


def _way_to_pay(facts: Facts, formatter: Formatter) -> str | None:
    """The address of the payment page, or in an SMS of what leads there: it has room for one link."""
    return (formatter.style.brief and (facts.page_url or facts.short_url)) or facts.payment_url


def _formatted_claims(facts: Facts, formatter: Formatter) -> dict[str, object | None]:
    """What is owed beside the invoices, and the interest that is announced."""
    basis = dict.fromkeys(one for claim in facts.claims for one in claim.basis)
    accruing = facts.accruing
    return {
        "claims": [formatter.claim(claim, facts.today) for claim in facts.claims] or None,
        "claim_total": formatter.totals(facts.bills, facts.claims) if facts.claims else None,
        "claim_until": formatter.day(facts.claim_until, facts.today),
        "claim_provisional": facts.claim_provisional or None,
        "settled": facts.settled,
        "claim_basis": formatter.text(", ".join(basis)),
        "interest_since": formatter.day(accruing.since, facts.today) if accruing else None,
        "interest_rate": formatter.rate(accruing.rate) if accruing else None,
        "interest_basis": formatter.text(", ".join(accruing.basis)) if accruing else None,
    }


def grouped_iban(iban: str | None) -> str | None:
    """Return an IBAN in groups of four characters."""
    return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if iban else None


def counter(forms: Mapping[str, str], formatter: Formatter) -> Callable[[int], str]:
    """Return a function that writes a count with the plural form of the formatter's locale."""

    def counted(count: int) -> str:
        form = forms.get(formatter.locale.plural_form(count), forms["other"])
        return form.replace("{n}", formatter.count(count))

    return counted


_OTHER = OtherInvoice(
    number="A-2",
    issued_on=date(2026, 2, 1),
    due_on=date(2026, 3, 3),
    asked=Decimal(60),
    currency="EUR",
    digits=2,
    payment_url="https://pay.example/a-2",
)
SAMPLE = Facts(
    contact_name="Ada Byron",
    company="Engine Works",
    beside=("Boiler Works",),
    number="A-1",
    reference="RF96C6B80S6PQA",
    issued_on=date(2026, 1, 2),
    due_on=date(2026, 2, 1),
    today=date(2026, 2, 15),
    amount=Decimal(100),
    paid=Decimal(10),
    open=Decimal(90),
    asked=Decimal(80),
    currency="EUR",
    digits=2,
    payment_url="https://pay.example/a-1",
    page_url="https://dunning.example/i/a-1",
    earlier=(date(2026, 2, 3), date(2026, 2, 9)),
    consequence="restricted",
    consequence_on=date(2026, 2, 20),
    met=("A-1", "A-2"),
    promise_on=date(2026, 2, 18),
    promise_amount=Decimal(40),
    missing=Decimal(30),
    instalments=(Instalment(on=date(2026, 2, 18), amount=Decimal(40)),),
    instalment_on=date(2026, 2, 18),
    instalment_amount=Decimal(40),
    credit=Decimal(5),
    others=(_OTHER,),
    holding=(_OTHER,),
    suspended=True,
    not_settled=True,
    taken_back=Decimal(10),
    taken_back_on=date(2026, 2, 12),
    plan_ended=date(2026, 2, 10),
    claims=(
        Claimed(
            number="A-1",
            interest=Decimal("0.35"),
            rate=Decimal("10.15"),
            since=date(2026, 2, 2),
            costs=Decimal(5),
            currency="EUR",
            digits=2,
            lump_sum=Decimal(40),
            lump_sum_currency="EUR",
            basis=("Dir. 2011/7",),
        ),
    ),
    claim_until=date(2026, 2, 19),
    claim_provisional=True,
    accruing=AccruingInterest(since=date(2026, 2, 2), rate=Decimal("10.15"), basis=("Dir. 2011/7",)),
    consumer=True,
    sender_name="Max Weber",
    sender_company="Looms Ltd",
    reply_to="max@looms.example",
    phone="+49 30 901820",
    iban="DE89370400440532013000",
    bic="COBADEFFXXX",
)
"""Facts without a gap: `Catalogue.check` renders each template with them."""

FACT_NAMES = frozenset(formatted_facts(SAMPLE, Formatter(Locale("en"), CALL)))
"""The names of facts that a template may use."""
