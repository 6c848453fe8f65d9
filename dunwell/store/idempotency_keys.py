"""Requests with an idempotency key, and their answers. Call inside a transaction that holds the customer's lock."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dunwell.store.tables import RequestRow

KEPT = timedelta(days=30)
"""How long a key is remembered, from its first use."""


def get(session: Session, principal: str, invoice_id: str, key: str) -> RequestRow | None:
    return session.get(RequestRow, (principal, invoice_id, key))


def add(session: Session, row: RequestRow) -> None:
    session.add(row)
    session.flush()


def remove(session: Session, row: RequestRow) -> None:
    session.delete(row)
    session.flush()


def answered(session: Session, request_id: str, answer: dict[str, Any] | None) -> None:
    """Nobody waits any more; with an `answer`, this is what a repetition gets from now on."""
    row = session.scalars(select(RequestRow).where(RequestRow.request_id == request_id)).first()
    if row is not None:
        row.leased_until, row.answer = None, answer
        session.flush()


def renew(session: Session, request_id: str, until: datetime) -> None:
    """Its process still waits for the answer. Changes nothing once it has been answered."""
    waiting = update(RequestRow).where(RequestRow.request_id == request_id, RequestRow.leased_until.is_not(None))
    session.execute(waiting.values(leased_until=until))


def mark_taken(session: Session, request_id: str, now: datetime) -> None:
    """The case has written down what this request says. Harmless when the request carried no key."""
    session.execute(update(RequestRow).where(RequestRow.request_id == request_id).values(taken_at=now))


def forget(session: Session, before: datetime) -> None:
    """Remove the requests first made before that time: their keys are new ones again."""
    session.execute(delete(RequestRow).where(RequestRow.first_at < before))
