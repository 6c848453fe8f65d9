"""Handles outcomes that no running case needs: of closed tasks, and of tasks of cases that have ended."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dunwell.client.answers import TellOutcome, TellResult
from dunwell.domain.events import CallOutcome, parse_event
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TaskState
from dunwell.services import person_tasks, told
from dunwell.store import cases, tasks
from dunwell.store.database import Database
from dunwell.views.case_status import stored_status


def answer_if_closed(database: Database, invoice_id: str, task_id: str, outcome: str) -> TellResult | None:
    """The answer when nothing is left to do about a task; None when the case has to get the outcome.

    The outcome of a conversation counts for a running case even if the call itself had been withdrawn.
    """
    with database.reading() as session:
        task, case = tasks.get(session, task_id), cases.get(session, invoice_id)
    if task is None or task.invoice_id != invoice_id or task.state == TaskState.OPEN:
        return None
    if case is not None and not case.ended and outcome != "done":
        return None
    what = "was withdrawn" if task.state == TaskState.WITHDRAWN else "is closed already"
    remark = f"nothing is left to do: task {task_id} {what} ({task.outcome})"
    return TellResult(TellOutcome.DONE, stored_status(database, invoice_id), remark)


def close_task(database: Database, invoice_id: str, payload: Mapping[str, Any], request_id: str) -> TellResult:
    """Close a task that outlived its case. Raises Refused for an outcome that needs a running case."""
    event = parse_event("call_outcome", [dict(payload)])
    assert isinstance(event, CallOutcome)
    with database.reading() as session:
        row = cases.get_row(session, invoice_id)
    if row is None:
        raise why_not_running(database, invoice_id)
    now = row.updated_at if row.rehearsal else datetime.now(UTC)
    with database.writing(row.customer_id) as session:
        task, case = tasks.get(session, event.task_id), cases.get(session, invoice_id)
        if case is None or not case.ended:
            raise why_not_running(database, invoice_id)
        if task is None or task.invoice_id != invoice_id:
            raise Refused("task_id", "is no task of this case; `starter.py tasks` shows those that are open")
        if event.outcome != "done":
            raise Refused("outcome", f"the case has ended ({case.ended.value}): close its task with done")
        person_tasks.close(session, case, task, event.by, now)
        told.write_entry(session, invoice_id, "call_outcome", payload, datetime.now(UTC), request_id=request_id)
    return TellResult(TellOutcome.DONE, stored_status(database, invoice_id))


def why_not_running(database: Database, invoice_id: str) -> Refused:
    """The refusal of an event for a case that has no running workflow."""
    with database.reading() as session:
        case = cases.get(session, invoice_id)
    if case is not None and case.ended:
        return Refused("stage", f"the case has ended ({case.ended.value}); only payments still count")
    return Refused(
        "invoice_id",
        "its case has no run in Temporal: start its file again, or, if it was terminated there, "
        "`starter.py reconcile --apply` begins it again",
    )
