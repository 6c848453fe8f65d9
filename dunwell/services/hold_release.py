"""Releases the holds of a case that may reduce no access any more (G7).

It has ended otherwise than by being handed over, is not due for now, is paid but for what is in dispute, or grace was
granted.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.terms import Level
from dunwell.domain.timeline import Entry
from dunwell.services import person_tasks
from dunwell.store import accounts, tasks, timeline

_ACCESS = (Level.RESTRICTED, Level.SUSPENDED)
"""What reduces access; staged work waits on until the invoice is paid."""


def free_account(session: Session, case: Case, now: datetime) -> None:
    """Release what this invoice may not hold any more; repeating it changes nothing."""
    if case.frees_account:
        reason = f"invoice {case.invoice_id} is {case.stage.value}"
        _release(session, case, reason, now, tuple(Level), f"release.{case.reopened}.{case.ended}")
    elif case.agreements.grace is not None:
        grace = case.agreements.grace
        reason = f"grace was granted for invoice {case.invoice_id} until {grace.until}"
        _release(session, case, reason, now, _ACCESS, f"release.grace{grace.number}")
    elif case.gives_access_back:
        reason = f"invoice {case.invoice_id} is paid but for what is in dispute"
        _release(session, case, reason, now, _ACCESS, f"release.{case.reopened}.disputed")


def begin_anew(session: Session, case: Case, now: datetime) -> None:
    """Nothing is due for now: release what this invoice took away, and withdraw the tasks about its old due date.

    Staged work waits on until the invoice is paid. What the debtor asked for is still done.
    """
    reason = f"invoice {case.invoice_id} is due on {case.due_on} now"
    _release(session, case, reason, now, _ACCESS, f"release.round{case.progress.round}")
    old = [
        task
        for task in tasks.open_tasks(session, case.invoice_id)
        if task.step and not task.requested and not task.outlives_case
    ]
    person_tasks.withdraw(session, case, old, reason, now)


def _release(session: Session, case: Case, reason: str, now: datetime, levels: Collection[Level], key: str) -> None:
    released = accounts.release_holds(session, case.customer_id, case.invoice_id, reason, now, levels)
    if released:
        left = accounts.access(session, case.customer_id).value
        text = f"hold released ({', '.join(released)}): {reason}; the account's access is now {left}"
        timeline.write(session, case.invoice_id, [Entry(key=key, at=now, kind="access", reason=text)])
