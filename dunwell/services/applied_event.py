"""What came of a provider event: what the cases concerned have to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.events import ContactChange, ContactsChanged, DeliveryReport
from dunwell.domain.reply_terms import ReplyChannel
from dunwell.store import provider_events


@dataclass(frozen=True)
class CaseEvent:
    """An event of dunwell/domain/events.py by its name, and the invoices whose cases get it as a signal."""

    name: str
    content: Mapping[str, Any]
    invoices: tuple[str, ...]

    @classmethod
    def report(cls, report: DeliveryReport, invoices: Sequence[str]) -> "CaseEvent":
        return cls("delivery_report", report.model_dump(mode="json", exclude_none=True), tuple(invoices))

    @classmethod
    def of_reply(cls, reply_id: str, channel: ReplyChannel, at: datetime, invoices: Sequence[str]) -> "CaseEvent":
        content = {"reply_id": reply_id, "channel": channel.value, "at": at.isoformat()}
        return cls("reply_received", content, tuple(invoices))

    @classmethod
    def of_changes(cls, by: str, changes: Sequence[ContactChange], invoices: Sequence[str]) -> "CaseEvent":
        """Addresses that were closed or opened: nobody is new, so no step looks further for that."""
        event = ContactsChanged(by=by, changes=tuple(changes), renewed=False)
        return cls("contacts_changed", event.model_dump(mode="json", exclude_none=True), tuple(invoices))


@dataclass(frozen=True)
class AppliedEvent:
    """The result of applying a provider event.

    events  for the cases that have to know
    later   the message is not known yet: the worker that sends it may not have recorded it, or the database was
            restored from an older copy and only the case knows it
    kept    what the person wrote was kept as a reply
    """

    events: tuple[CaseEvent, ...] = ()
    later: bool = False
    kept: bool = False


def keep_for_cases(
    session: Session, provider: str, event_id: str, events: Sequence[CaseEvent], now: datetime
) -> None:
    """Keep what cases have to be told of something that no provider reported, so that each is told in the end."""
    provider_events.add(
        session,
        provider=provider,
        event_id=event_id,
        kind=events[0].name,
        body={"cases": [asdict(one) for one in events]},
        received_at=now,
        done_at=None,
    )
