"""The fixed sum that a law gives for the costs of recovery: one amount, or bands by the size of the debt."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from dunwell.domain.interest_rule import Begins
from dunwell.domain.legal_fact import Exact, LegalFact
from dunwell.domain.model import Value

_CURRENCY = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Per(StrEnum):
    """What a lump sum is owed for."""

    CLAIM = "claim"  # once for each invoice
    INSTALMENT = "instalment"  # for each instalment that the contract provides


class Band(Value):
    """Debts up to a limit: `amount`, plus `percent` of the part of the debt above the band before.

    up_to  the limit belongs to the band;  below  it belongs to the next one;  neither: the last band
    """

    up_to: Exact | None = None
    below: Exact | None = None
    amount: Exact = Decimal(0)
    percent: Exact = Decimal(0)

    @property
    def limit(self) -> Decimal | None:
        return self.below if self.up_to is None else self.up_to

    def holds(self, debt: Decimal) -> bool:
        if self.up_to is not None:
            return debt <= self.up_to
        return self.below is None or debt < self.below

    @model_validator(mode="after")
    def _has_one_limit(self) -> "Band":
        if self.up_to is not None and self.below is not None:
            raise ValueError("has up_to and below: up_to includes the limit, below does not; keep one")
        return self


class LumpSumRule(LegalFact):
    """A lump sum for kinds of parties. `amount` "0" says that the law gives none.

    currency     of the amount;  debt_currency  in which the limits of the bands are
    arises       None: on the first day of default; else the day after this, and not before the first day of default
    once_asked   only once a letter of a person's own has asked for it; shown, and never claimed by itself
    set_off      whether it is set off against the legal costs of recovery
    """

    amount: Exact | None = None
    bands: tuple[Band, ...] = ()
    minimum: Exact | None = None
    maximum: Exact | None = None
    currency: _CURRENCY
    debt_currency: _CURRENCY | None = None
    per: Per = Per.CLAIM
    arises: Begins | None = None
    once_asked: bool = False
    set_off: bool = False

    @model_validator(mode="after")
    def _has_one_form(self) -> "LumpSumRule":
        if (self.amount is None) == (not self.bands):
            raise ValueError('give either one amount = "40" or bands = [...], and not both')
        limits = [band.limit for band in self.bands]
        if self.bands and (limits[-1] is not None or None in limits[:-1]):
            raise ValueError("the last band, and no other, must be without a limit")
        known = [limit for limit in limits if limit is not None]
        if known != sorted(set(known)):
            raise ValueError("the limits of the bands must rise from one to the next")
        return self

    def of(self, debt: Decimal) -> Decimal:
        """Return the sum for a debt, unrounded. `debt` is in `debt_currency`, or in `currency` without one."""
        if self.amount is not None:
            return self.amount
        below = Decimal(0)
        for band in self.bands:
            if band.holds(debt):
                found = band.amount + (debt - below) * band.percent / 100
                found = found if self.minimum is None else max(found, self.minimum)
                return found if self.maximum is None else min(found, self.maximum)
            below = band.limit or below
        raise AssertionError("the last band has no limit")
