"""API keys. The keys themselves are not stored, only their hashes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean
from dunwell.store.tables import ApiKeyRow


def add(session: Session, row: ApiKeyRow) -> None:
    session.add(row)
    session.flush()


def get(session: Session, key_id: str) -> ApiKeyRow | None:
    return session.get(ApiKeyRow, key_id) if is_clean(key_id) else None


def by_hash(session: Session, key_hash: str) -> ApiKeyRow | None:
    return session.scalars(select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash)).first()


def all_keys(session: Session) -> Sequence[ApiKeyRow]:
    """Return all keys, also those that ended, by name, the oldest first."""
    return session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name, ApiKeyRow.created_at)).all()


def is_live(row: ApiKeyRow, now: datetime) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def live_of(session: Session, name: str, now: datetime) -> list[ApiKeyRow]:
    """Return the keys of this name that can be used, the oldest first."""
    query = select(ApiKeyRow).where(ApiKeyRow.name == name).order_by(ApiKeyRow.created_at)
    return [row for row in session.scalars(query) if is_live(row, now)]


def note_use(session: Session, key_id: str, now: datetime, exact_to: timedelta) -> None:
    """Note that the key was used, unless that was noted within `exact_to`."""
    old = or_(ApiKeyRow.used_at.is_(None), ApiKeyRow.used_at <= now - exact_to)
    session.execute(update(ApiKeyRow).where(ApiKeyRow.key_id == key_id, old).values(used_at=now))
