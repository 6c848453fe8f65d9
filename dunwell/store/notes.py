"""Free text that agents wrote. It stays in the database; signals carry only a note's id."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.store.tables import NoteRow


def add(session: Session, *, note_id: str, invoice_id: str, author: str, text: str, now: datetime) -> bool:
    """Store a note. Returns False, and changes nothing, when there is one with this id."""
    if session.get(NoteRow, note_id) is not None:
        return False
    session.add(NoteRow(note_id=note_id, invoice_id=invoice_id, author=author, text=text, at=now))
    session.flush()
    return True


def get(session: Session, note_id: str | None) -> NoteRow | None:
    return session.get(NoteRow, note_id) if note_id is not None else None


def remove(session: Session, note_id: str) -> None:
    """Delete a note, for example when the event it belongs to was refused. Does nothing when there is none."""
    row = session.get(NoteRow, note_id)
    if row is not None:
        session.delete(row)
        session.flush()


def of_invoice(session: Session, invoice_id: str) -> Sequence[NoteRow]:
    """Return the invoice's notes, oldest first."""
    return of_invoices(session, [invoice_id])


def of_invoices(session: Session, invoice_ids: Collection[str]) -> Sequence[NoteRow]:
    """Return the notes of these invoices, oldest first."""
    query = select(NoteRow).where(NoteRow.invoice_id.in_(invoice_ids))
    return session.scalars(query.order_by(NoteRow.at, NoteRow.note_id)).all()
