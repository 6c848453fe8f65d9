"""Releases the holds of a case that has ended, except by being handed over, or that is not due any more (G7)."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.terms import Level
from dunwell.domain.timeline import Entry
from dunwell.services import person_tasks
from dunwell.store import accounts, tasks, timeline


def free_account(session: Session, case: Case, now: datetime) -> None:
    """Release what this invoice holds, if its case is over; repeating it changes nothing."""
    if not case.frees_account:
        return
    reason = f"invoice {case.invoice_id} is {case.stage.value}"
    released = accounts.release_holds(session, case.customer_id, case.invoice_id, reason, now)
    if released:
        left = accounts.access(session, case.customer_id).value
        text = f"hold released ({', '.join(released)}): {reason}; the account's access is now {left}"
        entry = Entry(key=f"release.{case.reopened}.{case.ended}", at=now, kind="access", reason=text)
        timeline.write(session, case.invoice_id, [entry])


def begin_anew(session: Session, case: Case, now: datetime) -> None:
    """Nothing is due for now: release what this invoice took away, and withdraw the tasks about its old due date.

    Staged work waits on until the invoice is paid. What the debtor asked for is still done.
    """
    reason = f"invoice {case.invoice_id} is due on {case.due_on} now"
    released = accounts.release_holds(
        session, case.customer_id, case.invoice_id, reason, now, (Level.RESTRICTED, Level.SUSPENDED)
    )
    if released:
        left = accounts.access(session, case.customer_id).value
        text = f"hold released ({', '.join(released)}): {reason}; the account's access is now {left}"
        entry = Entry(key=f"release.round{case.progress.round}", at=now, kind="access", reason=text)
        timeline.write(session, case.invoice_id, [entry])
    old = [
        task
        for task in tasks.open_tasks(session, case.invoice_id)
        if task.step and not task.requested and not task.outlives_case
    ]
    person_tasks.withdraw(session, case, old, reason, now)
