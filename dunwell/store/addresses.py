"""Addresses that must not be used: bounced, or their owner said STOP. They count for every invoice and spelling.

What a rehearsal closes is closed for rehearsals only; what is really closed is closed for them too.
"""

from collections.abc import Collection
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ARRAY, BigInteger, bindparam, func, select
from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.terms import Channel
from dunwell.store.tables import ClosedAddressRow

STOPPED = "stopped"
"""Why an address is closed whose owner said so."""

_LOCK = select(func.pg_advisory_xact_lock(func.unnest(bindparam("numbers", type_=ARRAY(BigInteger)))))
_LOCKED = "locked addresses"

_CLOSED = select(ClosedAddressRow.address, ClosedAddressRow.reason).where(
    ClosedAddressRow.channel == bindparam("channel"),
    ClosedAddressRow.address.in_(bindparam("keys", expanding=True)),
)


def lock(session: Session, keys: Collection[str]) -> None:
    """Take the locks of these addresses until the end of the transaction, whoever their customers are.

    Always in one order, and after the locks of customers. SQLite has one writer at a time and needs none.
    """
    held: set[str] = session.info.setdefault(_LOCKED, set())
    wanted = set(keys) - held
    if wanted and session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK, {"numbers": sorted(_number(key) for key in wanted)})
    held |= wanted


def close(
    session: Session, channel: Channel, address: str, reason: str, now: datetime, *, rehearsal: bool = False
) -> None:
    """Close the address. The first reason stays, but STOP outranks a bounce: only its owner can take it back."""
    row = find(session, channel, address, rehearsal=rehearsal)
    if row is None:
        key = address_key(channel, address, rehearsal=rehearsal)
        session.add(ClosedAddressRow(channel=channel.value, address=key, reason=reason, since=now))
    elif reason == STOPPED:
        row.reason = reason
    session.flush()


def reopen(session: Session, channel: Channel, address: str) -> bool:
    """Undo STOP, and nothing else: a dead mailbox does not come back by asking. False when nothing was undone."""
    row = find(session, channel, address)
    if row is None or row.reason != STOPPED:
        return False
    session.delete(row)
    session.flush()
    return True


def find(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> ClosedAddressRow | None:
    """The address as it was closed, for rehearsals or in earnest; None when it was not."""
    return session.get(ClosedAddressRow, (channel.value, address_key(channel, address, rehearsal=rehearsal)))


def _number(key: str) -> int:
    """A number of 64 bits for the key; two keys with the same one only wait for each other."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], signed=True)


def why_closed(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> str | None:
    """ "stopped", "bounced", or None when the address is open."""
    keys = [address_key(channel, address, rehearsal=kind) for kind in ((False, True) if rehearsal else (False,))]
    found = session.execute(_CLOSED, {"channel": channel.value, "keys": keys})
    reasons = {row.address: row.reason for row in found}
    return next((reasons[key] for key in keys if key in reasons), None)
