"""The files that customers sent by their page. Call inside a transaction."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from dunwell.store.tables import SentFileRow


def add(session: Session, row: SentFileRow) -> None:
    """Store a file. The same one again, of a form sent twice, changes nothing."""
    if session.get(SentFileRow, row.file_id) is None:
        session.add(row)
        session.flush()


def remove(session: Session, file_id: str) -> None:
    """Delete a file whose form was refused."""
    row = session.get(SentFileRow, file_id)
    if row is not None:
        session.delete(row)
        session.flush()


def get(session: Session, invoice_id: str, file_id: str) -> SentFileRow | None:
    """Return a file of this invoice."""
    row = session.get(SentFileRow, file_id)
    return row if row is not None and row.invoice_id == invoice_id else None


def of_invoice(session: Session, invoice_id: str) -> Sequence[SentFileRow]:
    """Return the files about an invoice, oldest first, without their content."""
    query = select(SentFileRow).where(SentFileRow.invoice_id == invoice_id).options(defer(SentFileRow.content))
    return session.scalars(query.order_by(SentFileRow.at, SentFileRow.file_id)).all()


def count_of_customer(session: Session, customer_id: str) -> int:
    query = select(func.count()).select_from(SentFileRow).where(SentFileRow.customer_id == customer_id)
    return session.scalar(query) or 0
