"""Delivers what webhook subscribers are told: at least once, the oldest first, for three days."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dunwell.domain.notifications import DeliveryState
from dunwell.gateways.signed_post import Unreachable
from dunwell.services.dependencies import Dependencies
from dunwell.services.loop import attempt, repeat
from dunwell.store import notifications, subscriptions
from dunwell.store.tables import NotificationRow, SubscriptionRow

EVERY = 5.0
"""Seconds between two looks for what is due."""

_LEASE = timedelta(minutes=2)
"""For how long an attempt belongs to one process; longer than any attempt takes."""
_TOGETHER = 50
_WHAT = "webhooks"

_log = logging.getLogger("dunwell.services")


class WebhookDelivery:
    """Several processes may deliver at once: each attempt belongs to one of them."""

    def __init__(self, deps: Dependencies, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._post, self._clock = deps.database, deps.webhook_post, clock
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver until cancelled. Subscriptions are served beside one another, so that none waits for a slow one."""
        await repeat(self._begin_due, EVERY, _WHAT, _log)

    async def _begin_due(self) -> None:
        for name in await asyncio.to_thread(self._with_due):
            if name not in self._busy:
                self._busy[name] = asyncio.create_task(self._serve(name))

    async def _serve(self, subscription_id: str) -> None:
        try:
            await attempt(asyncio.to_thread(self.deliver, subscription_id), _WHAT, _log)
        finally:
            del self._busy[subscription_id]

    def _with_due(self) -> list[str]:
        with self._database.reading() as session:
            return list(notifications.with_due(session, self._clock()))

    def deliver_all(self) -> None:
        """Deliver what is due, for one subscription after the other."""
        for name in self._with_due():
            self.deliver(name)

    def deliver(self, subscription_id: str) -> None:
        """Deliver what is due for one subscription, the oldest first.

        After an attempt that failed the others wait for the next look: the receiver is most likely away.
        """
        with self._database.reading() as session:
            subscription = subscriptions.get(session, subscription_id)
            found = notifications.due(session, subscription_id, self._clock(), _TOGETHER)
        if subscription is None:
            return
        for row in found:
            done = self.attempt(subscription, row)
            if done is None or done.state is not DeliveryState.DELIVERED:
                return

    def attempt(self, subscription: SubscriptionRow, row: NotificationRow) -> NotificationRow | None:
        """Make one attempt. Returns the row after it; None when another process makes it or has made it."""
        now = self._clock()
        with self._database.writing_beside_customers() as session:
            taken = notifications.take(session, row.delivery_id, now, now + _LEASE)
        if taken is None:
            return None
        delivered, answer = self._send(subscription, taken)
        with self._database.writing_beside_customers() as session:
            return notifications.settle(
                session, row.delivery_id, delivered=delivered, answer=answer, now=self._clock()
            )

    def _send(self, subscription: SubscriptionRow, row: NotificationRow) -> tuple[bool, str]:
        """Return whether the receiver took it, and what came of it in a few words."""
        try:
            status = self._post.send(subscription.url, body_of(row), subscription.secret, row.event_id)
        except Unreachable as error:
            return False, f"no answer ({error})"
        return 200 <= status < 300, str(status)


def body_of(row: NotificationRow) -> bytes:
    """Return the body of a notification: one JSON object."""
    head = {"event_id": row.event_id, "event": row.topic.value, "at": row.at.astimezone(UTC).isoformat()}
    return json.dumps(head | row.body).encode()
