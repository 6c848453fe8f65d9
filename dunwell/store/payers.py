"""Those whom customers named as the ones who pay in their place. Call inside a transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.terms import DEAD_STATES, MessageState, PayerState
from dunwell.store.tables import PayerRow

_MARK = "payer-"
"""What message ids of mails to them begin with; those of other messages are hexadecimal."""


def message_id_of(payer_id: str) -> str:
    """Return the id of the mail to this person."""
    return _MARK + payer_id


def add(session: Session, row: PayerRow) -> None:
    session.add(row)
    session.flush()


def get(session: Session, payer_id: str) -> PayerRow | None:
    return session.get(PayerRow, payer_id)


def find(session: Session, customer_id: str, email_key: str) -> PayerRow | None:
    """Return who was named at this address before, by anybody of the customer."""
    query = select(PayerRow).where(PayerRow.customer_id == customer_id, PayerRow.email_key == email_key)
    return session.scalars(query).first()


def count_of_link(session: Session, link_id: str) -> int:
    return session.scalar(select(func.count()).select_from(PayerRow).where(PayerRow.link_id == link_id)) or 0


def count_of_customer(session: Session, customer_id: str) -> int:
    return session.scalar(select(func.count()).select_from(PayerRow).where(PayerRow.customer_id == customer_id)) or 0


def of_invoice(session: Session, invoice_id: str) -> Sequence[PayerRow]:
    """Return who was named about an invoice, oldest first."""
    query = select(PayerRow).where(PayerRow.invoice_id == invoice_id)
    return session.scalars(query.order_by(PayerRow.named_at, PayerRow.payer_id)).all()


def due(session: Session, now: datetime, lost: datetime, most: int) -> Sequence[PayerRow]:
    """Return who is to be written to, and the calls begun before `lost` that have no answer."""
    begun = (PayerRow.state == PayerState.CLAIMED) & (PayerRow.called_at < lost)
    waits = (PayerRow.state == PayerState.DUE) & or_(PayerRow.next_at.is_(None), PayerRow.next_at <= now)
    return session.scalars(select(PayerRow).where(waits | begun).order_by(PayerRow.named_at).limit(most)).all()


def claim(session: Session, row: PayerRow, subject: str, body: str, now: datetime) -> None:
    """Take the one call to a provider. Call with the customer's lock, once the row was read under it."""
    row.state, row.called_at, row.next_at = PayerState.CLAIMED, now, None
    row.subject, row.body = subject, body
    session.flush()


def report(session: Session, message_id: str | None, state: MessageState, code: str | None) -> bool:
    """Write what a provider reports of a mail. Returns False when this is the id of no such mail."""
    if not (message_id or "").startswith(_MARK):
        return False
    row = get(session, (message_id or "").removeprefix(_MARK))
    if row is not None and state in DEAD_STATES:
        row.state, row.reason = PayerState.BOUNCED, code
        session.flush()
    return True
