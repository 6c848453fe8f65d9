"""Pauses a case whose run was cancelled or terminated, and asks a person whether it ends or goes on."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.keys import TaskId
from dunwell.domain.timeline import entries_of
from dunwell.services import person_tasks
from dunwell.services.dependencies import Dependencies
from dunwell.services.handed_case import handed_case
from dunwell.services.planning import plan
from dunwell.services.request_models import CaseRequest
from dunwell.store import accounts, cases, tasks, timeline
from dunwell.store.database import Database


def rest(
    session: Session, deps: Dependencies, case: Case, reason: str, why: str, now: datetime, *, rehearsal: bool
) -> None:
    """Let the case rest in the database until a person resumes or ends it, and raise the task that asks which.

    reason: a short code. why: a sentence. A case that rests for such a reason already stays as it is.
    """
    said = case.interrupt(reason, now)
    if said:
        timeline.write(session, case.invoice_id, entries_of(said, f"interrupted.{case.turns}", now))
        ask(session, case, why, now)
    policy, calendar = deps.policy(session, case.policy), deps.case_calendar(session, case, now)
    plan(case, policy, calendar, accounts.open_holds(session, case.customer_id), now)
    cases.put(session, case, rehearsal=rehearsal, now=now)


def ask_for_run(database: Database, request: CaseRequest, why: str, now: datetime) -> None:
    """Raise the task about the case of a run that was interrupted, unless it has ended or goes on already.

    Raises OtherRun and OtherCopy.
    """
    with database.writing(request.customer_id) as session:
        case, stored = handed_case(session, request), cases.get(session, request.invoice_id)
        pause = stored.agreements.pause if stored is not None and stored.ended is None else None
        if pause is not None and pause.interrupted:
            ask(session, case, why, now)


def ask(session: Session, case: Case, why: str, now: datetime) -> None:
    """Raise the task about a case that rests since it was interrupted, once for each interruption."""
    former = case.agreements.pause.former if case.agreements.pause else None
    before = f"; it was paused before, until {former.until or 'somebody resumes'}" if former else ""
    reason = (
        f"{why}{before}. The case rests: end it, or go on? {case.asked} {case.currency} are open. Go on: starter.py "
        f"resume {case.invoice_id}; end it: starter.py cancel {case.invoice_id} --reason CODE, or "
        f"starter.py write-off {case.invoice_id} --reason CODE"
    )
    task_id = str(TaskId.of(case.invoice_id, "interrupted", case.turns))
    person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now)


def settle(session: Session, case: Case, now: datetime) -> None:
    """Withdraw the question of a case that goes on."""
    known = tasks.open_tasks(session, case.invoice_id)
    asked = [task for task in known if TaskId.parse(task.task_id).is_of(case.invoice_id, "interrupted")]
    person_tasks.withdraw(session, case, asked, f"the case goes on: {case.stage.value}", now)
