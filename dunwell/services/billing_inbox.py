"""Stores the events of billing systems and payment providers, each once. Applying them comes afterwards."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from dunwell.domain.billing_events import BillingEvent
from dunwell.store import billing_events
from dunwell.store.database import Database


class BillingInbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, provider: str, events: Sequence[BillingEvent], now: datetime) -> int:
        """Store the new events in one transaction. Returns how many were new.

        Raises SQLAlchemyError when the database does not take them; then the provider has to send them again.
        """
        if not events:
            return 0
        try:
            return self._store(provider, events, now)
        except IntegrityError:
            # Another request has stored the same event, or the first of a subject; the second try finds it known.
            return self._store(provider, events, now)

    def _store(self, provider: str, events: Sequence[BillingEvent], now: datetime) -> int:
        new = 0
        with self._database.writing_beside_customers() as session:
            known = billing_events.known(session, provider, {one.event_id for one in events})
            for one in events:
                if one.event_id not in known:
                    known.add(one.event_id)
                    billing_events.add(session, provider, one, now)
                    new += 1
        return new
