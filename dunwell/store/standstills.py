"""The standstills of the installation."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.standstill import Standstill
from dunwell.store.tables import StandstillRow

_IN_FORCE = select(StandstillRow).where(StandstillRow.ended_at.is_(None)).limit(1)
_LOCK_NUMBER = 4_862_002  # of a PostgreSQL advisory lock; no other lock of this database may have it


def in_force(session: Session) -> Standstill | None:
    """Return the standstill in force, or None. Takes no lock: for reading only."""
    row = session.scalars(_IN_FORCE).first()
    return None if row is None else Standstill(since=row.since, by=row.by, reason=row.reason)


def in_force_until_commit(session: Session) -> Standstill | None:
    """Return the standstill in force, or None, and let none begin until this transaction ends.

    For transactions that decide to send a message or to do a consequence: once a standstill has begun, no such
    decision is open any more. SQLite needs no lock, because it has one writer.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(_LOCK_NUMBER)))
    return in_force(session)


def begin(session: Session, standstill: Standstill, *, anew: bool) -> int | None:
    """Begin a standstill and return its number. Returns None, and changes nothing, when one is in force.

    anew  in place of one in force
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))
    if anew:
        end(session, standstill.by, standstill.reason, standstill.since)
    elif in_force(session) is not None:
        return None
    row = StandstillRow(since=standstill.since, by=standstill.by, reason=standstill.reason)
    session.add(row)
    session.flush()
    return row.standstill_id


def end(session: Session, by: str, reason: str, now: datetime) -> int | None:
    """End the standstill in force and return its number. Returns None when there is none."""
    row = session.scalars(_IN_FORCE).first()
    if row is None:
        return None
    row.ended_at, row.ended_by, row.end_reason = now, by, reason
    session.flush()
    return row.standstill_id
