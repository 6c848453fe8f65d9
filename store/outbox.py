"""The outbox: every message decided, whatever became of it. Call inside a transaction with the customer's lock."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.terms import Channel, MessageState
from store.tables import ContactRow, MessageInvoiceRow, MessageRow


def find(session: Session, invoice_id: str, step: str, contact_id: str, channel: Channel) -> MessageRow | None:
    """The message that carries this step of this invoice to this contact on this channel."""
    link = session.get(MessageInvoiceRow, (invoice_id, step, contact_id, channel.value))
    return None if link is None else session.get(MessageRow, link.message_id)


def get(session: Session, message_id: str) -> MessageRow | None:
    return session.get(MessageRow, message_id)


def add(session: Session, row: MessageRow, invoice_id: str) -> None:
    session.add(row)
    session.flush()
    session.add(
        MessageInvoiceRow(
            invoice_id=invoice_id,
            step=row.step,
            contact_id=row.contact_id,
            channel=row.channel,
            message_id=row.message_id,
        )
    )
    session.flush()


def of_invoice(session: Session, invoice_id: str, step: str | None = None) -> Sequence[MessageRow]:
    """The invoice's messages, oldest first."""
    query = (
        select(MessageRow)
        .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
        .where(MessageInvoiceRow.invoice_id == invoice_id)
        .order_by(MessageRow.claimed_at, MessageRow.message_id)
    )
    if step is not None:
        query = query.where(MessageInvoiceRow.step == step)
    return session.scalars(query).all()


def delivered_warnings(session: Session, invoice_id: str) -> Sequence[MessageRow]:
    """The written warnings of this invoice that are known to have arrived."""
    return [
        row
        for row in of_invoice(session, invoice_id)
        if row.warning and row.state == MessageState.DELIVERED and row.channel != Channel.CALL
    ]


def rows(session: Session, invoice_id: str | None = None) -> Sequence[tuple[MessageRow, list[str], str]]:
    """Every message with its invoices and its contact's role, oldest first; of one invoice if named."""
    messages = (
        of_invoice(session, invoice_id)
        if invoice_id is not None
        else session.scalars(select(MessageRow).order_by(MessageRow.claimed_at, MessageRow.message_id)).all()
    )
    invoices: dict[str, list[str]] = {}
    for link in session.scalars(select(MessageInvoiceRow).order_by(MessageInvoiceRow.invoice_id)):
        invoices.setdefault(link.message_id, []).append(link.invoice_id)
    roles = {row.contact_id: row.role for row in session.scalars(select(ContactRow))}
    return [(row, invoices.get(row.message_id, []), roles.get(row.contact_id, "")) for row in messages]
