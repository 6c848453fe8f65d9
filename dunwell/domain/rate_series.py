"""A base rate as it was published over time, and the rate of a day in it."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, Field

from dunwell.domain.legal_fact import Certainty, Doubt, Exact, doubt_of
from dunwell.domain.model import Value

_HALF = Decimal("0.5")


class BaseRounding(StrEnum):
    """What a law does to the published rate before it adds its margin."""

    NONE = "none"
    UP_TO_HALF = "up_to_half"  # rounded up to the next half of a percentage point
    MOVES_OF_HALF = "moves_of_half"  # moves of less than half a point, taken together, are ignored


class RateStep(Value):
    """The rate, in per cent a year, from a day on: until the next step, or through `until`; then it is unknown."""

    model_config = ConfigDict(validate_by_name=True)

    valid_from: date = Field(alias="from")
    rate: Exact
    until: date | None = None
    source: str | None = None  # where it differs from the series' own
    checked_on: date | None = None
    certainty: Certainty | None = None


class FoundRate(Value):
    """The rate of a day. `provisional`: the day lies after the last known one, and the last known rate is taken."""

    rate: Decimal
    doubt: Doubt | None = None
    provisional: bool = False


class UnknownRate(LookupError):
    """A series says nothing of that day, and nothing may be assumed."""


class RateSeries(Value):
    """A base rate: a file of jurisdictions/rates, called as the series is.

    known_until  the last day whose rate is known; later days take the last rate and are provisional
    """

    name: str
    title: str
    publisher: str
    source: str
    checked_on: date
    certainty: Certainty
    known_until: date
    note: str | None = None
    rates: tuple[RateStep, ...]

    @property
    def known_from(self) -> date:
        return self.rates[0].valid_from

    def on(self, day: date, rounding: BaseRounding = BaseRounding.NONE) -> FoundRate:
        """Return the rate in force on `day`. Raises UnknownRate before the first step and in a gap."""
        place = bisect_right(self.rates, day, key=lambda step: step.valid_from) - 1
        if place < 0:
            raise UnknownRate(f"rates of {self.name} before {self.known_from} are missing")
        step = self.rates[place]
        provisional = day > self.known_until
        if step.until is not None and day > step.until and not provisional:
            raise UnknownRate(f"the rate of {self.name} on {day} is missing")
        return FoundRate(
            rate=_rounded([step.rate for step in self.rates[: place + 1]], rounding),
            doubt=doubt_of(f"{self.name}.{step.valid_from}", step.certainty or self.certainty),
            provisional=provisional,
        )

    def days_of_change(self, after: date, through: date) -> list[date]:
        """The days in (after, through] from which another rate is in force, or the rate becomes provisional."""
        days = {step.valid_from for step in self.rates} | {self.known_until + timedelta(days=1)}
        days |= {step.until + timedelta(days=1) for step in self.rates if step.until is not None}
        return sorted(day for day in days if after < day <= through)

    def confirmed(self, keys: Collection[str]) -> Self:
        """Return the series with what `keys` name confirmed.

        "<series>.<first day>" names one rate, "<series>" all those that have no certainty of their own.
        """
        steps = tuple(
            step.model_copy(update={"certainty": Certainty.CONFIRMED})
            if f"{self.name}.{step.valid_from}" in keys
            else step
            for step in self.rates
        )
        certainty = Certainty.CONFIRMED if self.name in keys else self.certainty
        return self.model_copy(update={"rates": steps, "certainty": certainty})


def _rounded(rates: Sequence[Decimal], rounding: BaseRounding) -> Decimal:
    """The last of `rates`, which are all the published ones up to now, as the law takes it."""
    if rounding is BaseRounding.UP_TO_HALF:
        return (rates[-1] / _HALF).to_integral_value(ROUND_CEILING) * _HALF
    if rounding is BaseRounding.MOVES_OF_HALF:
        held = rates[0]
        for rate in rates:
            if abs(rate - held) >= _HALF:
                held = rate
        return held
    return rates[-1]
