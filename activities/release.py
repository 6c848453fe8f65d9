"""Gives an account back: the holds of a case that ended otherwise than by being handed over (G7)."""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.case import Case
from domain.timeline import Entry
from store import accounts, timeline


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
