"""The facts a message may speak of, and how each language writes them: amounts, days, lists, counted things."""

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
from babel.numbers import format_decimal, get_currency_symbol, parse_pattern

from dunwell.domain.autolinks import WORD_JOINER, unlinked
from dunwell.domain.cleaning import isolated, one_line
from dunwell.domain.model import Value
from dunwell.texts.markup import literal

LONG_OVERDUE = timedelta(days=30)
"""An invoice that was due longer ago than this is named with its age, and never in the tone of a small oversight."""


class Instalment(Value):
    """One part of an agreed payment plan."""

    on: date
    amount: Decimal


class OtherInvoice(Value):
    """Another open invoice of the same customer, told of in the same message: what is asked, and its days.

    `asked` is in `currency` with `digits` minor units.
    """

    number: str
    issued_on: date
    due_on: date
    asked: Decimal
    currency: str
    digits: int
    payment_url: str | None = None


class Facts(Value):
    """All that a message may speak of: one invoice, one person, one day, and the invoices told of beside it.

    Amounts are in `currency` with `digits` minor units. `open` is what is unpaid, `asked` is `open` minus a
    disputed part, `credit` is what was overpaid. `today` is the date in the debtor's zone. `earlier` holds the days
    on which reminders of this invoice were sent before: by us, unless they came back, and elsewhere. `consequence`
    is what the ladder does next (one of CONSEQUENCES) and `consequence_on` its date. `promise_on` and
    `promise_amount` describe the latest promise, or the instalment that was missed; `missing` is what has not come
    of it, in a message that says so. `instalments` holds the agreed plan, `instalment_on` and `instalment_amount` its
    next part, less what came of it already. `holding` are the invoices that still hold the account of a customer who
    paid this one; `suspended`: it is shut, not only limited.
    `beside` names the other companies of the debtor's group whose invoices are among the others.
    `others` are further invoices that a message asking for payment asks for too; the
    register, the warnings and the promises stay those of this invoice.
    `consumer` and `public_body` say who owes, where it is no company or somebody of whom nobody said.
    `iban` and `bic`, both without spaces, are our account for this currency.
    `short_url` leads to `payment_url` and stands for it in an SMS.
    The small print below every body names the numbers of the `enclosed` invoices and offers `unsubscribe_url`,
    which stops e-mails to the reader.
    """

    contact_name: str
    company: str
    beside: tuple[str, ...] = ()
    number: str
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
    earlier: tuple[date, ...] = ()
    consequence: str | None = None
    consequence_on: date | None = None
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
    consumer: bool = False
    public_body: bool = False
    sender_name: str
    sender_company: str
    reply_to: str | None = None
    phone: str | None = None
    iban: str | None = None
    bic: str | None = None
    enclosed: tuple[str, ...] = ()
    unsubscribe_url: str | None = None

    @property
    def long_overdue(self) -> bool:
        """Whether the invoice was due longer ago than LONG_OVERDUE."""
        return self.today - self.due_on > LONG_OVERDUE

    @property
    def bills(self) -> tuple[OtherInvoice, ...]:
        """Every invoice of the message: this one, then the others, the longest due first."""
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


# ---- how a value is written


@dataclass(frozen=True)
class Voice:
    """How facts are written into one field of a message."""

    dates: Literal["medium", "long"]
    rows: Literal["medium", "long"]  # dates in a line of many facts
    guard: Callable[[str], str]
    brief: bool = False  # for SMS: no needless year, and no sign that would cost the basic SMS alphabet
    roomy: bool = True  # with room for words that a message can do without
    parting: str = WORD_JOINER  # what parts a domain in a name; an SMS has no sign for it that nobody sees


SUBJECT = Voice("medium", "medium", one_line)
BODY = Voice("long", "medium", literal)
SHORT = Voice("medium", "medium", one_line, brief=True, parting=" ")
TIGHT = Voice("medium", "medium", one_line, brief=True, roomy=False, parting=" ")
CALL = Voice("long", "long", one_line, parting="")

_MARK = "\ue000"


@dataclass(frozen=True)
class Formatter:
    """Writes facts the way `locale` does, in one voice."""

    locale: Locale
    voice: Voice

    def text(self, value: str | None) -> str | None:
        return isolated(self.voice.guard(value)) if value else None

    def name(self, value: str) -> str | None:
        """A name that somebody else chose, with any domain in it parted, so that no program makes a link of it."""
        return self.names((value,))

    def names(self, values: Sequence[str]) -> str | None:
        """The same for several names, as a list."""
        if not self.voice.parting:
            return self.text(format_list(values, locale=self.locale))
        # The guard takes out what nobody sees, and escapes full stops: so a visible mark stands there meanwhile.
        marked = self.text(format_list([unlinked(value, _MARK) for value in values], locale=self.locale))
        return marked and marked.replace(_MARK, self.voice.parting)

    def day(self, value: date | None, today: date) -> str | None:
        if value is None:
            return None
        if self.voice.brief and value.year == today.year:
            return self.text(_day_of_year(self.locale, "MMMd", value))
        return self.text(self._ordinal(_date(self.locale, self.voice.dates, value)))

    def _ordinal(self, written: str) -> str:
        """The first of a month as Brazil writes it, which Babel does not: "1º de março"."""
        if self.voice.brief or (self.locale.language, self.locale.territory) != ("pt", "BR"):
            return written
        return re.sub(r"^1 de ", "1º de ", written)

    def days(self, values: tuple[date, ...], today: date) -> str | None:
        """The days in order, as a list in words; without the year while all are of this year."""
        ordered = sorted(set(values))
        if all(day.year == today.year for day in ordered):
            written = [self._ordinal(_day_of_year(self.locale, "MMMMd", day)) for day in ordered]
        else:
            written = [self._ordinal(_date(self.locale, self.voice.dates, day)) for day in ordered]
        return self.text(format_list(written, locale=self.locale))

    def money(self, value: Decimal | None, currency: str, digits: int) -> str | None:
        """The amount with `digits` minor units; None for no amount."""
        return None if value is None else self.text(_amount(self.locale, self.voice.brief, value, currency, digits))

    def totals(self, bills: tuple[OtherInvoice, ...]) -> str | None:
        """What `bills` ask for in all, as a list of one sum a currency; None where there is no room for several."""
        sums: dict[str, Decimal] = {}
        digits: dict[str, int] = {}
        for bill in bills:
            sums[bill.currency] = sums.get(bill.currency, Decimal(0)) + bill.asked
            digits[bill.currency] = max(digits.get(bill.currency, 0), bill.digits)
        if len(sums) > 1 and not self.voice.roomy:
            return None
        written = [
            _amount(self.locale, self.voice.brief, value, currency, digits[currency])
            for currency, value in sums.items()
        ]
        return self.text(format_list(written, locale=self.locale))

    def row(self, bill: OtherInvoice, today: date) -> dict[str, object]:
        """One invoice of several. A fact that it lacks is None."""
        return {
            "number": self.text(bill.number),
            "issued_on": self.text(self._ordinal(_date(self.locale, self.voice.rows, bill.issued_on))),
            "due_on": self.text(self._ordinal(_date(self.locale, self.voice.rows, bill.due_on))),
            "days_left": max(0, (bill.due_on - today).days),
            "days_late": max(0, (today - bill.due_on).days),
            "asked": self.money(bill.asked, bill.currency, bill.digits) if bill.asked else None,
            "payment_url": self.text(bill.payment_url),
        }


@lru_cache(maxsize=4096)
def _amount(locale: Locale, brief: bool, value: Decimal, currency: str, digits: int) -> str:
    # Kept, like the dates below: one message names the same sums and days a dozen times.
    shape = locale.currency_formats["standard"].pattern
    symbol = get_currency_symbol(currency, locale=locale)
    if brief and not (symbol.isascii() or symbol in "£¥€" or _script(locale) != "Latn"):
        shape, symbol = shape.replace("¤", "¤¤"), currency  # "¤¤" is the currency's ISO code
    if symbol[-1:].isalpha():  # CLDR: a symbol that ends in a letter does not touch the digits
        shape = re.sub(r"¤(?=[#0])", "¤\N{NO-BREAK SPACE}", shape)
    pattern = parse_pattern(shape)
    pattern.frac_prec = (digits, digits)
    written: str = pattern.apply(value, locale, currency, currency_digits=False, decimal_quantization=False)
    return written


@lru_cache
def _script(locale: Locale) -> str:
    """ISO 15924, such as "Cyrl": what is not "Latn" is outside the basic SMS alphabet anyway."""
    likely: str = get_global("likely_subtags").get(locale.language, "")
    return locale.script or next((part for part in likely.split("_") if len(part) == 4), "Latn")


@lru_cache(maxsize=4096)
def _date(locale: Locale, style: Literal["medium", "long"], value: date) -> str:
    return format_date(value, style, locale=locale)


@lru_cache(maxsize=4096)
def _day_of_year(locale: Locale, skeleton: str, value: date) -> str:
    return format_skeleton(skeleton, value, locale=locale)


def words(facts: Facts, formatter: Formatter) -> dict[str, object]:
    """Every fact a template may use, ready for print. What the case does not have is left out."""

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
        "sender_name": formatter.text(facts.sender_name),
        "sender_company": formatter.text(facts.sender_company),
        "reply_to": formatter.text(facts.reply_to),
        "phone": formatter.text(facts.phone),
        "iban": formatter.text(facts.iban if formatter.voice.brief else in_fours(facts.iban)),
        "bic": formatter.text(facts.bic),
        "payment_url": formatter.text((formatter.voice.brief and facts.short_url) or facts.payment_url),
        "issued_on": day(facts.issued_on),
        "due_on": day(facts.due_on),
        "today": day(facts.today),
        "days_left": max(0, (facts.due_on - facts.today).days),
        "days_late": max(0, (facts.today - facts.due_on).days),
        "long_overdue": facts.long_overdue,
        "amount": money(facts.amount),
        "open": money(facts.open),
        "asked": money(facts.asked),
        "paid": unless_zero(facts.paid),
        "disputed": unless_zero(facts.open - facts.asked),
        "credit": unless_zero(facts.credit),
        "earlier": formatter.days(facts.earlier, facts.today) if facts.earlier else None,
        "last_written": day(max(facts.earlier, default=None)),
        "consequence_on": day(facts.consequence_on),
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
        "suspended": facts.suspended or None,
        "consumer": facts.consumer,
        "public_body": facts.public_body,
        "links": any(row["payment_url"] for row in rows) or None,
        "roomy": formatter.voice.roomy or None,
    }
    return {name: word for name, word in written.items() if word is not None}


def in_fours(iban: str | None) -> str | None:
    """An account number as people read it aloud."""
    return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if iban else None


def counter(forms: Mapping[str, str], locale: Locale) -> Callable[[int], str]:
    """Says a number of things with the plural form that `locale` uses for it."""

    def counted(count: int) -> str:
        form = forms.get(locale.plural_form(count), forms["other"])
        return form.replace("{n}", format_decimal(count, locale=locale))

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
    earlier=(date(2026, 2, 3), date(2026, 2, 9)),
    consequence="restricted",
    consequence_on=date(2026, 2, 20),
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
    consumer=True,
    sender_name="Max Weber",
    sender_company="Looms Ltd",
    reply_to="max@looms.example",
    phone="+49 30 901820",
    iban="DE89370400440532013000",
    bic="COBADEFFXXX",
)
"""A case that has every fact: each template is tried with it when a catalogue is checked."""

FACT_NAMES = frozenset(words(SAMPLE, Formatter(Locale("en"), CALL)))
"""The names a template may use."""
