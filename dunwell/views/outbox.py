"""The messages as people read them, with what became of each: to debtors, and to those whom they named as payers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import false, func, select, union_all
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.terms import MessageState
from dunwell.store import outbox, payers
from dunwell.store.tables import MessageRow, PayerRow
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice

Place = tuple[datetime, str]
"""When a message was claimed, and its id: the order of lists."""


def messages(session: Session, invoice_id: str | None = None) -> list[Facts]:
    """All messages, or those about one invoice. Raises Refused when nobody registered that invoice."""
    if invoice_id is not None:
        find_invoice(session, invoice_id)
    found = [(row, carried) for row, carried, _ in outbox.rows(session, invoice_id)]
    found += _carried(session.scalars(payers.mails(invoice_id=invoice_id)).all())
    return [_facts(row, carried) for row, carried in sorted(found, key=lambda one: _place(one[0]))]


def message_page(
    session: Session, invoice_id: str | None, after: Place | None, most: int
) -> list[tuple[Place, Facts]]:
    """Messages in the order in which they were claimed, at most `most`, each after its time of claim and id.

    after: the last one seen. Raises Refused when nobody registered that invoice.
    """
    if invoice_id is not None:
        find_invoice(session, invoice_id)
    mails = payers.mails(invoice_id=invoice_id, after=after).order_by(*payers.IN_ORDER).limit(most)
    found = [*outbox.page(session, invoice_id, after, most), *_carried(session.scalars(mails).all())]
    found.sort(key=lambda one: _place(one[0]))
    return [(_place(row), _facts(row, carried)) for row, carried in found[:most]]


def latest(
    session: Session,
    state: MessageState | None,
    channel: Channel | None,
    customer_id: str | None,
    first: int,
    most: int,
) -> tuple[list[MessageRow], int]:
    """Return the messages from number `first` on, at most `most`, the latest first, and how many there are."""
    messages = select(MessageRow.message_id, MessageRow.claimed_at)
    if state is not None:
        messages = messages.where(MessageRow.state == state)
    if channel is not None:
        messages = messages.where(MessageRow.channel == channel)
    if customer_id is not None:
        messages = messages.where(MessageRow.customer_id == customer_id)
    mails = payers.mails(customer_id=customer_id, state=state).with_only_columns(
        payers.MESSAGE_ID, PayerRow.called_at
    )
    if channel not in {None, Channel.EMAIL}:
        mails = mails.where(false())
    total = sum(session.scalar(select(func.count()).select_from(one.subquery())) or 0 for one in (messages, mails))
    nearest = [  # each part by its own index, before the two become one
        select(query.order_by(at.desc(), key).limit(first + most).subquery())
        for query, at, key in (
            (messages, MessageRow.claimed_at, MessageRow.message_id),
            (mails, PayerRow.called_at, PayerRow.payer_id),
        )
    ]
    both = union_all(*nearest).subquery()
    key, at = both.c
    ids = session.scalars(select(key).order_by(at.desc(), key).offset(first).limit(most)).all()
    rows = {row.message_id: row for row in session.scalars(select(MessageRow).where(MessageRow.message_id.in_(ids)))}
    return [rows.get(one) or _mail(session, one) for one in ids], total


def of_customer(session: Session, customer_id: str, most: int) -> list[MessageRow]:
    """Return the customer's latest messages, at most `most`, oldest first."""
    return latest(session, None, None, customer_id, 0, most)[0][::-1]


def of_invoice(session: Session, invoice_id: str) -> list[MessageRow]:
    """Return the messages about an invoice, oldest first."""
    mails = _carried(session.scalars(payers.mails(invoice_id=invoice_id)).all())
    return sorted([*outbox.of_invoice(session, invoice_id), *(row for row, _ in mails)], key=_place)


def one_message(session: Session, message_id: str) -> tuple[MessageRow, list[str]] | None:
    """Return a message and the invoices that it is about; None when there is none of this id."""
    mail = payers.mail(session, message_id)
    if mail is not None:
        return payers.as_message(mail), [mail.invoice_id]
    row = outbox.get(session, message_id)
    return (row, sorted({link.invoice_id for link in outbox.links(session, message_id)})) if row is not None else None


def _mail(session: Session, message_id: str) -> MessageRow:
    row = payers.mail(session, message_id)
    assert row is not None
    return payers.as_message(row)


def _carried(mails: Sequence[PayerRow]) -> list[tuple[MessageRow, list[str]]]:
    return [(payers.as_message(row), [row.invoice_id]) for row in mails]


def _place(row: MessageRow) -> Place:
    return row.claimed_at, row.message_id


def _facts(row: MessageRow, carried: list[str]) -> Facts:
    """What is not known of a message is left out."""
    facts = {
        "message_id": row.message_id,
        "invoices": carried,
        "step": row.step,
        "channel": row.channel,
        "contact": row.contact_id or None,
        "to": row.address,
        "state": row.state,
        "reason": row.reason,
        "subject": row.subject or None,
        "body": row.body,
        "planned_at": row.planned_at,
        "sent_at": row.sent_at,
        "provider_id": row.provider_id,
        "rehearsal": is_rehearsal(row.customer_id),
    }
    return {name: value for name, value in facts.items() if value is not None}
