"""The digests that users get by e-mail in the morning."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dunwell.domain.terms import MessageState
from dunwell.store.tables import DigestRow, UserRow

KEPT = timedelta(days=30)
MARK = "digest-"
"""What message ids of digests begin with; those of other messages are hexadecimal."""


def readers(session: Session) -> Sequence[UserRow]:
    """Return the users who want a digest and may sign in."""
    query = select(UserRow).where(UserRow.digest_zone.is_not(None), UserRow.disabled_at.is_(None))
    return session.scalars(query.order_by(UserRow.user_id)).all()


def get(session: Session, user_id: str, day: date) -> DigestRow | None:
    return session.get(DigestRow, (user_id, day))


def claim(
    session: Session, user_id: str, day: date, now: datetime, state: MessageState, subject: str, body: str
) -> bool:
    """Write the digest of a morning. Returns False when it was written before, perhaps by another process."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"user_id": user_id, "day": day, "at": now, "state": state, "subject": subject, "body": body}
    written = insert(DigestRow).values(values).on_conflict_do_nothing().returning(DigestRow.user_id)
    return session.execute(written).first() is not None


def take(session: Session, user_id: str, day: date, now: datetime) -> bool:
    """Take the next attempt of a digest that is due. Returns False when another process has it."""
    due = (
        update(DigestRow)
        .where(DigestRow.user_id == user_id, DigestRow.day == day, DigestRow.next_at <= now)
        .values(next_at=None, attempts=DigestRow.attempts + 1, at=now)
        .returning(DigestRow.user_id)
    )
    return session.execute(due).first() is not None


def settle(
    session: Session,
    user_id: str,
    day: date,
    state: MessageState,
    *,
    reason: str | None = None,
    next_at: datetime | None = None,
    provider: str | None = None,
    provider_id: str | None = None,
) -> None:
    """Write what a provider answered. `next_at`: when to try again."""
    row = session.get(DigestRow, (user_id, day), populate_existing=True)
    if row is not None:
        row.state, row.reason, row.next_at = state, reason, next_at
        row.provider, row.provider_id = provider, provider_id
        session.flush()


def report(session: Session, message_id: str | None, state: MessageState, code: str | None) -> bool:
    """Write what a provider reports of a digest. Returns False when this is the id of no digest."""
    user_id, _, day = (message_id or "").removeprefix(MARK).rpartition("-")
    if not (message_id or "").startswith(MARK) or not (day.isascii() and day.isdigit() and len(day) == 8):
        return False
    try:
        row = session.get(DigestRow, (user_id, date.fromisoformat(day)))
    except ValueError:
        return False
    if row is not None and row.state is not MessageState.DELIVERED:
        row.state, row.reason = state, code
        session.flush()
    return True


def message_id_of(user_id: str, day: date) -> str:
    """Return the id by which the provider knows a digest."""
    return f"{MARK}{user_id}-{day:%Y%m%d}"


def forget(session: Session, before: datetime) -> None:
    """Delete the digests before that time."""
    session.execute(delete(DigestRow).where(DigestRow.at < before))
