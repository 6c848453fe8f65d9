"""The standstills of the installation."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.standstill import Standstill
from dunwell.store.tables import StandstillRow

_IN_FORCE = select(StandstillRow).where(StandstillRow.ended_at.is_(None)).limit(1)
_SWITCH = 4_862_002  # any number no one else locks in this database


def in_force(session: Session) -> Standstill | None:
    """The standstill in force, for those who only read."""
    row = session.scalars(_IN_FORCE).first()
    return None if row is None else Standstill(since=row.since, by=row.by, reason=row.reason)


def watched(session: Session) -> Standstill | None:
    """The same for a transaction that lets something leave: until it ends, nobody begins a standstill.

    So whoever has begun one knows that nothing is decided any more. SQLite has one writer, which is enough.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(_SWITCH)))
    return in_force(session)


def begin(session: Session, standstill: Standstill) -> int | None:
    """Begin a standstill and return its number; None when one is in force already, which stays as it is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_SWITCH)))
    if in_force(session) is not None:
        return None
    row = StandstillRow(since=standstill.since, by=standstill.by, reason=standstill.reason)
    session.add(row)
    session.flush()
    return row.standstill_id


def end(session: Session, by: str, reason: str, now: datetime) -> int | None:
    """End the standstill in force and return its number; None when there is none."""
    row = session.scalars(_IN_FORCE).first()
    if row is None:
        return None
    row.ended_at, row.ended_by, row.end_reason = now, by, reason
    session.flush()
    return row.standstill_id
