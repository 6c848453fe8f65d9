"""Escalates calls, visits and meetings that nobody made: a mark on the task and a line in the timeline."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.terms import TaskState
from dunwell.domain.timeline import Entry
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import each_alone
from dunwell.store import cases, tasks, timeline

_HOUR = timedelta(hours=1)
_AT_ONCE = 200


def escalate(deps: Dependencies, attempt: Attempt) -> None:
    """Mark what is late by more open hours than its ladder allows, the longest overdue first. Safe to repeat."""
    now = attempt.now
    with deps.database.reading() as session:
        late = [(task.task_id, kept.customer_id) for task, kept in tasks.overdue(session, now - _HOUR, _AT_ONCE)]
    for task_id, customer_id in late:
        with each_alone("task", task_id, attempt), deps.database.writing(customer_id) as session:
            _tell_manager(session, deps, task_id, now)


def _tell_manager(session: Session, deps: Dependencies, task_id: str, now: datetime) -> None:
    task = tasks.get(session, task_id)
    case = cases.get(session, task.invoice_id) if task else None
    if task is None or case is None or task.state != TaskState.OPEN or task.escalated_at is not None:
        return
    waited = deps.case_calendar(session, case, now).open_time(task.due_at, now)
    if waited <= timedelta(hours=deps.policy(session, case.policy).calls.escalate_after_hours):
        return
    task.escalated_at = now
    whom = f" {task.contact_id}" if task.contact_id else ""
    late = f"{waited // _HOUR} open hours late"
    reason = f"escalated: {task.kind}{whom} for {task.step}, due {task.due_at:%Y-%m-%d %H:%M} UTC, is {late}"
    key = f"escalated.{task_id}"[:300]
    entry = Entry(key=key, at=now, kind="escalated", step=task.step, reason=reason, ref=task_id)
    timeline.write(session, case.invoice_id, [entry])
