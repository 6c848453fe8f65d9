"""The outbox: every claimed message and its state. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import POSTED, Channel, TextForm, in_form
from dunwell.domain.checkpoint import Sent
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.keys import COPIES, UNPOSTED, ContactId, task_ending
from dunwell.domain.terms import ENDS, TAKEN_STATES, MessageState, ProviderCall, Role
from dunwell.store.tables import CaseRow, ContactRow, MessageInvoiceRow, MessageRow, TaskRow

_GONE = [MessageState.BOUNCED, MessageState.FAILED, MessageState.WITHHELD]
_THERE = [MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNKNOWN]
_RETURNED = ".returned"
"""Suffix, followed by a number, of the step key of a returned message, once the contact has another address."""
_OF_INVOICE = (
    select(MessageRow)
    .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
    .where(MessageInvoiceRow.invoice_id == bindparam("invoice_id"))
    .order_by(MessageRow.claimed_at, MessageRow.message_id)
)
_OF_STEP = _OF_INVOICE.where(MessageInvoiceRow.step == bindparam("step"))
_LINKS = (
    select(MessageInvoiceRow)
    .where(MessageInvoiceRow.message_id == bindparam("message_id"))
    .order_by(MessageInvoiceRow.invoice_id, MessageInvoiceRow.step)
)
_EMAILS = (
    select(MessageRow.message_id)
    .where(
        MessageRow.message_id.in_(
            select(MessageInvoiceRow.message_id).where(MessageInvoiceRow.invoice_id == bindparam("invoice_id"))
        ),
        MessageRow.contact_id == bindparam("contact_id"),
        MessageRow.channel.in_(in_form(TextForm.MAIL)),
        MessageRow.state.in_(_THERE),
    )
    .order_by(MessageRow.claimed_at, MessageRow.message_id)
)
_WARNINGS = (
    select(MessageInvoiceRow.step, MessageRow)
    .join(MessageRow, MessageInvoiceRow.message_id == MessageRow.message_id)
    .where(MessageInvoiceRow.invoice_id == bindparam("invoice_id"), MessageInvoiceRow.warning)
    .order_by(MessageRow.claimed_at, MessageRow.message_id)
)
_TO_PEOPLE = (
    select(MessageRow)
    .where(
        or_(
            MessageRow.address_key.in_(bindparam("keys", expanding=True)),
            MessageRow.contact_id.in_(bindparam("contact_ids", expanding=True)),
        ),
        MessageRow.claimed_at > bindparam("since"),
        MessageRow.state.not_in(_GONE),
        MessageRow.call != ProviderCall.REFUSED,
    )
    .order_by(MessageRow.claimed_at)
)
_CARRYING = (
    select(MessageRow)
    .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
    .where(
        MessageInvoiceRow.invoice_id == bindparam("invoice_id"),
        MessageInvoiceRow.step == bindparam("step"),
        MessageInvoiceRow.channel == bindparam("channel"),
    )
    .order_by(MessageRow.claimed_at, MessageRow.message_id)
)


def find(
    session: Session, invoice_id: str, step: str, contact_id: str, channel: Channel, key: str
) -> MessageRow | None:
    """Return the message that carries this step of this invoice to this contact on this channel.

    Otherwise the one to another contact at the same address, whose address key is `key`: nobody is to read the same
    step twice. None when there is neither.
    """
    known = {"invoice_id": invoice_id, "step": step, "channel": channel.value}
    rows = session.scalars(_CARRYING, known).all()
    own = (row for row in rows if row.contact_id == contact_id)
    return next(own, None) or next((row for row in rows if row.address_key == key), None)


def make_room(session: Session, row: MessageRow, invoice_id: str, step: str) -> None:
    """Give the step key of a returned message a suffix, so that the step can be sent to the contact's new address."""
    link_row = session.get(MessageInvoiceRow, (invoice_id, step, row.contact_id, row.channel))
    if link_row is None or link_row.message_id != row.message_id:
        return
    earlier = session.scalars(
        select(MessageInvoiceRow.step).where(
            MessageInvoiceRow.invoice_id == invoice_id, MessageInvoiceRow.step.startswith(f"{step}{_RETURNED}")
        )
    ).all()
    link_row.step = f"{step}{_RETURNED}{len(earlier) + 1}"
    session.flush()


def returned_from(session: Session, invoice_id: str, step: str) -> set[str]:
    """Return the keys of the addresses from which this step of the invoice was returned."""
    query = (
        select(MessageRow.address_key)
        .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
        .where(MessageInvoiceRow.invoice_id == invoice_id, MessageInvoiceRow.step.startswith(f"{step}{_RETURNED}"))
    )
    return set(session.scalars(query))


def has_left(row: MessageRow) -> bool:
    """Return whether a provider has, had or may have the message, so that it must not be sent again."""
    return row.call == ProviderCall.ANSWERED and row.state not in {MessageState.CLAIMED, MessageState.WITHHELD}


def is_gone(row: MessageRow) -> bool:
    """Return whether the message was returned, or never accepted by a provider."""
    return row.state in _GONE


def unanswered_ids(session: Session, message_ids: Sequence[str]) -> set[str]:
    """Return those of these message ids that the outbox does not have, or has without a provider's answer."""
    if not message_ids:
        return set()
    answered = select(MessageRow.message_id).where(
        MessageRow.message_id.in_(message_ids), MessageRow.call == "answered"
    )
    return set(message_ids).difference(session.scalars(answered))


def get(session: Session, message_id: str) -> MessageRow | None:
    return session.get(MessageRow, message_id)


def add(session: Session, row: MessageRow) -> None:
    session.add(row)
    session.flush()


def link(
    session: Session,
    row: MessageRow,
    invoice_id: str,
    step: str,
    *,
    warning: bool,
    claimed: Decimal | None = None,
    claim_until: date | None = None,
) -> None:
    """Record that the message carries this step of this invoice, and what it claims beside the principal."""
    session.merge(
        MessageInvoiceRow(
            invoice_id=invoice_id,
            step=step,
            contact_id=row.contact_id,
            channel=row.channel,
            message_id=row.message_id,
            warning=warning,
            claimed=claimed,
            claim_until=claim_until,
        )
    )
    session.flush()


def claimed_by(session: Session, invoice_id: str, step: str) -> tuple[Decimal, date] | None:
    """Return the most that messages of this step claimed beside the principal, and until when; None for nothing.

    Messages that a provider surely did not take do not count.
    """
    query = (
        select(MessageInvoiceRow.claimed, MessageInvoiceRow.claim_until)
        .join(MessageRow, MessageRow.message_id == MessageInvoiceRow.message_id)
        .where(MessageInvoiceRow.invoice_id == invoice_id, MessageInvoiceRow.step == step)
        .where(MessageRow.state.not_in(_GONE), MessageRow.call != ProviderCall.REFUSED)
    )
    # Compared here: SQLite keeps amounts as text, and as text 9.00 is more than 12.00.
    found = [
        (claimed, until) for claimed, until in session.execute(query) if claimed is not None and until is not None
    ]
    return max(found, default=None)


def forget(session: Session, row: MessageRow) -> None:
    """Delete a message that was never sent, with its links to invoices. Those made for its reader stay."""
    session.execute(delete(MessageInvoiceRow).where(MessageInvoiceRow.message_id == row.message_id))
    session.delete(row)
    session.flush()


def unlink_others(session: Session, row: MessageRow, invoice_id: str) -> None:
    """Remove every other invoice from a message that was never sent."""
    session.execute(
        delete(MessageInvoiceRow).where(
            MessageInvoiceRow.message_id == row.message_id, MessageInvoiceRow.invoice_id != invoice_id
        )
    )
    session.flush()


def links(session: Session, message_id: str) -> Sequence[MessageInvoiceRow]:
    """Return the steps of invoices that the message carries."""
    return session.scalars(_LINKS, {"message_id": message_id}).all()


def of_invoice(session: Session, invoice_id: str, step: str | None = None) -> Sequence[MessageRow]:
    """Return the invoice's messages, or those of one step, oldest first."""
    if step is None:
        return session.scalars(_OF_INVOICE, {"invoice_id": invoice_id}).all()
    return session.scalars(_OF_STEP, {"invoice_id": invoice_id, "step": step}).all()


def unknown_to(session: Session, case: Case) -> list[Sent]:
    """Return the sent messages about this case that its copy does not know, or knows in another state."""
    known = {sent.message_id: sent.gone for sent in case.messages}
    sent = [row for row in of_invoice(session, case.invoice_id) if has_left(row)]
    return [
        Sent(
            message_id=row.message_id,
            contact_id=row.contact_id,
            channel=row.channel,
            message=row.message,
            at=row.claimed_at,
            carried={link.invoice_id: link.step for link in links(session, row.message_id)},
            gone=is_gone(row),
        )
        for row in sent
        if known.get(row.message_id) != is_gone(row)
    ]


def email_ids(session: Session, invoice_id: str, contact_id: str) -> Sequence[str]:
    """Return the ids of the e-mails about this invoice that this contact has or may have received, oldest first."""
    return session.scalars(_EMAILS, {"invoice_id": invoice_id, "contact_id": contact_id}).all()


def warnings(session: Session, invoice_id: str) -> Sequence[tuple[str, MessageRow]]:
    """Return the written warnings of this invoice, each with its step, oldest first."""
    return [(step, row) for step, row in session.execute(_WARNINGS, {"invoice_id": invoice_id})]


def delivered_warnings(session: Session, invoice_id: str) -> Sequence[tuple[str, MessageRow]]:
    """Return the written warnings of this invoice that were delivered, each with its step, oldest first."""
    return [(step, row) for step, row in warnings(session, invoice_id) if row.state == MessageState.DELIVERED]


def to_people(
    session: Session, keys: Collection[str], contact_ids: Collection[str], since: datetime
) -> Sequence[MessageRow]:
    """Return the messages to these addresses or contacts claimed after `since`, about any invoice, oldest first.

    Messages that were returned, withheld or certainly not accepted are left out.
    """
    known = {"keys": sorted(keys), "contact_ids": sorted(contact_ids), "since": since}
    return session.scalars(_TO_PEOPLE, known).all()


def sent_to_customer(
    session: Session, customer_id: str, channels: Collection[Channel], since: datetime, until: datetime
) -> list[datetime]:
    """Return when messages to this customer's people were claimed between the two, about any invoice, oldest first.

    Messages that were returned, withheld or certainly not accepted are left out, and those to our own people.
    """
    query = (
        select(MessageRow.claimed_at, MessageRow.contact_id)
        .where(MessageRow.customer_id == customer_id, MessageRow.channel.in_(channels))
        .where(MessageRow.claimed_at > since, MessageRow.claimed_at < until)
        .where(MessageRow.state.not_in(_GONE), MessageRow.call != ProviderCall.REFUSED)
        .order_by(MessageRow.claimed_at)
    )
    ours = Role.ACCOUNT_MANAGER.value
    return [at for at, contact_id in session.execute(query) if ContactId.parse(contact_id).role != ours]


def first_sent(session: Session, customer_id: str, message: str) -> datetime | None:
    """Return when this customer was first sent that message, about any invoice. Copies do not count."""
    query = (
        select(func.min(MessageRow.sent_at))
        .where(MessageRow.customer_id == customer_id, MessageRow.message == message)
        .where(MessageRow.state.in_(TAKEN_STATES), MessageRow.step.not_like(COPIES))
    )
    return session.scalars(query).one()


def unconfirmed(session: Session, before: datetime, most: int) -> Sequence[MessageRow]:
    """Return requests for payment accepted before that time whose delivery is unconfirmed, at most `most`.

    Not of rehearsals, and no letters: post is slow, and a letter that was not posted yet is not lost.
    """
    return session.scalars(
        _accepted_before(before).where(MessageRow.asks, MessageRow.channel.not_in(POSTED)).limit(most)
    ).all()


def unposted(session: Session, before: datetime, most: int) -> Sequence[MessageRow]:
    """Return letters accepted before that time that are neither posted nor confirmed and have no task yet."""
    asked = select(TaskRow.task_id).where(TaskRow.task_id == MessageRow.message_id + task_ending(UNPOSTED)).exists()
    return session.scalars(_accepted_before(before).where(MessageRow.channel.in_(POSTED), ~asked).limit(most)).all()


def letters(session: Session) -> Sequence[MessageRow]:
    """Return the letters, none of rehearsals, that are accepted and neither posted nor confirmed, oldest first."""
    query = (
        select(MessageRow)
        .where(MessageRow.channel.in_(POSTED), MessageRow.state == MessageState.ACCEPTED)
        .order_by(MessageRow.sent_at, MessageRow.message_id)
    )
    return [row for row in session.scalars(query) if not is_rehearsal(row.customer_id)]


def _accepted_before(before: datetime) -> Select[MessageRow]:
    """Select messages accepted before that time about an open case that is no rehearsal, oldest first."""
    return (
        select(MessageRow)
        .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
        .join(CaseRow, CaseRow.invoice_id == MessageInvoiceRow.invoice_id)
        .where(
            MessageRow.state == MessageState.ACCEPTED,
            MessageRow.sent_at < before,
            CaseRow.rehearsal.is_(False),
            CaseRow.stage.not_in([stage.value for stage in ENDS]),
        )
        .distinct()
        .order_by(MessageRow.sent_at)
    )


def unanswered_calls(session: Session, before: datetime) -> Sequence[MessageRow]:
    """Return messages whose provider call was begun before that time and is not answered, oldest first."""
    query = select(MessageRow).where(MessageRow.call == ProviderCall.BEGUN, MessageRow.called_at < before)
    found = session.scalars(query.order_by(MessageRow.called_at, MessageRow.message_id))
    return [row for row in found if links(session, row.message_id)]


def page(
    session: Session, invoice_id: str | None, after: tuple[datetime, str] | None, most: int
) -> Sequence[tuple[MessageRow, list[str]]]:
    """Return messages, or those of one invoice, with their invoices, in the order in which they were claimed.

    after  time of claim and id of a message: only those behind it
    """
    query = select(MessageRow).order_by(MessageRow.claimed_at, MessageRow.message_id).limit(most)
    if invoice_id is not None:
        ours = select(MessageInvoiceRow.message_id).where(MessageInvoiceRow.invoice_id == invoice_id)
        query = query.where(MessageRow.message_id.in_(ours))
    if after is not None:
        moment, message_id = after
        same = and_(MessageRow.claimed_at == moment, MessageRow.message_id > message_id)
        query = query.where(or_(MessageRow.claimed_at > moment, same))
    found = session.scalars(query).all()
    carried = select(MessageInvoiceRow).where(MessageInvoiceRow.message_id.in_([row.message_id for row in found]))
    invoices: dict[str, list[str]] = {}
    for link_row in session.scalars(carried.order_by(MessageInvoiceRow.invoice_id)):
        invoices.setdefault(link_row.message_id, []).append(link_row.invoice_id)
    return [(row, invoices.get(row.message_id, [])) for row in found]


def rows(session: Session, invoice_id: str | None = None) -> Sequence[tuple[MessageRow, list[str], str]]:
    """Return every message, or those of one invoice, with its invoices and its contact's role, oldest first."""
    messages = (
        of_invoice(session, invoice_id)
        if invoice_id is not None
        else session.scalars(select(MessageRow).order_by(MessageRow.claimed_at, MessageRow.message_id)).all()
    )
    invoices: dict[str, list[str]] = {}
    for carried in session.scalars(select(MessageInvoiceRow).order_by(MessageInvoiceRow.invoice_id)):
        invoices.setdefault(carried.message_id, []).append(carried.invoice_id)
    roles = {row.contact_id: row.role for row in session.scalars(select(ContactRow))}
    return [(row, invoices.get(row.message_id, []), roles.get(row.contact_id, "")) for row in messages]
