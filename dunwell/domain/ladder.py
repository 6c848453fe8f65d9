"""When which step of a ladder is due, and what becomes of a step whose time has passed.

Pure arithmetic on a policy, where the case stands, and a business calendar: the same input gives the same
answer, and no clock is read. Called outside of workflow code: holidays and time zones are data that change.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from zlib import crc32

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.channels import Channel
from dunwell.domain.keys import StepId
from dunwell.domain.model import Value
from dunwell.domain.policy import Policy, Step
from dunwell.domain.terms import Late, Level, Role, Stage

_DAY_SECONDS = 86_400
_LATE = {
    Late.SEND: "sent late",
    Late.SKIP: "too late, left out",
    Late.SHIFT: "late, and the steps below move with it",
}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class StepDone(Value):
    """A step that is behind the case.

    at     when it was done (UTC); for a skipped step the moment it was planned for
    shift  the case's total shift in seconds once this step was done, its own delay included
    """

    step: str
    at: datetime
    outcome: Literal["done", "skipped"]
    shift: int


class Standing(Value):
    """Where a case stands on its ladder.

    done         in the order it happened
    earlier      steps of earlier rounds: they count for nothing but the gap after the last contact
    shift        total seconds the ladder has rested: pauses, disputes, promises, delays of late="shift"
    customer_id  draws the customer's place within the minutes over which the ladder spreads its moments
    awake_since  the end of the last rest (UTC); lateness is not counted from before it
    """

    issued_on: date
    due_on: date
    done: tuple[StepDone, ...] = ()
    earlier: tuple[StepDone, ...] = ()
    shift: int = 0
    customer_id: str = ""
    awake_since: datetime | None = None
    open_amount: Decimal


class NextAction(Value):
    """The step that comes next, when (UTC), and the reason in words for people."""

    step: str
    at: datetime
    why: str

    @property
    def name(self) -> str:
        """The step as people read it: without the mark of a day agreed, and of which answer it is."""
        return StepId.parse(self.step).name


class Verdict(StrEnum):
    ON_TIME = "on_time"
    LATE = "late"


class Judgement(Value):
    """What to do about the next step, judged at one moment.

    do       send: do it at `at`; skip: leave it out, `at` is the moment it was planned for;
             shift: do it at `at` and add `shift` seconds to the case's shift
    planned  when it was due, before anyone was late (UTC)
    """

    step: str
    verdict: Verdict
    do: Late
    at: datetime
    planned: datetime
    shift: int = 0
    why: str


class PreviewLine(Value):
    """One step as it would happen. `closed` names the days that were passed over: "Tue 6 Jan: Epiphany"."""

    step: str
    at: datetime
    do: Late
    why: str
    closed: tuple[str, ...]
    message: str | None
    to: tuple[Role, ...]
    by: tuple[Channel, ...]
    access: Level | None
    stage: Stage | None
    ends: Stage | None
    copies: tuple[Role, ...] = ()
    approval: bool = False


def next_action(policy: Policy, standing: Standing, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    """The first step in order that is not behind the case, never before `now`; None at the ladder's end."""
    judgement = judge(policy, standing, calendar, now)
    if judgement is None:
        return None
    at = next_open(policy, standing.customer_id, calendar, max(judgement.planned, now))
    return NextAction(step=judgement.step, at=at, why=judgement.why)


def judge(policy: Policy, standing: Standing, calendar: BusinessCalendar, now: datetime) -> Judgement | None:
    """Whether the next step is late at `now`, and what its own rule says then; None at the ladder's end.

    Late is more than a business day after the planned moment, or after the end of the last rest. A step meant
    for the time up to the due date is late, too, once that day is over, or the business day after it where it is
    closed: it speaks of a day to come.
    """
    step = _next_step(policy, standing)
    if step is None:
        return None
    plan = _Planner(policy, standing, calendar).plan(step)
    late = _is_late(plan, step, standing, calendar, now)
    at = next_open(policy, standing.customer_id, calendar, max(plan.at, now))
    do = step.late if late else Late.SEND
    planned = plan.meant if do is Late.SKIP else plan.at
    delay = (calendar.local_date(at) - calendar.local_date(plan.at)).days
    return Judgement(
        step=step.id,
        verdict=Verdict.LATE if late else Verdict.ON_TIME,
        do=do,
        at=planned if do is Late.SKIP else at,
        planned=planned,
        shift=delay * _DAY_SECONDS if do is Late.SHIFT else 0,
        why=f"{plan.why}, planned for {_shown(calendar.local_date(planned))}: {_LATE[do]}" if late else plan.why,
    )


def next_open(policy: Policy, customer_id: str, calendar: BusinessCalendar, moment: datetime) -> datetime:
    """`moment` itself when a contact may be made then, else the customer's place after the next opening; as UTC."""
    at = calendar.next_open(moment)
    return at if at == moment else spread(policy, customer_id, calendar, at)


def spread(policy: Policy, customer_id: str, calendar: BusinessCalendar, at: datetime) -> datetime:
    """The customer's own moment within the ladder's `spread_minutes` from `at`, before the window closes.

    Drawn from the customer and not from the invoice, so that what one letter can carry stays together.
    """
    if not policy.spread_minutes:
        return at
    closing = calendar.closing(calendar.local_date(at))
    room = min(policy.spread_minutes * 60, int((closing - at).total_seconds()))
    return at + timedelta(seconds=crc32(customer_id.encode()) % max(room, 1))


def advanced(standing: Standing, judgement: Judgement) -> Standing:
    """The standing once the judged step is behind the case, done at `judgement.at` or skipped."""
    shift = standing.shift + judgement.shift
    outcome: Literal["done", "skipped"] = "skipped" if judgement.do is Late.SKIP else "done"
    step = StepDone(step=judgement.step, at=judgement.at, outcome=outcome, shift=shift)
    return standing.model_copy(update={"done": (*standing.done, step), "shift": shift})


def preview(policy: Policy, standing: Standing, calendar: BusinessCalendar, now: datetime) -> tuple[PreviewLine, ...]:
    """All steps to come if nobody pays or speaks, from `now` on, each with its moment and reason."""
    lines = []
    while (judgement := judge(policy, standing, calendar, now)) is not None:
        step = policy.step(judgement.step)
        lines.append(
            PreviewLine(
                step=step.id,
                at=judgement.at,
                do=judgement.do,
                why=judgement.why,
                closed=_Planner(policy, standing, calendar).plan(step).closed,
                message=step.message,
                to=step.to,
                by=step.by,
                access=step.access,
                stage=step.stage,
                ends=step.ends,
                copies=step.copies,
                approval=step.approval,
            )
        )
        now = max(now, judgement.at)
        standing = advanced(standing, judgement)
    return tuple(lines)


def _next_step(policy: Policy, standing: Standing) -> Step | None:
    behind = {done.step for done in standing.done}
    for step in policy.steps:
        if step.id not in behind and policy.applies(step, standing.open_amount):
            return step
    return None


@dataclass(frozen=True)
class _Plan:
    """A step's planned moment (UTC) as it follows from the ladder alone, whatever the time is now.

    meant  the same without the gap after the last contact, for a step that speaks of a due date to come; else `at`
    """

    at: datetime
    meant: datetime
    why: str
    closed: tuple[str, ...]


@dataclass(frozen=True)
class _Planner:
    policy: Policy
    standing: Standing
    calendar: BusinessCalendar

    def plan(self, step: Step) -> _Plan:
        """The step's own time, moved to an opening and behind whatever must come before it."""
        own, first = self._hours(step) if step.when.unit == "hours" else self._day(step)
        at, reasons = own.at, [own.why]
        at = meant = self._not_before(self._due_floor(step), at, step, reasons)
        at = self._not_before(self._gap_floor(step), at, step, reasons)
        last = max(self.standing.done, key=lambda done: done.at, default=None)
        if last is not None and at < last.at:
            at = self.calendar.next_open(last.at)
            reasons.append(f"not before {last.step}")
        passed = self._closed(first, self.calendar.local_date(at))
        return _Plan(at, meant if _up_to_due(step) else at, ", ".join(reasons), (*own.closed, *passed))

    def _not_before(self, floor: tuple[date, str] | None, at: datetime, step: Step, reasons: list[str]) -> datetime:
        """`at`, moved to the day of the floor if it lies before; then `reasons` gets the floor's."""
        if floor is None or floor[0] <= self.calendar.local_date(at):
            return at
        reasons.append(floor[1])
        return self._place(floor[0], step)

    def _day(self, step: Step) -> tuple[_Plan, date]:
        """The own time of a step counted in days, and the day it was meant for."""
        anchor, rested = self._anchor(step)
        day = step.when.day(anchor, self.calendar)
        why = str(step.when)
        if rested:
            why += f", {_count(rested, 'day')} later for the time it rested"
        at = self._place(day, step)
        closed = self.calendar.why_closed(day)
        if closed:
            why += f", moved from {_shown(day)} ({closed})"
        counted: tuple[str, ...] = ()
        if step.when.unit == "business_days":
            counted = self._closed(min(anchor, day), max(anchor, day), holidays_only=True)
        return _Plan(at, at, why, counted), day

    def _place(self, day: date, step: Step) -> datetime:
        at = self.calendar.place(day, step.when.at)
        return spread(self.policy, self.standing.customer_id, self.calendar, at)

    def _hours(self, step: Step) -> tuple[_Plan, date]:
        """The own time of a step counted in hours from another's moment, and the day it was meant for."""
        start, rested = self._moment(step.when.anchor)
        wanted = start + timedelta(hours=step.when.offset, seconds=rested)
        at = next_open(self.policy, self.standing.customer_id, self.calendar, wanted)
        day, why = self.calendar.local_date(wanted), str(step.when)
        if at != wanted:
            window = f"outside {self.calendar.opens:%H:%M}-{self.calendar.closes:%H:%M}"
            why += f", moved from {_shown(day)} ({self.calendar.why_closed(day) or window})"
        return _Plan(at, at, why, ()), day

    def _anchor(self, step: Step) -> tuple[date, int]:
        """The day a step is counted from, rests included, and how many days of rest that are."""
        dates = {"due": self.standing.due_on, "issued": self.standing.issued_on}
        anchor = dates.get(step.when.anchor)
        if anchor is None:
            moment, seconds = self._moment(step.when.anchor)
            anchor = self.calendar.local_date(moment)
        else:
            seconds = 0 if _up_to_due(step) else self.standing.shift
        # Rests count in whole days, so that a step keeps the hour its ladder gives it.
        rested = (seconds + _DAY_SECONDS // 2) // _DAY_SECONDS
        return anchor + timedelta(days=rested), rested

    def _moment(self, step_id: str) -> tuple[datetime, int]:
        """When the step of that id was or will be, and the seconds the case has rested since."""
        for done in self.standing.done:
            if done.step == step_id:
                return done.at, self.standing.shift - done.shift
        # Only a step that does not apply to this amount can be both above and not behind the case.
        return self.plan(self.policy.step(step_id)).at, 0

    def _due_floor(self, step: Step) -> tuple[date, str] | None:
        """The day before which a step that speaks of the due date must not be, with the reason for people."""
        due = self.standing.due_on
        if step.chasing:
            return self.calendar.add_business_days(due, 1), f"not before the due date {_shown(due)} has passed"
        return (due, f"not before the due date {_shown(due)}") if step.days_after_due == 0 else None

    def _gap_floor(self, step: Step) -> tuple[date, str] | None:
        """The day before which a contact comes too soon after the last one, of whatever round."""
        behind = (*self.standing.earlier, *self.standing.done)
        contacts = [one for one in behind if one.outcome == "done" and self._contact(one.step)]
        if not contacts or not step.contact:
            return None
        last = max(contacts, key=lambda done: done.at)
        gap = self.policy.gap_days
        day = self.calendar.local_date(last.at) + timedelta(days=gap)
        return self.calendar.next_business_day(day), f"{_count(gap, 'day')} after {last.step} at least"

    def _contact(self, step_id: str) -> bool:
        # A case moved from another policy may have done steps that this one lacks: most likely contacts.
        return all(step.contact for step in self.policy.steps if step.id == step_id)

    def _closed(self, first: date, last: date, *, holidays_only: bool = False) -> tuple[str, ...]:
        """Closed days from `first` up to the day before `last`, each with its reason."""
        days = (first + timedelta(days=passed) for passed in range((last - first).days))
        notes = ((day, self.calendar.why_closed(day)) for day in days)
        return tuple(
            f"{_shown(day)}: {note}"
            for day, note in notes
            if note and (not holidays_only or day in self.calendar.holidays)
        )


def _up_to_due(step: Step) -> bool:
    """Whether the step speaks of a due date still to come: it stays with that date, whatever has rested."""
    return step.days_after_due is not None and not step.chasing


def _is_late(plan: _Plan, step: Step, standing: Standing, calendar: BusinessCalendar, now: datetime) -> bool:
    start = plan.at
    if _up_to_due(step):
        opening = calendar.local_date(calendar.next_open(max(now, start)))
        if opening > calendar.next_business_day(standing.due_on):
            return True
    else:
        start = max(start, standing.awake_since or start)
    local = start.astimezone(calendar.zone)
    return now > calendar.at(calendar.add_business_days(local.date(), 1), local.time())


def _shown(day: date) -> str:
    """ "Sat 3 Jan": the same on every machine, whatever its locale."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
