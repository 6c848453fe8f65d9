"""Asks a person about a stranded case: its ladder has no step left while money is open."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.keys import TaskId, anew
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Access, TaskState
from dunwell.services import person_tasks
from dunwell.store import tasks


def ask(session: Session, case: Case, policy: Policy, calendar: BusinessCalendar, now: datetime) -> None:
    """Raise the question, and take it back while the case moves, rests or has ended.

    Call when `case` is planned and is stranded, or was by its former plan. What a person closed while nothing else
    happened is asked again after the ladder's `pause_days`.
    """
    task_id = str(TaskId.of(case.invoice_id, "left", f"{case.reopened}{anew(0, case.progress.round)}"))
    task = tasks.get(session, task_id)
    if not case.stranded:
        if task is not None and task.state == TaskState.OPEN:
            person_tasks.withdraw(session, case, [task], f"the case goes on: {case.stage.value}", now)
        return
    if tasks.open_tasks(session, case.invoice_id):
        return  # a person has it in hand
    closed = task is not None and task.state == TaskState.DONE
    due_at = calendar.next_open(now + timedelta(days=policy.pause_days)) if closed else now
    reason, step = _reason(case, policy), case.progress.steps[-1].step if case.progress.steps else ""
    if task is not None:
        person_tasks.reopen(session, case, task, reason, now, due_at)
    else:
        person_tasks.raise_task(session, case, task_id=task_id, step=step, reason=reason, now=now)


def _reason(case: Case, policy: Policy) -> str:
    floor = max((policy.least(step) for step in policy.steps), default=0)
    low = case.asked < floor
    why = f"less than the ladder's floor of {floor} is open" if low else "the ladder has no step left"
    held = f", access is {case.access.value}" if case.access is not Access.FULL else ""
    open_now = f"{case.asked} {case.currency} are open{held}"
    return f"{why}: {open_now}. Write the rest off, agree on a date or a plan, or talk with the customer"
