"""Whether money that a file tells is what a file of another format told before.

| equal: an id, the payer's account or name, numbers written | contradicts one of these | judged |
|------------------------------------------------------------|--------------------------|--------|
| something or nothing                                       | nothing                  | same   |
| nothing                                                    | something                | other  |
| something, or a batch and one sum are compared             | something                | doubt  |

Two single payments with end-to-end ids that differ are two, unless they have the same reference of the bank.
Formats leave facts out, and cut names and texts off: what only one of them tells, or tells the beginning of,
contradicts nothing.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from dunwell.domain.bank_entry import BankEntry
from dunwell.domain.iban import has_form
from dunwell.domain.matching import name_words

_WORDS = re.compile(r"[^\W_]+")
_NUMBERS = re.compile(r"[^\W_]+(?:[-/._]+[^\W_]+)*")
_DAY = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d{2}|\d{4})|\d{4}-\d{2}-\d{2}")


class Likeness(StrEnum):
    """Whether two movements of one sum are the same money; `doubt`: a person has to say so."""

    SAME = "same"
    DOUBT = "doubt"
    OTHER = "other"


@dataclass(frozen=True)
class Judged:
    """equal: in how many facts they are equal. unlike: whether a person should look at both texts and payers."""

    likeness: Likeness
    equal: int
    unlike: bool


SURE = Judged(Likeness.SAME, equal=9, unlike=False)
"""Of what is the same without being compared."""


@dataclass(frozen=True)
class Booking:
    """What the bank booked as one sum: one movement, or the transactions of a batch that a file tells.

    The facts are those by which it is compared: ids, the payers' accounts and names, the texts.
    """

    entries: tuple[BankEntry, ...] = field(repr=False)

    @property
    def first(self) -> BankEntry:
        """Its first entry, which has the facts that all of them have."""
        return self.entries[0]

    @property
    def identity(self) -> str:
        """The identity of what the bank booked."""
        return self.first.booking

    @cached_property
    def in_parts(self) -> bool:
        """Whether it is told as the transactions of a batch."""
        return len(self.entries) > 1

    @cached_property
    def end_to_end_ids(self) -> frozenset[str]:
        """The payers' own ids of the transfers."""
        return frozenset(one.end_to_end_id for one in self.entries if one.end_to_end_id)

    @cached_property
    def references(self) -> frozenset[str]:
        """The bank's references."""
        return frozenset(one.reference for one in self.entries if one.reference)

    @cached_property
    def ibans(self) -> frozenset[str]:
        """The IBANs of the payers; numbers of another kind are not compared."""
        return frozenset(one.payer_iban for one in self.entries if one.payer_iban and has_form(one.payer_iban))

    @cached_property
    def names(self) -> tuple[frozenset[str], ...]:
        """The payers' names as their words."""
        return tuple(filter(None, (name_words(one.payer_name or "") for one in self.entries)))

    def ids(self) -> list[str]:
        """The ids by which it may be known."""
        return sorted((*self.end_to_end_ids, *self.references))

    def payers(self) -> list[str]:
        """The accounts from which it came."""
        return sorted(self.ibans)

    def words(self) -> list[str]:
        """What was written, where something was."""
        return [self.text] if self.text else []

    def has_id_of(self, other: "Booking") -> bool:
        """Whether they share an end-to-end id or a reference of the bank."""
        return bool(self.end_to_end_ids & other.end_to_end_ids or self.references & other.references)

    @cached_property
    def amounts(self) -> list[Decimal]:
        """What each of its transactions brought."""
        return sorted(one.amount for one in self.entries)

    @cached_property
    def text(self) -> str:
        """All that was written, without spaces and signs."""
        return _plain(self._written)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Words with figures in them, such as invoice numbers, without signs; days are none."""
        found = (one for one in _NUMBERS.findall(self._written) if not _DAY.fullmatch(one))
        return frozenset(_plain(one) for one in found if any(char.isdigit() for char in one))

    @cached_property
    def _written(self) -> str:
        return " ".join(" ".join((*one.references, one.text)) for one in self.entries).casefold()


def compare(one: Booking, other: Booking) -> Judged:
    """Return whether two bookings of one sum on one account, told in two formats, are the same money."""
    if one.in_parts and other.in_parts and one.amounts != other.amounts:
        return Judged(Likeness.OTHER, 0, unlike=True)
    single = not one.in_parts and not other.in_parts
    referred = bool(one.references & other.references)
    ids = _alike(one.end_to_end_ids, other.end_to_end_ids)
    facts = (_alike(one.ibans, other.ibans), _names_alike(one.names, other.names), _numbers_alike(one, other))
    equal = (*facts, ids, referred).count(True)
    against = False in facts or (single and ids is False)
    if not against:
        likeness = Likeness.SAME
    elif single and (not equal or (ids is False and not referred)):
        likeness = Likeness.OTHER
    else:
        likeness = Likeness.DOUBT
    texts_alike = one.text in other.text or other.text in one.text
    told = bool(equal or (one.text and other.text))
    return Judged(likeness, equal, unlike=against or not texts_alike or not told)


def _alike(here: frozenset[str], there: frozenset[str]) -> bool | None:
    """Whether they have one in common; None where one of them tells none."""
    return bool(here & there) if here and there else None


def _names_alike(here: tuple[frozenset[str], ...], there: tuple[frozenset[str], ...]) -> bool | None:
    return any(_name_alike(one, other) for one in here for other in there) if here and there else None


def _name_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether each word of the shorter name is one of the longer, or its beginning."""
    short, long = sorted((one, other), key=len)
    return all(any(word.startswith(part) or part.startswith(word) for word in long) for part in short)


def _numbers_alike(one: Booking, other: Booking) -> bool | None:
    """Whether one of them has all numbers of the other; None where one of them has none."""
    if not one.numbers or not other.numbers:
        return None
    return all(number in other.text for number in one.numbers) or all(number in one.text for number in other.numbers)


def _plain(text: str) -> str:
    return "".join(_WORDS.findall(text))
