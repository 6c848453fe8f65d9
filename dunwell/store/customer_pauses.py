"""Customers who rest as a whole. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.store.tables import CustomerPauseRow


def get(session: Session, customer_id: str) -> CustomerPauseRow | None:
    """The customer's pause, also one whose day has come."""
    return session.get(CustomerPauseRow, customer_id)


def of(session: Session, customer_ids: Collection[str]) -> dict[str, CustomerPauseRow]:
    """The pauses of those of these customers who have one, by customer."""
    rows = session.scalars(select(CustomerPauseRow).where(CustomerPauseRow.customer_id.in_(customer_ids)))
    return {row.customer_id: row for row in rows}


def in_force(session: Session, customer_id: str, today: date) -> CustomerPauseRow | None:
    """The customer's pause on that day. It ends at the start of the day until which it was agreed."""
    row = get(session, customer_id)
    return None if row is None or (row.until is not None and row.until <= today) else row


def put(session: Session, customer_id: str, *, reason: str, by: str, until: date | None, now: datetime) -> None:
    """Let a customer rest, or go on resting by other words."""
    session.merge(CustomerPauseRow(customer_id=customer_id, reason=reason, by=by, until=until, since=now))
    session.flush()


def end(session: Session, customer_id: str) -> bool:
    """False when the customer does not rest."""
    row = session.get(CustomerPauseRow, customer_id)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True
