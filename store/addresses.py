"""Addresses that must not be used: bounced, or their owner said STOP. They count for every invoice."""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.terms import Channel
from store.tables import ClosedAddressRow


def close(session: Session, channel: Channel, address: str, reason: str, now: datetime) -> None:
    if session.get(ClosedAddressRow, (channel.value, address)) is None:
        session.add(ClosedAddressRow(channel=channel.value, address=address, reason=reason, since=now))
        session.flush()


def why_closed(session: Session, channel: Channel, address: str) -> str | None:
    """ "stopped", "bounced", or None when the address is open."""
    row = session.get(ClosedAddressRow, (channel.value, address))
    return row.reason if row else None
