"""The invoice documents, PDFs from the billing system. Call inside a transaction."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.store.tables import DocumentRow


def put(session: Session, invoice_id: str, name: str, content: bytes) -> None:
    """Store the PDF of an invoice, in place of an earlier one."""
    session.merge(DocumentRow(invoice_id=invoice_id, name=name, content=content))
    session.flush()


def get(session: Session, invoice_id: str) -> DocumentRow | None:
    return session.get(DocumentRow, invoice_id)


def exists(session: Session, invoice_id: str) -> bool:
    """Return whether there is a PDF of this invoice, without reading it."""
    return session.scalar(select(DocumentRow.invoice_id).where(DocumentRow.invoice_id == invoice_id)) is not None
