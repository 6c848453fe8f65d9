"""What customers write to us: replies, the files that came with them, and the cases that rest because of them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, defer

from dunwell.domain.reply_terms import ReplyKind
from dunwell.store.tables import InvoiceRow, MessageInvoiceRow, MessageRow, ReplyCaseRow, ReplyFileRow, ReplyRow


def add(
    session: Session, row: ReplyRow, files: Sequence[ReplyFileRow] = (), cases: Sequence[ReplyCaseRow] = ()
) -> None:
    """Store a reply. Call it with the locks of the customers of `cases`."""
    session.add(row)
    session.flush()
    session.add_all([*files, *cases])
    session.flush()


def get(session: Session, reply_id: str) -> ReplyRow | None:
    return session.get(ReplyRow, reply_id)


def open_for(session: Session, customer_id: str) -> Sequence[ReplyRow]:
    """Return what persons wrote that concerns this customer and nobody has handled yet, oldest first.

    Under the customer's lock the answer holds until the transaction ends.
    """
    concerned = select(ReplyCaseRow.reply_id).where(ReplyCaseRow.customer_id == customer_id)
    query = (
        select(ReplyRow)
        .where(ReplyRow.handled_at.is_(None), ReplyRow.kind == ReplyKind.PERSON)
        .where(or_(ReplyRow.customer_id == customer_id, ReplyRow.reply_id.in_(concerned)))
        .order_by(ReplyRow.received_at, ReplyRow.reply_id)
    )
    return session.scalars(query).all()


def cases_of(session: Session, reply_id: str) -> Sequence[ReplyCaseRow]:
    """Return the cases that a reply concerns, by invoice id."""
    query = select(ReplyCaseRow).where(ReplyCaseRow.reply_id == reply_id)
    return session.scalars(query.order_by(ReplyCaseRow.invoice_id)).all()


def files_of(session: Session, reply_id: str) -> list[tuple[ReplyFileRow, bool]]:
    """Return the files that came with a reply, in their order and unread, each with whether it was kept."""
    query = select(ReplyFileRow, ReplyFileRow.content.is_not(None)).where(ReplyFileRow.reply_id == reply_id)
    found = session.execute(query.options(defer(ReplyFileRow.content)).order_by(ReplyFileRow.number))
    return [(row, kept) for row, kept in found]


def file(session: Session, reply_id: str, number: int) -> ReplyFileRow | None:
    """Return a file that came with a reply."""
    return session.get(ReplyFileRow, (reply_id, number))


def waiting(session: Session) -> Sequence[ReplyRow]:
    """Return the replies of people, known or not, that nobody has handled yet, oldest first."""
    query = select(ReplyRow).where(ReplyRow.handled_at.is_(None), ReplyRow.kind != ReplyKind.AUTOMATIC)
    return session.scalars(query.order_by(ReplyRow.received_at, ReplyRow.reply_id)).all()


def of_customer(session: Session, customer_id: str) -> Sequence[ReplyRow]:
    """Return all that concerns this customer, newest first."""
    concerned = select(ReplyCaseRow.reply_id).where(ReplyCaseRow.customer_id == customer_id)
    query = select(ReplyRow).where(or_(ReplyRow.customer_id == customer_id, ReplyRow.reply_id.in_(concerned)))
    return session.scalars(query.order_by(ReplyRow.received_at.desc(), ReplyRow.reply_id)).all()


def count_from(session: Session, sender_key: str, since: datetime) -> int:
    """Return how many replies came from this address since that time."""
    query = select(func.count()).select_from(ReplyRow)
    return session.scalar(query.where(ReplyRow.sender_key == sender_key, ReplyRow.received_at >= since)) or 0


def customers_of_message(session: Session, message_id: str) -> Sequence[str]:
    """Return the customers whose invoices a message is about."""
    query = (
        select(InvoiceRow.customer_id)
        .join(MessageInvoiceRow, MessageInvoiceRow.invoice_id == InvoiceRow.invoice_id)
        .where(MessageInvoiceRow.message_id == message_id)
        .distinct()
    )
    return session.scalars(query).all()


def latest_message_to(session: Session, address_key: str, customer_ids: Collection[str]) -> MessageRow | None:
    """Return the message that was last written to this address for one of these customers; None without one."""
    query = select(MessageRow).where(
        MessageRow.address_key == address_key, MessageRow.customer_id.in_(list(customer_ids))
    )
    return session.scalars(query.order_by(MessageRow.claimed_at.desc(), MessageRow.message_id).limit(1)).first()
