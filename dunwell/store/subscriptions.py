"""Webhook subscriptions: who is told of what."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dunwell.store.tables import NotificationRow, SubscriptionRow

_ALL = select(SubscriptionRow).order_by(SubscriptionRow.at, SubscriptionRow.subscription_id)


def add(session: Session, row: SubscriptionRow) -> None:
    session.add(row)
    session.flush()


def get(session: Session, subscription_id: str) -> SubscriptionRow | None:
    return session.get(SubscriptionRow, subscription_id)


def every(session: Session) -> Sequence[SubscriptionRow]:
    """Return all subscriptions, oldest first."""
    return session.scalars(_ALL).all()


def remove(session: Session, row: SubscriptionRow) -> None:
    """Delete the subscription with all that it was told or was to be told."""
    session.execute(delete(NotificationRow).where(NotificationRow.subscription_id == row.subscription_id))
    session.delete(row)
    session.flush()
