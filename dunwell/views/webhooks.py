"""Webhook subscriptions and their deliveries as people read them. Secrets are not among them."""

from sqlalchemy.orm import Session

from dunwell.domain.notifications import DeliveryState
from dunwell.services.webhook_subscriptions import find
from dunwell.store import notifications, subscriptions
from dunwell.views.facts import Facts
from dunwell.views.names import user_name

MOST = 200


def subscribed(session: Session) -> list[Facts]:
    """Every subscription, oldest first, with how many notifications are pending and failed."""
    pending = notifications.pending_of(session)
    failed = {row.subscription_id: count for row, count, _, _ in notifications.failed_by_subscription(session)}
    return [
        {
            "subscription_id": row.subscription_id,
            "url": row.url,
            "events": row.topics,
            "by": user_name(session, row.by),
            "since": row.at,
            "pending": pending.get(row.subscription_id, 0),
            "failed": failed.get(row.subscription_id, 0),
        }
        for row in subscriptions.every(session)
    ]


def deliveries(session: Session, subscription_id: str | None, state: DeliveryState | None) -> list[Facts]:
    """The latest 200 deliveries, newest first. Raises Refused when there is no such subscription."""
    if subscription_id is not None:
        find(session, subscription_id)
    return [
        {
            "delivery_id": row.delivery_id,
            "subscription_id": row.subscription_id,
            "event_id": row.event_id,
            "event": row.topic,
            "invoice_id": row.invoice_id,
            "at": row.at,
            "state": row.state,
            "attempts": row.attempts,
            "answer": row.answer,
            "next_at": row.next_at,
            "settled_at": row.settled_at,
        }
        for row in notifications.listed(session, subscription_id, state, MOST)
    ]
