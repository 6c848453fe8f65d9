"""The invoices themselves, as the billing system printed them. Call inside a transaction."""

from sqlalchemy.orm import Session

from dunwell.store.tables import DocumentRow


def put(session: Session, invoice_id: str, name: str, content: bytes) -> None:
    """Keep the PDF of an invoice; a newer one takes the place of an older one."""
    session.merge(DocumentRow(invoice_id=invoice_id, name=name, content=content))
    session.flush()


def get(session: Session, invoice_id: str) -> DocumentRow | None:
    return session.get(DocumentRow, invoice_id)
