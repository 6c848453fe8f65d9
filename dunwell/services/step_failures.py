"""Tasks about what a case cannot do: raised when it fails for good, withdrawn when it is done after all."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import PUBLISHING, Case
from dunwell.domain.outstanding import Stuck
from dunwell.domain.terms import TaskKind, TaskState
from dunwell.services import person_tasks
from dunwell.store import tasks

_PATIENCE = timedelta(days=1)
"""How long a provider may be unreachable before a person is asked about each step that waits for it."""

PLAN = "@plan"
"""What is stuck when not even the next step can be found."""


def ask(session: Session, case: Case, before: Mapping[str, Stuck], now: datetime) -> None:
    """Raise a task for each step that is stuck, and withdraw those of steps that were (`before`) and are no more."""
    for step, stuck in case.outstanding.stuck.items():
        if stuck.lasting or now - stuck.since >= _PATIENCE:
            _raise(session, case, step, stuck, now)
    for step in before.keys() - case.outstanding.stuck.keys():
        task = tasks.get(session, case.stuck_task(step))
        if task is not None and task.state == TaskState.OPEN:
            person_tasks.withdraw(session, case, [task], f"not stuck any more: the case is {case.stage.value}", now)


def _raise(session: Session, case: Case, step: str, stuck: Stuck, now: datetime) -> None:
    task_id = case.stuck_task(step)
    known = tasks.get(session, task_id)
    if known is not None and known.state == TaskState.OPEN:
        return
    reason = _reason(case, step, stuck)
    if known is not None:
        person_tasks.reopen(session, case, known, reason, now, now)
    else:
        kind = TaskKind.DECISION if step in {PLAN, PUBLISHING} else TaskKind.APPROVAL
        ask_a_person(session, case, task_id, reason, now, step=step, kind=kind)


def _reason(case: Case, step: str, stuck: Stuck) -> str:
    open_now = f"{case.asked} {case.currency} are open"
    if step == PLAN:
        return f"nobody knows what comes next: {stuck.why}. {open_now}. Mend it: the case looks again every day"
    if step == PUBLISHING:
        return (
            f"the product has not taken this account's change of access since {stuck.since:%Y-%m-%d %H:%M} UTC: "
            f"{stuck.why}. It is told again by itself; look whether it is well"
        )
    return (
        f"{step} cannot be carried out since {stuck.since:%Y-%m-%d %H:%M} UTC: {stuck.why}. {open_now}. It is tried "
        "again by itself; once this is mended, approved tries it again at once, and declined leaves it out"
    )


def ask_a_person(
    session: Session,
    case: Case,
    task_id: str,
    reason: str,
    now: datetime,
    *,
    step: str = "",
    kind: TaskKind = TaskKind.DECISION,
    outlives_case: bool = False,
) -> bool:
    """Add a task about this case, due now, once. False when it was raised before."""
    return person_tasks.raise_task(
        session,
        case,
        task_id=task_id[:200],
        step=step,
        reason=reason,
        now=now,
        kind=kind,
        outlives_case=outlives_case,
    )
