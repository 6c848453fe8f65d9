"""Takes in what providers tell: each thing once, at once in the database, with what is left to be told to cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dunwell.domain.events import DeliveryReport
from dunwell.gateways.events import ProviderEvent
from dunwell.services import delivery
from dunwell.services.delivery import AppliedEvent
from dunwell.store import accounts, provider_events
from dunwell.store.database import Database

_PATIENCE = timedelta(days=1)
"""How long news may wait for their message to be written down; after that the message is none of ours."""


@dataclass(frozen=True)
class PendingReport:
    """Something that cases still have to hear."""

    provider: str
    event_id: str
    report: DeliveryReport
    invoices: tuple[str, ...]


class Inbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, provider: str, provider_event: Sequence[ProviderEvent], now: datetime) -> int:
        """Keep and apply what is new. Returns how many were; one transaction for each customer concerned.

        Raises SQLAlchemyError when the database does not take it; then the provider has to tell it again.
        """
        groups: dict[tuple[str, ...], list[ProviderEvent]] = {}
        with self._database.reading() as session:
            for item in provider_event:
                groups.setdefault(delivery.owners(session, item), []).append(item)
        return sum(self._take_group(provider, owners, group, now) for owners, group in groups.items())

    def _take_group(self, provider: str, owners: tuple[str, ...], group: list[ProviderEvent], now: datetime) -> int:
        try:
            return self._write(provider, owners, group, now)
        except IntegrityError:
            # Another request brought the same at the same moment; now it is known.
            return self._write(provider, owners, group, now)

    def _write(self, provider: str, owners: tuple[str, ...], group: list[ProviderEvent], now: datetime) -> int:
        count = 0
        with self._database.writing() as session:
            accounts.lock(session, owners)
            told = provider_events.known(session, provider, {item.event_id for item in group})
            for item in group:
                if item.event_id not in told:
                    told.add(item.event_id)
                    self._keep(session, provider, item, now)
                    count += 1
        return count

    def _keep(self, session: Session, provider: str, item: ProviderEvent, now: datetime) -> None:
        heard = delivery.apply(session, item, now)
        provider_events.add(
            session,
            provider=provider,
            event_id=item.event_id,
            kind=item.kind,
            body=_body(item, heard),
            received_at=now,
            done_at=None if heard.tell or heard.later else now,
        )

    def waiting(self, now: datetime) -> list[PendingReport]:
        """What cases still have to hear, oldest first. News that came before their message are tried again."""
        with self._database.reading() as session:
            rows = [(row.provider, row.event_id, row.body) for row in provider_events.waiting(session)]
        letters = []
        for provider, event_id, body in rows:
            kept = body if "tell" in body else self._try_again(provider, event_id, now)
            if kept and "tell" in kept:
                report = DeliveryReport.model_validate(kept["report"])
                letters.append(PendingReport(provider, event_id, report, tuple(kept["tell"])))
        return letters

    def _try_again(self, provider: str, event_id: str, now: datetime) -> dict[str, Any] | None:
        with self._database.reading() as session:
            row = provider_events.get(session, provider, event_id)
            item = ProviderEvent.model_validate(row.body["news"]) if row else None
            owners = delivery.owners(session, item) if item else ()
        if item is None or row is None:
            return None
        if not owners:
            if now - row.received_at > _PATIENCE:
                self.done(provider, event_id, now)
            return None
        with self._database.writing() as session:
            accounts.lock(session, owners)
            row = provider_events.get(session, provider, event_id)
            if row is None or row.done_at is not None or "tell" in row.body:
                return None
            heard = delivery.apply(session, item, now)
            row.body = _body(item, heard)
            row.done_at = None if heard.tell else now
            return row.body

    def done(self, provider: str, event_id: str, now: datetime) -> None:
        """Every case has heard of it."""
        with self._database.writing() as session:
            provider_events.mark_done(session, provider, event_id, now)


def _body(item: ProviderEvent, heard: AppliedEvent) -> dict[str, Any]:
    """What is kept of an event. Words that became a note are not kept twice."""
    kept = item.model_dump(mode="json", exclude_none=True, exclude={"text"} if heard.noted else None)
    body: dict[str, Any] = {"news": kept}
    if heard.report is not None:
        body |= {"report": heard.report.model_dump(mode="json"), "tell": list(heard.tell)}
    return body
