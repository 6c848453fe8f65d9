"""The nominal plan of a ladder: where each step falls when no day is a holiday, for every weekday of its root.

It gives, before any case runs, the order of the steps and the days between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.policy import DATES, Step, When

_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True)
class Nominal:
    """Where a step would fall for one weekday of the due date, in a country without holidays.

    `paper` is counted as if people worked every day, `at` is moved to a business day as contacts are.
    """

    paper: datetime
    at: datetime


@dataclass(frozen=True)
class Plan:
    """The seven nominal places of a step, one for each weekday of its root: "due" or "issued"."""

    root: str
    places: tuple[Nominal, ...]


def nominal_plans(steps: Sequence[Step], window: tuple[time, time]) -> dict[str, Plan]:
    """Where each step falls. Steps whose anchor is unknown are left out: they are refused already."""
    calendar = BusinessCalendar(zone=ZoneInfo("UTC"), opens=window[0], closes=window[1])
    plans: dict[str, Plan] = {}
    for step in steps:
        anchor = step.when.anchor
        if step.id in plans or (anchor not in DATES and anchor not in plans):
            continue
        if anchor in DATES:
            roots = [_MONDAY + timedelta(days=shift) for shift in range(7)]
            starts = [Nominal(calendar.at(day, window[0]), calendar.place(day, None)) for day in roots]
        else:
            starts = list(plans[anchor].places)
        root = anchor if anchor in DATES else plans[anchor].root
        plans[step.id] = Plan(root, tuple(_nominal(step.when, start, calendar) for start in starts))
    return plans


def _nominal(when: When, start: Nominal, calendar: BusinessCalendar) -> Nominal:
    if when.unit == "hours":
        later = timedelta(hours=when.offset)
        return Nominal(start.paper + later, calendar.next_open(start.at + later))
    paper = calendar.at(when.day(start.paper.date(), calendar), when.at or calendar.opens)
    counted_from = start.paper if when.anchor in DATES else start.at
    return Nominal(paper, calendar.place(when.day(counted_from.date(), calendar), when.at))


def with_distance(step: Step, plans: Mapping[str, Plan]) -> Step:
    """The step with its fewest days after the due date filled in."""
    plan = plans.get(step.id)
    if plan is None:
        return step.model_copy(update={"days_after_due": 1})  # refused already; spare it further remarks
    if plan.root != "due":
        return step
    fewest = min((place.paper.date() - _MONDAY).days - weekday for weekday, place in enumerate(plan.places))
    return step.model_copy(update={"days_after_due": fewest})
