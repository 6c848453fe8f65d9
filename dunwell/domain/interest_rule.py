"""How a law fixes interest for late payment: rate, start, day count, compounding, limits."""

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from dunwell.domain.legal_fact import Exact, LegalFact
from dunwell.domain.model import Value
from dunwell.domain.rate_series import BaseRounding


class Lookup(StrEnum):
    """The day whose base rate applies to a day of default."""

    DAILY = "daily"  # that day
    MONTHLY = "monthly"  # the first day of its month
    YEARLY = "yearly"  # 1 January of its year
    ON_FIRST_DAY = "on_first_day"  # 1 January or 1 July, whichever was last
    BEFORE_HALF = "before_half"  # 31 December or 30 June, whichever was last

    def day_of_base(self, day: date) -> date:
        """Return the day whose base rate applies to `day`."""
        match self:
            case Lookup.DAILY:
                return day
            case Lookup.MONTHLY:
                return day.replace(day=1)
            case Lookup.YEARLY:
                return date(day.year, 1, 1)
            case Lookup.ON_FIRST_DAY:
                return half_of(day)
            case Lookup.BEFORE_HALF:
                return half_of(day) - timedelta(days=1)

    def last_day(self, known_until: date) -> date:
        """Return the last day to which a base rate applies that is known until `known_until`."""
        match self:
            case Lookup.DAILY:
                return known_until
            case Lookup.MONTHLY:
                return _next_month(known_until) - timedelta(days=1)
            case Lookup.YEARLY:
                return date(known_until.year, 12, 31)
            case Lookup.ON_FIRST_DAY:
                return _next_half(known_until) - timedelta(days=1)
            case Lookup.BEFORE_HALF:
                return _next_half(known_until + timedelta(days=1)) - timedelta(days=1)


class FixedAt(StrEnum):
    """The day whose rate is kept for the whole default, where a law fixes it."""

    DUE_DATE = "due_date"
    FIRST_DAY = "first_day"  # of default


class DayCount(StrEnum):
    """What part of a year a number of days is."""

    ACT_ACT = "act/act"  # days over 365, over 366 in a leap year
    ACT_365 = "act/365"
    ACT_360 = "act/360"
    THIRTY_360 = "30/360"
    MONTHS = "months"  # a twelfth for each month from the first day of default; of a broken one by its days


class Compounding(StrEnum):
    """When interest begins to bear interest, counted from the first day of default."""

    NONE = "none"
    YEARLY = "yearly"
    MONTHLY = "monthly"
    DAILY = "daily"


class StartEvent(StrEnum):
    """What the first day of default is counted from."""

    DUE = "due"
    NOTICE = "notice"  # the first reminder that reached the customer
    ISSUE = "issue"  # of the invoice


_START = re.compile(r"(?P<event>due|notice|issue)(\s*\+\s*(?P<days>\d{1,3})\s*days?)?")


class Start(Value):
    """The first day of default is the day after `event` plus `days`. In a file: "due", "issue + 30 days"."""

    event: StartEvent
    days: int = 0

    def __str__(self) -> str:
        return f"{self.event} + {self.days} days" if self.days else self.event


def _read_start(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _START.fullmatch(value.strip())
    if found is None:
        raise ValueError('is not understood: write "due", "notice", "issue + 30 days"')
    return Start(event=StartEvent(found["event"]), days=int(found["days"] or 0))


Begins = Annotated[Start, BeforeValidator(_read_start)]


class Rate(Value):
    """A rate in per cent a year: fixed, or `factor` times a base rate plus `margin` percentage points."""

    rate: Exact | None = None
    series: str | None = None
    lookup: Lookup = Lookup.DAILY
    rounding: BaseRounding = BaseRounding.NONE
    offset: Exact = Decimal(0)  # added to the base after rounding; the sum is the base that is shown
    factor: Exact = Decimal(1)
    margin: Exact = Decimal(0)
    at_least: Exact | None = None
    at_most: Exact | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> "Rate":
        if (self.rate is None) == (self.series is None):
            raise ValueError('give either a fixed rate = "5" or a series, and not both')
        return self


class InterestRule(LegalFact):
    """Interest for late payment between two kinds of parties.

    statutory            the rate by law; None: nothing without a contract
    contract_at_most     the highest rate that a contract may give
    fixed_at             the day whose rate is kept; None: each day takes its own
    starts               the first day of default is the earliest of these that is known
    through_payment_day  whether the day of payment bears interest
    open_interest_at_most  the most that may be open of interest, as a multiple of the open principal
    """

    statutory: Rate | None = None
    contract_only: bool = False
    contract_at_most: Rate | None = None
    fixed_at: FixedAt | None = None
    day_count: DayCount = DayCount.ACT_365
    compounding: Compounding = Compounding.NONE
    starts: Annotated[tuple[Begins, ...], Field(min_length=1)]
    through_payment_day: bool = True
    open_interest_at_most: Exact | None = None

    @model_validator(mode="after")
    def _has_a_rate(self) -> "InterestRule":
        if (self.statutory is None) != self.contract_only:
            raise ValueError("give a table statutory = {...}, or contract_only = true where the law has no rate")
        return self


def half_of(day: date) -> date:
    """The first day of the half-year of `day`."""
    return date(day.year, 1 if day.month <= 6 else 7, 1)


def _next_half(day: date) -> date:
    return date(day.year, 7, 1) if day.month <= 6 else date(day.year + 1, 1, 1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
