"""Pauses of whole customers. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.store.tables import CustomerPauseRow


def get(session: Session, customer_id: str) -> CustomerPauseRow | None:
    """Return the customer's pause, even one whose end has passed; None when there is none."""
    return session.get(CustomerPauseRow, customer_id)


def of(session: Session, customer_ids: Collection[str]) -> dict[str, CustomerPauseRow]:
    """Return the pauses of these customers, by customer. Customers without one are left out."""
    rows = session.scalars(select(CustomerPauseRow).where(CustomerPauseRow.customer_id.in_(customer_ids)))
    return {row.customer_id: row for row in rows}


def in_force(session: Session, customer_id: str, today: date) -> CustomerPauseRow | None:
    """Return the customer's pause if it is in force on that day. It ends at the start of the day `until`."""
    row = get(session, customer_id)
    return None if row is None or (row.until is not None and row.until <= today) else row


def put(
    session: Session, customer_id: str, *, reason: str, by: str, until: date | None, now: datetime
) -> CustomerPauseRow:
    """Pause a customer, in place of an earlier pause."""
    row = session.merge(CustomerPauseRow(customer_id=customer_id, reason=reason, by=by, until=until, since=now))
    session.flush()
    return row


def end(session: Session, customer_id: str) -> bool:
    """End the customer's pause. Returns False when there is none."""
    row = session.get(CustomerPauseRow, customer_id)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True
