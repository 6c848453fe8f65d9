"""The webhook events of providers, each stored once, and the messages, contacts and cases they are about."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.terms import Role
from dunwell.store.tables import CaseRow, ContactRow, InvoiceRow, MessageRow, WebhookEventRow

_AT_ONCE = 500


def known(session: Session, provider: str, event_ids: Collection[str]) -> set[str]:
    """Return which of these events are stored already."""
    query = select(WebhookEventRow.event_id).where(
        WebhookEventRow.provider == provider, WebhookEventRow.event_id.in_(event_ids)
    )
    return set(session.scalars(query))


def add(
    session: Session,
    *,
    provider: str,
    event_id: str,
    kind: str,
    body: dict[str, Any],
    received_at: datetime,
    done_at: datetime | None,
) -> None:
    """Store an event. Raises IntegrityError when another transaction has just stored it."""
    session.add(
        WebhookEventRow(
            provider=provider, event_id=event_id, kind=kind, body=body, received_at=received_at, done_at=done_at
        )
    )
    session.flush()


def get(session: Session, provider: str, event_id: str) -> WebhookEventRow | None:
    return session.get(WebhookEventRow, (provider, event_id))


def waiting(session: Session) -> Sequence[WebhookEventRow]:
    """Return the oldest events that are not processed yet, at most 500."""
    return session.scalars(
        select(WebhookEventRow)
        .where(WebhookEventRow.done_at.is_(None))
        .order_by(WebhookEventRow.received_at, WebhookEventRow.event_id)
        .limit(_AT_ONCE)
    ).all()


def mark_done(session: Session, provider: str, event_id: str, now: datetime) -> None:
    row = session.get(WebhookEventRow, (provider, event_id))
    if row is not None:
        row.done_at = now
        session.flush()


def message(session: Session, message_id: str | None, provider_id: str | None) -> MessageRow | None:
    """Return the message with this message id, or else with this id of the provider; None when there is none."""
    if message_id is not None:
        return session.get(MessageRow, message_id)
    if provider_id is None:
        return None
    return session.scalars(select(MessageRow).where(MessageRow.provider_id == provider_id).limit(1)).first()


def contacts_at(session: Session, channel: Channel, address: str) -> Sequence[ContactRow]:
    """Return the contacts, of any customer, that have this address in any spelling.

    Postal addresses are compared as they are written: other tenants of a building must not be closed with it.
    """
    match channel.facts.address:
        case AddressKind.MAILBOX:
            here = func.lower(ContactRow.email) == address_key(channel, address)
        case AddressKind.POSTAL:
            here = ContactRow.post == address
        case AddressKind.NUMBER:
            here = ContactRow.phone == address_key(channel, address)
    return session.scalars(select(ContactRow).where(here).order_by(ContactRow.contact_id)).all()


def contact_ids_at(session: Session, contact: Contact) -> Sequence[str]:
    """Return the ids of the contact and of all others with the same phone number.

    Contacts of rehearsals and real contacts are kept apart.
    """
    if contact.phone is None or contact.role is Role.ACCOUNT_MANAGER:
        return [contact.contact_id]
    known = contacts_at(session, Channel.CALL, contact.phone)
    rehearsal = is_rehearsal(contact.contact_id)
    others = [row.contact_id for row in known if is_rehearsal(row.contact_id) == rehearsal]
    return sorted({contact.contact_id, *others})


def cases_of(session: Session, customer_ids: Collection[str]) -> Sequence[CaseRow]:
    """Return every case of these customers, the newest invoice first."""
    return session.scalars(
        select(CaseRow)
        .join(InvoiceRow, InvoiceRow.invoice_id == CaseRow.invoice_id)
        .where(CaseRow.customer_id.in_(customer_ids))
        .order_by(InvoiceRow.issued_on.desc(), CaseRow.invoice_id.desc())
    ).all()
