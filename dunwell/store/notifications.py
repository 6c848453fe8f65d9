"""What webhook subscribers are told, written down in the transaction in which it happens, and how far delivery is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.notifications import DeliveryState, Notification, TaskRaised, Topic, changes, next_try
from dunwell.store import subscriptions
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import InvoiceRow, NotificationRow, SubscriptionRow, TaskRow


def tell(session: Session, found: Callable[[], Iterable[Notification]]) -> None:
    """Write down what happened for each subscription that asks for it. `found` is called only if there are any.

    What happens in a rehearsal is told to subscriptions with an address on this machine only.
    """
    every = subscriptions.every(session)
    if not every:
        return
    rows = [
        _row(one, subscription, event_id)
        for one in found()
        for event_id in (f"evt_{uuid4().hex}",)
        for subscription in every
        if one.topic in subscription.topics and (subscription.rehearsals or not is_rehearsal(one.customer_id))
    ]
    add_all(session, NotificationRow, rows)


def tell_change(session: Session, before: Mapping[str, Any] | None, after: Case) -> None:
    """Write down what a newer copy of a case tells. `before` is the stored state."""
    tell(session, lambda: changes(Case.model_validate(before) if before is not None else None, after))


def tell_task(session: Session, task: TaskRow) -> None:
    """Write down that a person has something to do; nothing about an invoice that is not registered."""

    def raised() -> list[Notification]:
        invoice = session.get(InvoiceRow, task.invoice_id)
        if invoice is None:
            return []
        return [
            TaskRaised(
                customer_id=invoice.customer_id,
                invoice_id=task.invoice_id,
                task_id=task.task_id,
                kind=task.kind,
                step=task.step or None,
                due_at=task.due_at,
                amount=task.amount,
                currency=task.currency,
            )
        ]

    tell(session, raised)


def add_test(session: Session, subscription: SubscriptionRow) -> NotificationRow:
    """Write down a test for one subscription."""
    now = datetime.now(UTC)
    row = NotificationRow(
        subscription_id=subscription.subscription_id,
        event_id=f"evt_{uuid4().hex}",
        topic=Topic.TEST,
        body={},
        at=now,
        since=now,
        state=DeliveryState.PENDING,
        attempts=0,
    )
    session.add(row)
    session.flush()
    return row


def _row(one: Notification, subscription: SubscriptionRow, event_id: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "subscription_id": subscription.subscription_id,
        "event_id": event_id,
        "topic": one.topic,
        "customer_id": one.customer_id,
        "invoice_id": one.invoice_id,
        "body": one.model_dump(mode="json"),
        "at": now,
        "since": now,
        "state": DeliveryState.PENDING,
    }


# Delivery ------------------------------------------------------------------------------------------------


def _is_due(now: datetime) -> Any:
    due = or_(NotificationRow.next_at.is_(None), NotificationRow.next_at <= now)
    return and_(NotificationRow.state == DeliveryState.PENDING, due)


def with_due(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the subscriptions for which something is due."""
    return session.scalars(select(NotificationRow.subscription_id).where(_is_due(now)).distinct()).all()


def due(session: Session, subscription_id: str, now: datetime, most: int) -> Sequence[NotificationRow]:
    """Return what is due for a subscription, oldest first, at most `most`."""
    query = select(NotificationRow).where(NotificationRow.subscription_id == subscription_id, _is_due(now))
    return session.scalars(query.order_by(NotificationRow.delivery_id).limit(most)).all()


def take(session: Session, delivery_id: int, now: datetime, until: datetime) -> NotificationRow | None:
    """Take one for an attempt, so that no other process makes it before `until`. None when it is not due any more."""
    query = select(NotificationRow).where(NotificationRow.delivery_id == delivery_id, _is_due(now))
    row = session.scalars(query.with_for_update()).first()
    if row is not None:
        row.next_at = until
        session.flush()
    return row


def settle(
    session: Session, delivery_id: int, *, delivered: bool, answer: str, now: datetime
) -> NotificationRow | None:
    """Note what came of an attempt, and when the next one is. A test is not repeated.

    Returns the row; None when its subscription was removed meanwhile.
    """
    row = session.get(NotificationRow, delivery_id)
    if row is None:
        return None
    row.attempts += 1
    row.answer = answer
    row.next_at = None if delivered or row.topic is Topic.TEST else next_try(row.since, row.attempts, now)
    if row.next_at is None:
        row.state, row.settled_at = DeliveryState.DELIVERED if delivered else DeliveryState.FAILED, now
    session.flush()
    return row


def resend_failed(session: Session, subscription_id: str, now: datetime) -> int:
    """Make all that failed for a subscription pending again, for another three days. Returns how many those are."""
    failed = _failed().where(NotificationRow.subscription_id == subscription_id)
    rows = session.scalars(failed).all()
    for row in rows:
        row.state, row.since, row.attempts, row.next_at, row.settled_at = DeliveryState.PENDING, now, 0, None, None
    session.flush()
    return len(rows)


def failed_by_subscription(session: Session) -> Sequence[tuple[SubscriptionRow, int, str, datetime]]:
    """Return each subscription for which something failed: how much, and invoice and time of the first."""
    found: dict[str, list[NotificationRow]] = {}
    for row in session.scalars(_failed()):
        found.setdefault(row.subscription_id, []).append(row)
    every = {row.subscription_id: row for row in subscriptions.every(session)}
    return [(every[name], len(rows), rows[0].invoice_id or "", rows[0].at) for name, rows in sorted(found.items())]


def _failed() -> Any:
    return (
        select(NotificationRow)
        .where(NotificationRow.state == DeliveryState.FAILED, NotificationRow.topic != Topic.TEST)
        .order_by(NotificationRow.delivery_id)
    )


def listed(
    session: Session, subscription_id: str | None, state: DeliveryState | None, most: int
) -> Sequence[NotificationRow]:
    """Return the latest notifications, or those of one subscription or in one state, newest first."""
    query = select(NotificationRow).order_by(NotificationRow.delivery_id.desc()).limit(most)
    if subscription_id is not None:
        query = query.where(NotificationRow.subscription_id == subscription_id)
    if state is not None:
        query = query.where(NotificationRow.state == state)
    return session.scalars(query).all()


def pending_of(session: Session) -> dict[str, int]:
    """Return how many notifications are pending, by subscription."""
    query = select(NotificationRow.subscription_id, func.count()).where(
        NotificationRow.state == DeliveryState.PENDING
    )
    counted = session.execute(query.group_by(NotificationRow.subscription_id))
    return {name: count for name, count in counted}  # noqa: C416 - a row is no pair for the type checker


def forget(session: Session, before: datetime) -> None:
    """Delete what was delivered or given up before that time."""
    session.execute(delete(NotificationRow).where(NotificationRow.settled_at < before))
