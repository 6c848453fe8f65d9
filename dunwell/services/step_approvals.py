"""Who asks for the approval of a step: the ladder, and whoever moved the case to the version that asks."""

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.principals import Principal
from dunwell.domain.terms import TaskKind
from dunwell.services.users import check_not_own
from dunwell.store import audit, cases, tasks
from dunwell.store.tables import TaskRow

_MOVED = "policy_moved"


def requester(session: Session, task: TaskRow, case: Case) -> str | None:
    """Return the id of who moved the case to the ladder's version whose step waits; None: nobody moved it.

    None also for a task that asks for no approval of a step.
    """
    if task.kind is not TaskKind.APPROVAL or task.task_id != case.approval_task(task.step):
        return None
    moves = audit.read(session, about=f"invoice/{case.invoice_id}", action=_MOVED, latest_first=True, limit=1)
    last = next(iter(moves), None)
    return last.principal if last is not None and last.details.get("to_version") == case.policy.version else None


def check_decision(session: Session, task_id: str, outcome: str, by: Principal) -> None:
    """Raise NotAllowed for somebody who approves what they asked for, unless the house allows that."""
    task = tasks.get(session, task_id) if outcome == "approved" else None
    case = cases.get(session, task.invoice_id) if task is not None else None
    if task is None or case is None:
        return
    asked = f"You moved this case to version {case.policy.version} of its ladder, whose step this is."
    check_not_own(session, requester(session, task, case), by, asked)
