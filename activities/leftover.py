"""A case whose ladder has nothing left to do while money is open: a person is asked, so that it is not forgotten."""

from datetime import datetime

from sqlalchemy.orm import Session

from activities import worklist
from domain.case import Case
from domain.policy import Policy
from domain.terms import Access
from store import tasks


def ask(session: Session, case: Case, policy: Policy, now: datetime) -> None:
    """Raise the question, and take it back while the case moves, rests or has ended.

    Call when `case` is planned and is stranded, or was by its former plan. What a person closed is not asked again.
    """
    task_id = f"{case.invoice_id}.left.{case.reopened}"
    task = tasks.get(session, task_id)
    if not case.stranded:
        if task is not None and task.state == "open":
            worklist.withdraw(session, case, [task], f"the case goes on: {case.stage.value}", now)
        return
    if (task is not None and task.state == "done") or tasks.open_tasks(session, case.invoice_id):
        return  # a person has it in hand
    reason, step = _reason(case, policy), case.steps[-1].step if case.steps else ""
    if task is not None:
        worklist.reopen(session, case, task, reason, now, now)
    else:
        worklist.raise_task(session, case, task_id=task_id, step=step, reason=reason, now=now)


def _reason(case: Case, policy: Policy) -> str:
    low = policy.floor is not None and case.asked < policy.floor
    why = f"less than the ladder's floor of {policy.floor} is open" if low else "the ladder has no step left"
    held = f", access is {case.access.value}" if case.access is not Access.FULL else ""
    open_now = f"{case.asked} {case.currency} are open{held}"
    return f"{why}: {open_now}. Write the rest off, agree on a date or a plan, or talk with the customer."
