"""What every reader of bank statements gives, and how its parts are checked."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat, identify
from dunwell.domain.cleaning import one_line, printable
from dunwell.domain.iban import FORM, is_iban
from dunwell.domain.money import exact_amount, looks_like_thousands
from dunwell.domain.refusal import refusal_of
from dunwell.intake.currencies import find_currency
from dunwell.intake.refusals import Refusal

_LONGEST_TEXT = 2_000  # characters
_LONGEST_WORD = 200
_LONGEST_ACCOUNT = 50
_NUMBER = re.compile(r"[0-9]{1,15}(?:[.,][0-9]{1,6})?|[0-9]{1,15}[.,]")
_IBAN = re.compile(rf"(?<![A-Z0-9]){FORM}")
_GERMAN = re.compile(r"([1-8][0-9]{7})/0*([0-9]{1,10})(?:EUR)?")
_NO_REFERENCE = frozenset({"", "0", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NOTAVAILABLE", "NONE", "N/A"})


class StatementError(ValueError):
    """A file that is no bank statement, or of which nothing can be read. The text continues the file's name."""


@dataclass(frozen=True)
class StatementFile:
    """What a file tells.

    entries   with their identities, each once; pending ones too
    problems  what could not be read, and what does not add up: with any, the file is good in part only
    remarks   what a person should know about how it was read
    """

    format: StatementFormat
    entries: tuple[BankEntry, ...]
    problems: tuple[Refusal, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class Findings:
    """What a reader collects while it goes through a file."""

    entries: dict[str, BankEntry] = field(default_factory=dict)
    problems: list[Refusal] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def refuse(self, where: str, what: str, reason: str, value: str | None = None) -> None:
        """Note a problem, in the words of `Refusal`."""
        shown = None if value is None else printable(value)
        self.problems.append(Refusal(where, what, reason, shown))

    def made(self, where: str, **facts: Any) -> BankEntry | None:
        """Return the entry with these facts; None, and a problem, when they make none."""
        currency = str(facts.get("currency") or "")
        digits = minor_units(currency)
        if digits is None:
            self.refuse(where, "currency", "is no currency in use: get the file from the bank anew", currency)
            return None
        amount = exact_amount(facts["amount"], digits)
        if amount is None:
            self.refuse(where, "amount", f"is finer than {currency} allows", str(facts["amount"]))
            return None
        try:
            return BankEntry(**facts | {"amount": amount})
        except ValidationError as error:
            refused = refusal_of(error)
            self.refuse(where, refused.field, f"{refused.reason}: get the file from the bank anew")
            return None

    def take(self, where: str, entries: Sequence[BankEntry], *, balanced: bool = False) -> None:
        """Add the entries of one statement. A statement that the file repeats adds nothing.

        An entry that stands there twice in every detail, with the bank's own reference, is in doubt unless balances
        say that it counts twice.
        """
        self.entries.update({entry.identity: entry for entry in identify(entries)})
        twice = [entry for entry, times in Counter(entries).items() if times > 1 and entry.reference]
        for entry in [] if balanced else twice:
            said = f"of {entry.amount} {entry.currency} on {entry.booked_on} stands there twice under one reference"
            self.refuse(where, "movement", f"{said}: is it one or two?", entry.reference)

    def file(self, format_: StatementFormat) -> StatementFile:
        """Return what was found, as it is given to the caller."""
        return StatementFile(format_, tuple(self.entries.values()), tuple(self.problems), tuple(self.remarks))


def minor_units(currency: str) -> int | None:
    """Return how many digits the amounts of a currency have after the point; None for one that is not in use."""
    try:
        return find_currency(currency).digits
    except KeyError:
        return None


def number(text: str, digits: int | None = None) -> Decimal | None:
    """Return the number of a text with a decimal point or comma and no sign; None when it is none, or in doubt.

    With `digits`, the minor units of its currency, a number that looks like thousands is in doubt.
    """
    if _NUMBER.fullmatch(text) is None:
        return None
    found = Decimal(text.replace(",", ".").rstrip("."))
    return None if digits is not None and looks_like_thousands(found, digits) else found


def signed(entry: BankEntry) -> Decimal:
    """Return the amount of an entry as it changes the balance."""
    return entry.amount if entry.direction is Direction.IN else -entry.amount


def with_charges(entry: BankEntry, paid: Decimal, charges: Decimal | None) -> BankEntry:
    """Return a booking with what the customer paid, of which charges were kept back: it counts with that.

    It stays known as what was booked, as the transactions of a batch do.
    """
    (booked,) = identify([entry])
    more = {"amount": paid, "charges": charges, "batch": booked.identity, "batch_amount": entry.amount}
    return entry.model_copy(update=more)


def adds_up(before: Decimal, movements: Sequence[tuple[Decimal, bool]], after: Decimal) -> bool:
    """Whether the movements, each with whether it is a reversal, lead from one balance to the other.

    Banks differ in whether a reversal's sign is its own or that of what it takes back, so both are right.
    """
    plain = sum((amount for amount, reversal in movements if not reversal), before)
    back = sum((amount for amount, reversal in movements if reversal), Decimal(0))
    return after in (plain + back, plain - back)


def day(text: str | None) -> date | None:
    """Return the day with which an ISO date or time begins, without its zone; None when there is none."""
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None


def account_of(text: str | None) -> str | None:
    """Return the account of a statement in one form for all formats: its IBAN where it holds or makes one.

    MT940 writes a German account as bank code and number, of which its IBAN is made, and others with the currency
    behind or the bank's BIC in front. None when there is none.
    """
    found = number_of(text)
    if found is None:
        return None
    if parts := _GERMAN.fullmatch(found):
        basic = f"{parts[1]}{parts[2]:>010}"
        return f"DE{98 - int(f'{basic}131400') % 97:02}{basic}"
    for one in _IBAN.findall(found):
        for iban in (one, one[:-3]):
            if is_iban(iban):
                return str(iban)
    return found[:_LONGEST_ACCOUNT]


def words(text: str | None) -> str:
    """Return a text on one line, cleaned and no longer than an entry's text may be."""
    return one_line(text or "")[:_LONGEST_TEXT]


def word(text: str | None) -> str | None:
    """Return a reference or name on one line; None when it is empty or stands for none."""
    found = one_line(text or "")[:_LONGEST_WORD]
    return None if found.upper() in _NO_REFERENCE else found


def number_of(text: str | None) -> str | None:
    """Return an account number or structured reference without spaces; None when it is empty or stands for none."""
    found = word(text)
    return found.replace(" ", "").upper() if found else None
