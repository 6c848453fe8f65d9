"""Keeps and applies provider events, each once, and lists what cases have to be told of them and were not yet."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dunwell.gateways.events import ProviderEvent
from dunwell.services.applied_event import AppliedEvent, CaseEvent
from dunwell.services.provider_event import apply, owners_of
from dunwell.store import accounts, provider_events
from dunwell.store.database import Database

_PATIENCE = timedelta(days=1)
"""How long an event may wait for its message to be recorded; after that the message counts as not ours."""

_TELLS = frozenset({"cases", "tell"})
"""In the body of an event that was applied: whom to tell."""


@dataclass(frozen=True)
class PendingEvents:
    """What cases have not been told yet of one provider event."""

    provider: str
    event_id: str
    events: tuple[CaseEvent, ...]


class Inbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, provider: str, events: Sequence[ProviderEvent], now: datetime) -> int:
        """Keep and apply the new events, in one transaction for each customer concerned. Returns how many were new.

        Raises SQLAlchemyError when the database does not take them; then the provider has to send them again.
        """
        count, left = 0, list(events)
        while left:
            groups, left = self._by_owners(left), []
            for owners, group in groups.items():
                taken, moved = self._take_group(provider, owners, group, now)
                count += taken
                left += moved
        return count

    def _by_owners(self, events: Sequence[ProviderEvent]) -> dict[tuple[str, ...], list[ProviderEvent]]:
        groups: dict[tuple[str, ...], list[ProviderEvent]] = {}
        with self._database.reading() as session:
            for item in events:
                groups.setdefault(owners_of(session, item), []).append(item)
        return groups

    def _take_group(
        self, provider: str, owners: tuple[str, ...], group: list[ProviderEvent], now: datetime
    ) -> tuple[int, list[ProviderEvent]]:
        try:
            return self._write(provider, owners, group, now)
        except IntegrityError:
            # Another request has written the same event meanwhile; the second try finds it known.
            return self._write(provider, owners, group, now)

    def _write(
        self, provider: str, owners: tuple[str, ...], group: list[ProviderEvent], now: datetime
    ) -> tuple[int, list[ProviderEvent]]:
        """Return how many events were new, and those whose owners are others now than those that are locked.

        A message may be recorded between the look at its owners and the lock; without the lock of its customer an
        event could be applied beside a step of the same case.
        """
        count, moved = 0, []
        with self._database.writing() as session:
            accounts.lock(session, owners)
            known = provider_events.known(session, provider, {item.event_id for item in group})
            for item in group:
                if item.event_id in known:
                    continue
                if owners_of(session, item) != owners:
                    moved.append(item)
                    continue
                known.add(item.event_id)
                self._keep(session, provider, item, now)
                count += 1
        return count, moved

    def _keep(self, session: Session, provider: str, item: ProviderEvent, now: datetime) -> None:
        applied = apply(session, item, now)
        provider_events.add(
            session,
            provider=provider,
            event_id=item.event_id,
            kind=item.kind,
            body=_body(item, applied),
            received_at=now,
            done_at=None if applied.events or applied.later else now,
        )

    def waiting(self, now: datetime) -> list[PendingEvents]:
        """What cases have not been told yet, oldest first. Retries events that came before their message."""
        with self._database.reading() as session:
            rows = [(row.provider, row.event_id, row.body) for row in provider_events.waiting(session)]
        pending = []
        for provider, event_id, body in rows:
            kept = body if _TELLS & body.keys() else self._try_again(provider, event_id, now)
            events = _events(kept or {})
            if events:
                pending.append(PendingEvents(provider, event_id, events))
        return pending

    def _try_again(self, provider: str, event_id: str, now: datetime) -> dict[str, Any] | None:
        with self._database.reading() as session:
            row = provider_events.get(session, provider, event_id)
            item = ProviderEvent.model_validate(row.body["event"]) if row else None
            owners = owners_of(session, item) if item else ()
        if item is None or row is None:
            return None
        if not owners:
            if now - row.received_at > _PATIENCE:
                self.done(provider, event_id, now)
            return None
        with self._database.writing() as session:
            accounts.lock(session, owners)
            row = provider_events.get(session, provider, event_id)
            if (
                row is None
                or row.done_at is not None
                or _TELLS & row.body.keys()
                or owners_of(session, item) != owners
            ):
                return None
            applied = apply(session, item, now)
            row.body = _body(item, applied)
            row.done_at = None if applied.events else now
            return row.body

    def done(self, provider: str, event_id: str, now: datetime) -> None:
        """Note that every case has been told."""
        with self._database.writing() as session:
            provider_events.mark_done(session, provider, event_id, now)


def _body(item: ProviderEvent, applied: AppliedEvent) -> dict[str, Any]:
    """What is kept of an event. A text that became a reply is not kept twice, nor is its sender's address."""
    kept = item.model_dump(mode="json", exclude_none=True, exclude={"text", "address"} if applied.kept else None)
    body: dict[str, Any] = {"event": kept}
    if applied.events:
        body["cases"] = [asdict(one) for one in applied.events]
    return body


def _events(body: Mapping[str, Any]) -> tuple[CaseEvent, ...]:
    """What is left to tell, by the body of a kept event. `report` with `tell` is what earlier releases kept."""
    events = [CaseEvent(one["name"], one["content"], tuple(one["invoices"])) for one in body.get("cases", ())]
    if "tell" in body:
        events.append(CaseEvent("delivery_report", body["report"], tuple(body["tell"])))
    return tuple(events)
