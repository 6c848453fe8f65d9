"""The law of one country about late payment, as data: rows of facts, each with its source and its dates."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Self, TypeVar

from pydantic import Field, model_validator

from dunwell.domain.allocation import AllocationRule
from dunwell.domain.contact_limits import ContactRule
from dunwell.domain.interest_rule import InterestRule, Rate
from dunwell.domain.legal_fact import Exact, LegalFact
from dunwell.domain.lump_sums import LumpSumRule
from dunwell.domain.model import Value
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind

_Row = TypeVar("_Row", bound=LegalFact)


class FeeAllowed(StrEnum):
    """Whether a fee for a reminder may be asked for."""

    NEVER = "never"
    IF_AGREED = "if_agreed"
    ALWAYS = "always"


class FeeRule(LegalFact):
    """Fees for reminders.

    first_free   the first reminder costs the customer nothing
    only_cost    no more than what the reminder itself cost, such as paper and postage
    at_most      the highest fee of one reminder, in `currency`;  times  how many may be charged;
    days_apart   days from one that is charged to the next
    """

    allowed: FeeAllowed
    first_free: bool = False
    only_cost: bool = False
    at_most: Exact | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    times: Annotated[int, Field(ge=1, le=20)] | None = None
    days_apart: Annotated[int, Field(ge=1, le=60)] | None = None

    @model_validator(mode="after")
    def _names_the_currency(self) -> Self:
        if self.at_most is not None and self.currency is None:
            raise ValueError('needs currency = "EUR" beside at_most')
        return self


class Acknowledgement(StrEnum):
    """Whether an acknowledgement of the debt, a part payment included, starts limitation anew."""

    RESTARTS = "restarts"
    RESTARTS_IF_WRITTEN = "restarts_if_written"
    NOTHING = "nothing"


class LimitationRule(LegalFact):
    """When a claim is barred: `years` and `months` after the due date, or at the end of that year."""

    years: Annotated[int, Field(ge=0, le=30)]
    months: Annotated[int, Field(ge=0, le=11)] = 0
    to_year_end: bool = False
    acknowledgement: Acknowledgement = Acknowledgement.RESTARTS

    def last_day(self, due_on: date) -> date:
        """The last day on which the claim is not barred, when nothing stopped or restarted the time."""
        months = due_on.month - 1 + self.months
        year, month = due_on.year + self.years + months // 12, months % 12 + 1
        if self.to_year_end:
            return date(year, 12, 31)
        day = due_on.day
        while True:
            try:
                return date(year, month, day)
            except ValueError:  # the month is shorter
                day -= 1


class Jurisdiction(Value):
    """The law of a country, or of a part of one: a file of jurisdictions/, called as its code in small letters.

    missing  what is not known; a claim for which it is needed is refused. Empty: the file is complete
    series   the base rates that its rules name
    """

    code: str  # ISO 3166, as "DE" or "US-NY"
    name: str
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    missing: tuple[str, ...] = ()
    note: str | None = None
    interest: tuple[InterestRule, ...] = ()
    lump_sum: tuple[LumpSumRule, ...] = ()
    fee: tuple[FeeRule, ...] = ()
    allocation: tuple[AllocationRule, ...] = ()
    limitation: tuple[LimitationRule, ...] = ()
    contact: tuple[ContactRule, ...] = ()
    series: Mapping[str, RateSeries] = {}

    @property
    def complete(self) -> bool:
        return not self.missing

    def check_complete(self) -> None:
        """Raise Refused, with what is missing, when no claim can be made by this law."""
        if self.missing:
            raise Refused("jurisdiction", f"no claim by the law of {self.name}: {'; '.join(self.missing)} is missing")

    def interest_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> InterestRule | None:
        return in_force(self.interest, customer, seller, day)

    def lump_sum_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> LumpSumRule | None:
        """The lump sum by law, without a letter that asks for another one."""
        return in_force([row for row in self.lump_sum if not row.once_asked], customer, seller, day)

    def fee_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> FeeRule | None:
        return in_force(self.fee, customer, seller, day)

    def allocation_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> AllocationRule | None:
        return in_force(self.allocation, customer, seller, day)

    def limitation_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> LimitationRule | None:
        return in_force(self.limitation, customer, seller, day)

    def contact_rule(self, customer: DebtorKind, seller: DebtorKind, day: date) -> ContactRule | None:
        return in_force(self.contact, customer, seller, day)

    def facts(self) -> Iterator[tuple[str, LegalFact]]:
        """Yield every row with the name of its table."""
        for table in TABLES:
            for row in getattr(self, table):
                yield table, row

    def confirmed(self, keys: Collection[str]) -> Self:
        """Return the same law with the values confirmed that `keys` name."""
        rows = {table: tuple(row.confirmed(keys) for row in getattr(self, table)) for table in TABLES}
        series = {name: series.confirmed(keys) for name, series in self.series.items()}
        return self.model_copy(update={**rows, "series": series})


TABLES: Mapping[str, type[LegalFact]] = {
    "interest": InterestRule,
    "lump_sum": LumpSumRule,
    "fee": FeeRule,
    "allocation": AllocationRule,
    "limitation": LimitationRule,
    "contact": ContactRule,
}
"""The tables of a jurisdiction's file. A complete one has rows of interest, lump_sum and allocation for every kind of
customer; without a row of fee no fee may be asked for, and without one of limitation its day is not known."""


def in_force(rows: Sequence[_Row], customer: DebtorKind, seller: DebtorKind, day: date) -> _Row | None:
    """Return the row for these parties that holds on `day`; None when there is none."""
    fitting = [row for row in rows if row.is_for(customer, seller) and row.valid_from <= day]
    return max(fitting, key=lambda row: row.valid_from, default=None)


def rates_of(rule: InterestRule) -> list[Rate]:
    """The rates that an interest rule names."""
    return [rate for rate in (rule.statutory, rule.contract_at_most) if rate is not None]
