"""Grace: what an invoice restricts is open again for some days, and restricted again on a day that was named.

The warnings that the restriction needed stay good for its return; that they arrived is looked at once more.
"""

from datetime import date, datetime, timedelta

from dunwell.domain import events as ev
from dunwell.domain.agreements import Grace
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.keys import StepId
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said, StepOutcome

GRACE_OVER = str(StepId(name="grace", agreed=True))
"""The step that restricts again."""


def granted(case: CaseState, event: ev.GraceGranted, now: datetime) -> list[Said]:
    agreements, rules, today = case.agreements, case.rules.grace, case.today(now)
    running = agreements.grace
    if running is not None and running.until == event.until:
        return []
    _check_possible(case)
    if event.until <= today:
        raise Refused("until", "must lie after today")
    if event.until > today + timedelta(days=rules.days):
        raise Refused("until", f"is too far off; the policy grants at most {rules.days} days")
    agreements.graces += 1
    agreements.grace = Grace(
        number=agreements.graces,
        until=event.until,
        by=event.by,
        since=now,
        answer=case.outstanding.replace(case.rules.reactions.grace_granted),
    )
    which = f"{agreements.graces} of {rules.times}"
    text = f"granted by {event.by} ({which}): what this invoice restricts is open until {event.until}"
    return [Said("grace", f"{text}; then it is restricted again unless it is paid")]


def _check_possible(case: CaseState) -> None:
    """Raises Refused when no grace can be granted, whatever its day."""
    agreements, rules = case.agreements, case.rules.grace
    if agreements.grace is not None:
        raise Refused("stage", f"grace runs already, until {agreements.grace.until}")
    if case.ended is not None or not case.reduces_access:
        raise Refused("stage", "this invoice restricts nothing, so there is nothing to lift")
    if rules.times == 0:
        raise Refused("grace", "the policy grants none")
    if agreements.graces >= rules.times:
        raise Refused("grace", f"this would be grace {agreements.graces + 1}; the policy grants {rules.times}")


def is_possible(case: CaseState) -> bool:
    """Whether grace can be granted now."""
    try:
        _check_possible(case)
    except Refused:
        return False
    return True


def latest_day(case: CaseState, now: datetime) -> date | None:
    """The latest day until which grace can be granted now; None when none can."""
    return case.today(now) + timedelta(days=case.rules.grace.days) if is_possible(case) else None


def returns_on(grace: Grace, calendar: BusinessCalendar, now: datetime) -> date:
    """The day on which it is restricted again: `until`, and a business day after it was confirmed or may come again.

    now: when the message that names the day is written, if it was not sent yet.
    """
    told = [grace.confirmed_at or now, *([grace.free_at] if grace.free_at is not None else [])]
    after = [calendar.add_business_days(calendar.local_date(moment), 1) for moment in told]
    return calendar.next_business_day(max(grace.until, *after))


def confirmed(case: CaseState, step: str, at: datetime) -> None:
    """Note when the message that names the day was sent."""
    grace = case.agreements.grace
    if grace is not None and grace.answer == step:
        grace.confirmed_at = at


def note_rest(case: CaseState, rested_beside: bool, now: datetime) -> None:
    """Call after a change, with whether the ladder stood still before it for another reason than grace."""
    grace = case.agreements.grace
    if grace is not None and rested_beside and not case.rests_beside_grace:
        grace.free_at = now


def over(case: CaseState, outcome: StepOutcome) -> list[Said]:
    """It is restricted again."""
    grace, rested = case.agreements.grace, case.resting
    if grace is None:
        return []  # money or another due date came meanwhile, and the hold went with it
    case.agreements.grace = None
    if outcome.returned is not None:
        case.progress.returned[outcome.returned] = grace.number
    case.note_rest(rested, outcome.at)
    return [Said("grace", f"the grace until {grace.until} is over and the money did not come: restricted again")]


def left_out(case: CaseState, outcome: StepOutcome) -> list[Said]:
    """Too little is open by now to restrict anything for it."""
    grace, rested = case.agreements.grace, case.resting
    if grace is None:
        return []
    withdrawn(case)
    case.note_rest(rested, outcome.at)
    return [
        Said("grace", f"the grace until {grace.until} is over, and too little is open to restrict anything again")
    ]


def withdrawn(case: CaseState) -> None:
    """The restriction does not return by itself: it needs another announcement."""
    case.reopened += 1
    case.undo_consequences()
