"""The ladder of a case: which of its steps are behind it, which comes next and when the others would come."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.ladder import StepDone, preview
from dunwell.domain.next_action import DATES, standing
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Late, Role
from dunwell.services.dependencies import Dependencies
from dunwell.views.names import Names


class Place(StrEnum):
    """Where a step stands."""

    DONE = "done"
    SKIPPED = "left out"
    NEXT = "next"
    COMING = "to come"
    DROPPED = "not needed"


@dataclass(frozen=True)
class LadderStep:
    """A step of the case's ladder.

    at    when it was done or left out; of one to come the earliest moment, if nobody pays or speaks
    why   of one to come: what decides that moment, and what keeps it from an earlier one
    does  what changes for the customer, such as restricted; None for a mere message
    """

    step: str
    place: Place
    at: datetime | None
    why: str
    message: str | None
    to: tuple[Role, ...]
    by: tuple[Channel, ...]
    does: str | None
    approval: bool


def ladder_of(session: Session, deps: Dependencies, case: Case, now: datetime) -> list[LadderStep]:
    """Return the steps of the case's ladder in their order. Raises LookupError when its version is not known."""
    policy = deps.policy(session, case.policy)
    coming = {} if case.ended else _coming(session, deps, case, policy, now)
    done = {one.step: one for one in case.progress.steps}
    return [_step(case, policy, step.id, done.get(step.id), coming.get(step.id)) for step in policy.steps]


def _coming(
    session: Session, deps: Dependencies, case: Case, policy: Policy, now: datetime
) -> dict[str, tuple[Place, datetime, str]]:
    """Where, when and why each step that is not behind the case comes, by its id."""
    action = case.next_action
    rests = action is not None and action.step in DATES
    begin = max(now, action.at) if action is not None and rests else now
    calendar = deps.case_calendar(session, case, now)
    found = {}
    for line in preview(policy, standing(case), calendar, begin):
        place, at, why = Place.COMING, line.at, line.why
        if line.do is Late.SKIP:
            place = Place.SKIPPED
        elif action is not None and action.step == line.step:
            place, at, why = Place.NEXT, action.at, Names(session, case.customer_id).within(action.why)
        if line.closed and place is not Place.SKIPPED:
            why = f"{why}; no contact on {', '.join(line.closed)}"
        found[line.step] = place, at, why
    return found


def _step(
    case: Case, policy: Policy, step_id: str, done: StepDone | None, coming: tuple[Place, datetime, str] | None
) -> LadderStep:
    step = policy.step(step_id)
    place, at, why = Place.DROPPED, None, "the case has ended" if case.ended else "not for this amount"
    if done is not None:
        place, at, why = (Place.DONE if done.outcome == "done" else Place.SKIPPED), done.at, ""
    elif coming is not None:
        place, at, why = coming
    return LadderStep(
        step=step.id,
        place=place,
        at=at,
        why=why,
        message=step.message,
        to=step.to,
        by=step.by,
        does=step.does,
        approval=step.approval,
    )
