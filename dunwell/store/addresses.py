"""Closed addresses: they bounced, or their owner closed them, for every invoice and in every spelling.

An address closed by a rehearsal is closed for rehearsals only; one that is really closed is closed for them too.
"""

from collections.abc import Collection
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ARRAY, BigInteger, bindparam, func, select
from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel, stopped_with
from dunwell.domain.closed_addresses import BY_OWNER, COMPLAINED, NO_CALLS
from dunwell.store.tables import ClosedAddressRow

_LOCK = select(func.pg_advisory_xact_lock(func.unnest(bindparam("numbers", type_=ARRAY(BigInteger)))))
_LOCKED = "locked addresses"
_AT_ONCE = 500

_CLOSED = select(ClosedAddressRow.address, ClosedAddressRow.reason).where(
    ClosedAddressRow.channel == bindparam("channel"),
    ClosedAddressRow.address.in_(bindparam("keys", expanding=True)),
)


def lock(session: Session, keys: Collection[str]) -> None:
    """Take the locks of these addresses, given by key, until the end of the transaction.

    They are taken in one order, and must come after customer locks. SQLite has one writer and needs none.
    """
    held: set[str] = session.info.setdefault(_LOCKED, set())
    wanted = set(keys) - held
    if wanted and session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK, {"numbers": sorted(_number(key) for key in wanted)})
    held |= wanted


def close(
    session: Session, channel: Channel, address: str, reason: str, now: datetime, *, rehearsal: bool = False
) -> None:
    """Close the address. An earlier reason stays, but for a weaker one: a complaint is more than STOP, and that more
    than a bounce.

    What its owner says closes it on every channel that it stops together with this one.
    """
    for one in stopped_with(channel) if reason in BY_OWNER else (channel,):
        row = find(session, one, address, rehearsal=rehearsal)
        if row is None:
            key = address_key(one, address, rehearsal=rehearsal)
            session.add(ClosedAddressRow(channel=one, address=key, reason=reason, since=now))
        elif _weight(reason) > _weight(row.reason):
            row.reason, row.since = reason, now
    session.flush()


def reopen(session: Session, channel: Channel, address: str) -> bool:
    """Open an address that its owner closed, on every channel on which they did.

    Returns False, and changes nothing, when it is open or closed by a bounce.
    """
    found = [find(session, one, address) for one in stopped_with(channel)]
    stopped = [row for row in found if row is not None and row.reason in BY_OWNER]
    for row in stopped:
        session.delete(row)
    session.flush()
    return bool(stopped)


def allow_calls(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> bool:
    """Open a number whose owner wanted no more calls. False, and nothing is changed, for any other."""
    row = find(session, channel, address, rehearsal=rehearsal)
    if row is None or row.reason != NO_CALLS:
        return False
    session.delete(row)
    session.flush()
    return True


def lift(session: Session, channel: Channel, address: str) -> str | None:
    """Open an address that a bounce or a wrong number closed. Returns why it was closed, None if it was open.

    What its owner closed stays closed.
    """
    row = find(session, channel, address)
    if row is None:
        return None
    if row.reason not in BY_OWNER:
        session.delete(row)
        session.flush()
    return row.reason


def find(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> ClosedAddressRow | None:
    """Return the row of a closed address, among those of rehearsals or the real ones; None when it is open there."""
    return session.get(ClosedAddressRow, (channel.value, address_key(channel, address, rehearsal=rehearsal)))


def _number(key: str) -> int:
    """Return a 64-bit lock number for the key. If two keys share a number, they only wait for each other."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], signed=True)


def why_closed(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> str | None:
    """Return "stopped", "complained", "bounced" or another reason, or None when the address is open."""
    keys = [address_key(channel, address, rehearsal=kind) for kind in ((False, True) if rehearsal else (False,))]
    found = session.execute(_CLOSED, {"channel": channel, "keys": keys})
    reasons = {row.address: row.reason for row in found}
    return next((reasons[key] for key in keys if key in reasons), None)


def closed_numbers(session: Session, channel: Channel, wanted: Collection[str]) -> set[str]:
    """Return which of these addresses are closed for real, whatever the reason."""
    keys = {address_key(channel, address): address for address in wanted}
    found = set[str]()
    every = list(keys)
    for first in range(0, len(every), _AT_ONCE):
        closed = session.execute(_CLOSED, {"channel": channel, "keys": every[first : first + _AT_ONCE]})
        found |= {keys[row.address] for row in closed}
    return found


def closed_since(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> datetime | None:
    """Return since when the address has been closed, None when it is open."""
    kinds = (False, True) if rehearsal else (False,)
    found = [row for kind in kinds if (row := find(session, channel, address, rehearsal=kind)) is not None]
    return max((row.since for row in found), default=None)


def _weight(reason: str) -> int:
    return 2 if reason == COMPLAINED else int(reason in BY_OWNER)
