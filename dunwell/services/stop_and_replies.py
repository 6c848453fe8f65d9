"""Applies STOP, which closes an address, and START, which opens it again. What else people write is a reply.

Call inside a transaction that holds the locks of the customers concerned.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.channels import AddressKind, Channel, stopped_with
from dunwell.domain.closed_addresses import BY_OWNER, told_to_cases
from dunwell.domain.events import ContactChange
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.terms import ENDS
from dunwell.domain.timeline import Entry
from dunwell.gateways.events import ProviderEvent
from dunwell.services.applied_event import AppliedEvent, CaseEvent
from dunwell.store import addresses, contacts, conversations, provider_events, timeline
from dunwell.store.tables import CaseRow, ContactRow, MessageRow


def is_about_address(provider_event: ProviderEvent) -> bool:
    return provider_event.state is None and (
        provider_event.closes is not None or provider_event.reopens or provider_event.text is not None
    )


def apply_to_people(
    session: Session, provider_event: ProviderEvent, row: MessageRow | None, now: datetime
) -> AppliedEvent | None:
    """Apply STOP or START, and return what the open cases of those whose address it is are told.

    None for all other text, which is a reply.
    """
    people, rehearsal = people_of(session, provider_event, row), row is not None and is_rehearsal(row.customer_id)
    if rehearsal:
        people = [person for person in people if is_rehearsal(person.customer_id)]
    ours = _ours(provider_event, row, people)
    if provider_event.text is not None and provider_event.address is not None:
        conversations.record_inbound(session, provider_event.channel, provider_event.address, now)
    channel, whom = provider_event.channel, [(one.customer_id, one.contact_id) for one in people]
    if provider_event.closes is not None:
        for address in ours:
            addresses.close(session, channel, address, provider_event.closes, now, rehearsal=rehearsal)
        _tell_timelines(session, provider_event, people, "opted_out", "wants no more messages by", now)
        return AppliedEvent(tuple(told_of_address(session, whom, channel, provider_event.closes)))
    if provider_event.reopens and not rehearsal and _reopened(session, channel, ours):
        _tell_timelines(session, provider_event, people, "opted_in", "wants messages again by", now)
        return AppliedEvent(tuple(told_of_address(session, whom, channel, None)))
    return None


def told_of_address(
    session: Session, whom: Sequence[tuple[str, str]], channel: Channel, closes: str | None
) -> list[CaseEvent]:
    """Return what the open cases of these people, each (customer, contact), are told of their address.

    closes: why it was closed; None: its owner opened it again.
    """
    by_owner = closes is None or closes in BY_OWNER
    channels = stopped_with(channel) if by_owner else (channel,)
    events = []
    for customer_id in dict.fromkeys(owner for owner, _ in whom):
        changes = [
            ContactChange(
                contact_id=contact, what="closed" if closes else "opened", reason=told_to_cases(closes), channel=one
            )
            for owner, contact in whom
            if owner == customer_id
            for one in channels
        ]
        open_now = [row.invoice_id for row in contacts.open_invoices(session, [customer_id])]
        if open_now:
            events.append(CaseEvent.of_changes("recipient" if by_owner else "provider", changes, open_now))
    return events


def _reopened(session: Session, channel: Channel, ours: Sequence[str]) -> bool:
    """Take STOP back wherever it closed one of these addresses. False when it closed none."""
    undone = [addresses.reopen(session, channel, address) for address in ours]
    return any(undone)


def people_of(session: Session, provider_event: ProviderEvent, row: MessageRow | None) -> Sequence[ContactRow]:
    address = provider_event.address or (row.address if row is not None else None)
    return provider_events.contacts_at(session, provider_event.channel, address) if address else ()


def _ours(provider_event: ProviderEvent, row: MessageRow | None, people: Sequence[ContactRow]) -> list[str]:
    """The addresses that a provider event is about. An unknown number is kept; an unknown mailbox is not, because the
    provider's account may also send other mail."""
    is_number = provider_event.channel.facts.address is AddressKind.NUMBER
    reported = provider_event.address if people or is_number else None
    return [address for address in (row.address if row is not None else None, reported) if address]


def _tell_timelines(
    session: Session, provider_event: ProviderEvent, people: Sequence[ContactRow], kind: str, what: str, now: datetime
) -> None:
    for kept in _open_cases(session, people):
        for person in people:
            if person.customer_id == kept.customer_id:
                entry = Entry(
                    key=f"{provider_event.event_id}.{person.contact_id}"[:300],
                    at=_case_time(kept, now),
                    kind=kind,
                    channel=provider_event.channel.value,
                    reason=f"{person.contact_id} {what} {provider_event.channel.value} ({provider_event.kind})",
                )
                timeline.write(session, kept.invoice_id, [entry])


def _open_cases(session: Session, people: Sequence[ContactRow]) -> list[CaseRow]:
    """Of the customers these people belong to, the newest invoice first."""
    found = provider_events.cases_of(session, {person.customer_id for person in people})
    return [kept for kept in found if kept.stage not in ENDS]


def _case_time(kept: CaseRow, now: datetime) -> datetime:
    return kept.updated_at if kept.rehearsal else now
