"""Addresses that must not be used: bounced, or their owner said STOP. They count for every invoice.

What a rehearsal closes is closed for rehearsals only; what is really closed is closed for them too.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.terms import Channel
from store.tables import ClosedAddressRow


def close(
    session: Session, channel: Channel, address: str, reason: str, now: datetime, *, rehearsal: bool = False
) -> None:
    address = _rehearsed(address) if rehearsal else address
    if session.get(ClosedAddressRow, (channel.value, address)) is None:
        session.add(ClosedAddressRow(channel=channel.value, address=address, reason=reason, since=now))
        session.flush()


def why_closed(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> str | None:
    """ "stopped", "bounced", or None when the address is open."""
    places = [address, _rehearsed(address)] if rehearsal else [address]
    rows = [session.get(ClosedAddressRow, (channel.value, place)) for place in places]
    return next((row.reason for row in rows if row is not None), None)


def _rehearsed(address: str) -> str:
    return f"rehearsal:{address}"
