"""What every value taken from a law carries: since when it holds, where it was read, when, and how sure it is."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from dunwell.domain.model import Value
from dunwell.domain.terms import DebtorKind


class Certainty(StrEnum):
    """How sure a value is.

    confirmed      seen in the law or on an authority's page, or in two copies that agree
    single_source  seen in one secondary source
    computed       derived from a confirmed rule
    memory         not looked up
    """

    CONFIRMED = "confirmed"
    SINGLE_SOURCE = "single_source"
    COMPUTED = "computed"
    MEMORY = "memory"

    @property
    def sure(self) -> bool:
        """Whether the value may enter a message to a customer before a person has confirmed it."""
        return self in (Certainty.CONFIRMED, Certainty.COMPUTED)


class Doubt(Value):
    """A value that is used and not sure. `key` names it for whoever confirms it."""

    key: str
    reason: str


def _exact(value: object) -> object:
    if isinstance(value, (bool, float)):
        raise ValueError('must be a number in quotes, such as "8.15": without them its exact digits are lost')
    return value


Exact = Annotated[Decimal, BeforeValidator(_exact), Field(allow_inf_nan=False)]
"""A rate in per cent or an amount; in a file it stands in quotes."""

COMMERCIAL = (DebtorKind.BUSINESS, DebtorKind.PUBLIC)


class LegalFact(Value):
    """A row of a jurisdiction's file. It holds from `valid_from` until a later row for the same parties.

    customers     kinds of customers (debtors) that it is for
    sellers       kinds of sellers (creditors) that it is for
    basis         short citation that letters print, in the languages of the country: "Art. 104 OR / CO"
    source        where it was read: an address, or a book and page
    certainty_of  fields that are less sure, or surer, than the row
    gap           a rule of the law that the row leaves out, and what to do; staff see it with every claim by it
    key           names the row, such as "de.lump_sum.business+public.2014-07-29"; not written in files
    """

    customers: Annotated[tuple[DebtorKind, ...], Field(min_length=1)]
    sellers: Annotated[tuple[DebtorKind, ...], Field(min_length=1)] = COMMERCIAL
    valid_from: date
    basis: str | None = None
    source: Annotated[str, Field(min_length=8)]
    checked_on: date
    certainty: Certainty
    certainty_of: Mapping[str, Certainty] = {}
    note: str | None = None
    gap: str | None = None
    key: str = ""

    def is_for(self, customer: DebtorKind, seller: DebtorKind) -> bool:
        return customer in self.customers and seller in self.sellers

    def doubts(self) -> Iterator[Doubt]:
        """Yield what is not sure: the row itself, and fields of it. A field's key is "<row's key>.<field>"."""
        if not self.certainty.sure:
            yield Doubt(key=self.key, reason=f"{self.key}: {_SAID[self.certainty]}")
        for field, certainty in self.certainty_of.items():
            if not certainty.sure:
                key = f"{self.key}.{field}"
                yield Doubt(key=key, reason=f"{key}: {_SAID[certainty]}")

    def confirmed(self, keys: Collection[str]) -> Self:
        """Return the row with what `keys` name confirmed: the row by its key, and single fields by theirs."""
        row = self.key in keys
        fields = {
            field: Certainty.CONFIRMED if f"{self.key}.{field}" in keys else certainty
            for field, certainty in self.certainty_of.items()
        }
        certainty = Certainty.CONFIRMED if row else self.certainty
        return self.model_copy(update={"certainty": certainty, "certainty_of": fields})


_SAID = {
    Certainty.SINGLE_SOURCE: "seen in one source only",
    Certainty.MEMORY: "not looked up",
}


def doubt_of(key: str, certainty: Certainty) -> Doubt | None:
    """The doubt about a single value; None when it is sure."""
    return None if certainty.sure else Doubt(key=key, reason=f"{key}: {_SAID[certainty]}")
