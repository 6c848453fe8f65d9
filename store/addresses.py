"""Addresses that must not be used: bounced, or their owner said STOP. They count for every invoice.

What a rehearsal closes is closed for rehearsals only; what is really closed is closed for them too.
"""

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from domain.terms import Channel
from store.tables import ClosedAddressRow

_CLOSED = select(ClosedAddressRow.address, ClosedAddressRow.reason).where(
    ClosedAddressRow.channel == bindparam("channel"),
    ClosedAddressRow.address.in_(bindparam("places", expanding=True)),
)


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
    found = session.execute(_CLOSED, {"channel": channel.value, "places": places})
    reasons = {row.address: row.reason for row in found}
    return next((reasons[place] for place in places if place in reasons), None)


def _rehearsed(address: str) -> str:
    return f"rehearsal:{address}"
