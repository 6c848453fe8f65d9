"""Requests that carry an idempotency key, and the answers given to them.

Call inside a transaction that holds the customer's lock.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from dunwell.store.tables import RequestRow

KEPT = timedelta(days=30)
"""How long a key is stored, counted from its first use."""


def get(session: Session, principal: str, invoice_id: str, key: str) -> RequestRow | None:
    return session.get(RequestRow, (principal, invoice_id, key))


def is_taken(session: Session, principal: str, key: str) -> bool:
    """Whether a case has applied an event that this principal sent with this key, whichever case it is."""
    query = select(RequestRow.request_id).where(
        RequestRow.principal == principal, RequestRow.key == key, RequestRow.taken_at.is_not(None)
    )
    return session.scalars(query.limit(1)).first() is not None


def is_on_its_way(session: Session, principal: str, key: str, since: datetime) -> bool:
    """Whether an event that this principal first sent with this key since then has no answer, and may be applied."""
    query = select(RequestRow.request_id).where(
        RequestRow.principal == principal,
        RequestRow.key == key,
        RequestRow.taken_at.is_(None),
        RequestRow.answer.is_(None),
        RequestRow.first_at >= since,
    )
    return session.scalars(query.limit(1)).first() is not None


def add(session: Session, row: RequestRow) -> None:
    session.add(row)
    session.flush()


def remove(session: Session, row: RequestRow) -> None:
    session.delete(row)
    session.flush()


def answered(session: Session, request_id: str, answer: dict[str, Any] | None) -> None:
    """End the lease of a request and store its answer, if there is one, for repetitions of the request."""
    row = session.scalars(select(RequestRow).where(RequestRow.request_id == request_id)).first()
    if row is not None:
        row.leased_until, row.answer = None, answer
        session.flush()


def renew(session: Session, request_id: str, until: datetime) -> None:
    """Extend the lease of a request whose process still waits. Changes nothing once it was answered."""
    waiting = update(RequestRow).where(RequestRow.request_id == request_id, RequestRow.leased_until.is_not(None))
    session.execute(waiting.values(leased_until=until))


def mark_taken(session: Session, request_id: str, now: datetime) -> None:
    """Record that the case has applied the event of this request. Does nothing for a request without a key."""
    session.execute(update(RequestRow).where(RequestRow.request_id == request_id).values(taken_at=now))


def forget(session: Session, before: datetime) -> None:
    """Delete the requests first made before that time. Their keys may then be used again."""
    session.execute(delete(RequestRow).where(RequestRow.first_at < before))


def count_since(session: Session, principal: str, invoice_id: str, since: datetime) -> int:
    """Return how many requests about an invoice a principal has made since then."""
    query = (
        select(func.count())
        .select_from(RequestRow)
        .where(RequestRow.principal == principal, RequestRow.invoice_id == invoice_id, RequestRow.first_at > since)
    )
    return session.scalar(query) or 0
