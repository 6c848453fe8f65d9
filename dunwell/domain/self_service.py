"""What a customer may agree about an invoice alone, by the policy: the days of a promise, and instalments.

What people agree is bounded by the case itself; these bounds are never wider, and known before anything is sent.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import NamedTuple

from dunwell.domain import promises
from dunwell.domain.policy import PlanRules
from dunwell.domain.state import CaseState


class Every(StrEnum):
    """How far apart the instalments of a plan are."""

    WEEK = "week"
    FORTNIGHT = "fortnight"
    MONTH = "month"


class Days(NamedTuple):
    """The first and the last day that may be chosen."""

    first: date
    last: date

    def hold(self, day: date) -> bool:
        return self.first <= day <= self.last


class Part(NamedTuple):
    """One instalment."""

    on: date
    amount: Decimal


_STEPS = {Every.WEEK: timedelta(days=7), Every.FORTNIGHT: timedelta(days=14)}


def promise_days(case: CaseState, today: date) -> Days | None:
    """The days on which a customer may promise to pay; None when no further promise is taken."""
    last = promises.last_day(case, today)
    return Days(today, last) if last is not None else None


def counts(case: CaseState, rules: PlanRules) -> tuple[int, ...]:
    """The numbers of instalments that a customer may choose; none when the policy grants no plan by itself.

    Nor is one granted while a plan runs or a part is in dispute, or after the last plan was not kept.
    """
    agreements = case.agreements
    if case.ended or agreements.plan or agreements.missed or agreements.dispute:
        return ()
    least = rules.least or Decimal(0)
    return tuple(
        count for count in range(2, rules.most + 1) if shares(case.open_amount, count, case.money.digits)[0] >= least
    )


def shares(amount: Decimal, count: int, digits: int) -> tuple[Decimal, ...]:
    """An amount in so many equal shares; the last one takes what cannot be divided."""
    share = (amount / count).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)
    return (*[share] * (count - 1), amount - share * (count - 1))


def plan(amounts: Sequence[Decimal], first: date, every: Every) -> tuple[Part, ...]:
    """The instalments of these amounts from that day on. A month is as long as its day of the first exists in it."""
    return tuple(Part(_later(first, every, place), amount) for place, amount in enumerate(amounts))


def _later(first: date, every: Every, times: int) -> date:
    if every is not Every.MONTH:
        return first + _STEPS[every] * times
    month = first.month - 1 + times
    year, month = first.year + month // 12, month % 12 + 1
    return date(year, month, min(first.day, monthrange(year, month)[1]))


def last_day(rules: PlanRules, today: date) -> date:
    """The day by which the last instalment has to be paid."""
    return today + timedelta(days=rules.max_days)
