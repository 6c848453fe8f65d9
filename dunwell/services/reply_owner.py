"""Finds out whose reply it is: by the address it was sent to, the message it answers, or its sender's address.

Call inside a transaction, or before one to know whose locks are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.links import LinkKind
from dunwell.domain.reply_terms import FoundBy
from dunwell.domain.terms import Role
from dunwell.gateways.events import ProviderEvent
from dunwell.services.links import Links
from dunwell.store import outbox, provider_events, replies
from dunwell.store.tables import ContactRow, MessageRow


@dataclass(frozen=True)
class Owner:
    """Whose reply it is.

    customers   all whom it concerns; it is shown at the first
    message_id  our message that it answers
    forwarded   somebody else wrote it than the person to whom that message went
    """

    customers: tuple[str, ...]
    contact_id: str | None
    found_by: FoundBy
    message_id: str | None = None
    forwarded: bool = False


def find(session: Session, event: ProviderEvent) -> Owner | None:
    """Return whose reply it is; None when nobody knows."""
    return _by_message(session, event) or _by_address(session, event)


def _by_message(session: Session, event: ProviderEvent) -> Owner | None:
    mail = event.mail
    if mail is None:
        return None
    by_token = [(mail.of_token, FoundBy.TOKEN)] if mail.of_token else []
    for message_id, found_by in (*by_token, *((one, FoundBy.THREAD) for one in mail.answers)):
        row = outbox.get(session, message_id)
        if row is not None:
            return _of_message(session, event, row, found_by)
    return None


def with_token(session: Session, links: Links | None, event: ProviderEvent, now: datetime) -> ProviderEvent:
    """Return the event with the message whose reply address it was sent to. A revoked address counts as unknown."""
    for token in event.mail.tokens if event.mail and links else ():
        link = links.find(session, token, LinkKind.REPLY, now) if links else None
        if link is not None and event.mail is not None:
            return event.model_copy(update={"mail": event.mail.model_copy(update={"of_token": link.message_id})})
    return event


def _of_message(session: Session, event: ProviderEvent, row: MessageRow, found_by: FoundBy) -> Owner:
    concerned = replies.customers_of_message(session, row.message_id)
    others = sorted(one for one in concerned if one != row.customer_id)
    return Owner(
        customers=(row.customer_id, *others),
        contact_id=row.contact_id,
        found_by=found_by,
        message_id=row.message_id,
        forwarded=not event.address or _key(event.channel, event.address) != _key(row.channel, row.address),
    )


def _by_address(session: Session, event: ProviderEvent) -> Owner | None:
    """A person of several customers may mean any of them: it is shown at the one that was written to last."""
    people = _people_at(session, event)
    if not people or not event.address:
        return None
    customers = {person.customer_id for person in people}
    latest = replies.latest_message_to(session, _key(event.channel, event.address), customers)
    first = latest.customer_id if latest is not None else _with_newest_case(session, customers)
    return Owner(
        customers=(first, *sorted(customers - {first})),
        contact_id=next(person.contact_id for person in people if person.customer_id == first),
        found_by=FoundBy.ADDRESS,
    )


def _people_at(session: Session, event: ProviderEvent) -> Sequence[ContactRow]:
    """The customers' people at the address. Our own people are no customers, and nobody reads for a rehearsal."""
    found = provider_events.contacts_at(session, event.channel, event.address) if event.address else ()
    return [one for one in found if one.role is not Role.ACCOUNT_MANAGER and not is_rehearsal(one.customer_id)]


def _with_newest_case(session: Session, customers: set[str]) -> str:
    newest = next(iter(provider_events.cases_of(session, customers)), None)
    return newest.customer_id if newest is not None else min(customers)


def _key(channel: Channel, address: str) -> str:
    return address_key(channel, address)
