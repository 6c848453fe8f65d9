"""Those whom customers named as the ones who pay in their place. Call inside a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Select, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.terms import DEAD_STATES, MessageState, PayerState, ProviderCall
from dunwell.store.tables import MessageRow, PayerRow

MAIL = "payer-mail"
"""The name of the mail to them among messages. No ladder has it."""

_MARK = "payer-"
"""What message ids of mails to them begin with; those of other messages are hexadecimal."""
MESSAGE_ID = literal(_MARK) + PayerRow.payer_id
IN_ORDER = (PayerRow.called_at, PayerRow.payer_id)
_AS_MESSAGE: Mapping[PayerState, MessageState] = {
    PayerState.DUE: MessageState.CLAIMED,  # a provider refused it, and it is tried again
    PayerState.CLAIMED: MessageState.CLAIMED,
    PayerState.SENT: MessageState.ACCEPTED,
    PayerState.BOUNCED: MessageState.BOUNCED,
    PayerState.FAILED: MessageState.FAILED,
    PayerState.UNKNOWN: MessageState.UNKNOWN,
    PayerState.WITHHELD: MessageState.WITHHELD,
}
"""The states of a mail that was written."""


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


def of_customer(session: Session, customer_id: str) -> Sequence[PayerRow]:
    """Return who was named about any invoice of a customer, oldest first."""
    query = select(PayerRow).where(PayerRow.customer_id == customer_id)
    return session.scalars(query.order_by(PayerRow.named_at, PayerRow.payer_id)).all()


def of_link(session: Session, link_id: str) -> Sequence[PayerRow]:
    """Return whom the holder of a link named, oldest first."""
    query = select(PayerRow).where(PayerRow.link_id == link_id)
    return session.scalars(query.order_by(PayerRow.named_at, PayerRow.payer_id)).all()


def mails(
    *,
    invoice_id: str | None = None,
    customer_id: str | None = None,
    state: MessageState | None = None,
    after: tuple[datetime, str] | None = None,
) -> Select[PayerRow]:
    """Select the mails that were written to them: all, or those about an invoice, of a customer, in a state.

    after  time of claim and id of a message: only those behind it
    """
    query = select(PayerRow).where(PayerRow.called_at.is_not(None))
    if invoice_id is not None:
        query = query.where(PayerRow.invoice_id == invoice_id)
    if customer_id is not None:
        query = query.where(PayerRow.customer_id == customer_id)
    if state is not None:
        query = query.where(PayerRow.state.in_([one for one, shown in _AS_MESSAGE.items() if shown is state]))
    if after is not None:
        same = and_(PayerRow.called_at == after[0], after[1] < MESSAGE_ID)
        query = query.where(or_(PayerRow.called_at > after[0], same))
    return query


def mail(session: Session, message_id: str) -> PayerRow | None:
    """Return whom the mail with this id was written to; None when this is the id of no such mail."""
    row = get(session, message_id.removeprefix(_MARK)) if message_id.startswith(_MARK) else None
    return row if row is not None and row.called_at is not None else None


def as_message(row: PayerRow) -> MessageRow:
    """Return the mail as lists show messages. It is no row of the table of messages, and goes to no contact."""
    assert row.called_at is not None
    left = row.state in {PayerState.SENT, PayerState.BOUNCED}
    return MessageRow(
        message_id=message_id_of(row.payer_id),
        customer_id=row.customer_id,
        step=MAIL,
        message=MAIL,
        channel=Channel.EMAIL,
        contact_id="",
        address=row.email,
        subject=row.subject or "",
        body=row.body or "",
        html=None,
        asks=False,
        amount=Decimal(0),
        state=_AS_MESSAGE[row.state],
        reason=row.reason,
        call=ProviderCall.ANSWERED,
        called_at=row.called_at,
        planned_at=row.named_at,
        claimed_at=row.called_at,
        sent_at=row.called_at if left else None,
        provider=row.provider,
        provider_id=row.provider_id,
    )


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
