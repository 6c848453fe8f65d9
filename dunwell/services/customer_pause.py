"""Customers who rest as a whole: the question that a person gets when nobody said until when."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.keys import TaskId
from dunwell.domain.policy import Policy
from dunwell.domain.terms import TaskState
from dunwell.services import person_tasks
from dunwell.store import cases, tasks
from dunwell.store.tables import CustomerPauseRow


def ask(session: Session, case: Case, pause: CustomerPauseRow, policy: Policy) -> None:
    """Once for the customer, whichever of their invoices it stands at, after as many days as its ladder says."""
    if pause.until is not None:
        return
    customer_id = pause.customer_id
    reason = (
        f"customer {customer_id} rests as a whole since {pause.since:%Y-%m-%d} ({pause.reason}, by {pause.by}) and "
        f"nobody said until when. Go on with starter.py resume --customer {customer_id}, or say a day with "
        f"starter.py pause --customer {customer_id} --reason {pause.reason} --until DAY"
    )
    person_tasks.raise_task(
        session,
        case,
        task_id=_task_id(pause),
        step="",
        reason=reason,
        now=pause.since,
        due_at=pause.since + timedelta(days=policy.pause_days),
        outlives_case=True,
    )


def answer(session: Session, pause: CustomerPauseRow, why: str, now: datetime) -> None:
    """The customer goes on, or has a day now: nobody has to ask any more."""
    task = tasks.get(session, _task_id(pause))
    case = cases.get(session, task.invoice_id) if task is not None else None
    if task is not None and case is not None and task.state == TaskState.OPEN:
        person_tasks.withdraw(session, case, [task], why, now)


def _task_id(pause: CustomerPauseRow) -> str:
    return str(TaskId.of(pause.customer_id, "rests", f"{pause.since:%Y%m%d%H%M%S}"))
