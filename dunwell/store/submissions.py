"""Forms of the console and of customers that were carried out."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dunwell.store.tables import SubmissionRow

KEPT = timedelta(days=30)
"""How long it is known that a form was carried out."""


def take(session: Session, principal: str, form_id: str, digest: str, now: datetime) -> str | None:
    """Note the form. Returns None; or, when it was noted before, the digest of then.

    A transaction that notes the same form at the same time is waited for.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"principal": principal, "form_id": form_id, "digest": digest, "at": now}
    noted = session.execute(insert(SubmissionRow).values(values).on_conflict_do_nothing().returning(SubmissionRow.at))
    if noted.first() is not None:
        return None
    return find(session, principal, form_id)


def remove(session: Session, principal: str, form_id: str) -> None:
    session.execute(
        delete(SubmissionRow).where(SubmissionRow.principal == principal, SubmissionRow.form_id == form_id)
    )


def find(session: Session, principal: str, form_id: str) -> str | None:
    """Return the digest of a form that was carried out; None when it was not."""
    row = get(session, principal, form_id)
    return row.digest if row is not None else None


def get(session: Session, principal: str, form_id: str) -> SubmissionRow | None:
    """Return a form that was carried out, with the time of its first sending."""
    return session.get(SubmissionRow, (principal, form_id), populate_existing=True)


def forget(session: Session, before: datetime) -> None:
    """Delete the forms carried out before that time."""
    session.execute(delete(SubmissionRow).where(SubmissionRow.at < before))
