"""Applies one verified provider event: a delivery report, STOP, START or a reply.

Call inside a transaction that holds the locks of the customers concerned.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.events import DeliveryReport
from dunwell.domain.reply_terms import ReplyChannel
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent
from dunwell.services import delivery_reports, replies, reply_owner
from dunwell.services.applied_event import AppliedEvent, CaseEvent
from dunwell.services.stop_and_replies import apply_to_people, is_about_address, people_of
from dunwell.store import digests, payers, provider_events


def owners_of(session: Session, provider_event: ProviderEvent) -> tuple[str, ...]:
    """The ids of the customers whom a provider event is about, in the order in which they are locked."""
    found = set[str]()
    row = provider_events.message(session, provider_event.message_id, provider_event.provider_id)
    if row is not None:
        found.add(row.customer_id)
    if is_about_address(provider_event):
        found.update(contact.customer_id for contact in people_of(session, provider_event, row))
        owner = reply_owner.find(session, provider_event) if provider_event.text is not None else None
        found.update(owner.customers if owner is not None else ())
    return tuple(sorted(found))


def apply(session: Session, provider_event: ProviderEvent, now: datetime) -> AppliedEvent:
    """Apply a provider event at server time `now`. Applying it again changes nothing."""
    row = provider_events.message(session, provider_event.message_id, provider_event.provider_id)
    if is_about_address(provider_event):
        settled = apply_to_people(session, provider_event, row, now)
        is_reply = provider_event.text is not None and (settled is None or provider_event.mail is not None)
        told = settled.events if settled is not None else ()
        return _with_reply(session, provider_event, told, now) if is_reply else AppliedEvent(told)
    if provider_event.state is None:
        return AppliedEvent()
    about = provider_event.message_id, provider_event.state, provider_event.code
    if row is None and (digests.report(session, *about) or payers.report(session, *about)):
        return AppliedEvent()
    if row is None:
        named = provider_event.message_id is not None or provider_event.provider_id is not None
        return AppliedEvent(later=named and provider_event.state is not MessageState.ACCEPTED)
    at = delivery_reports.time_of_report(session, row, provider_event, now)
    code = None if provider_event.state is MessageState.DELIVERED else provider_event.code
    affected = delivery_reports.report(session, row, provider_event.state, code, at, at, provider_event.closes)
    tell = [one for one in affected if delivery_reports.must_act(session, row, one, provider_event.state)]
    if not tell:
        return AppliedEvent()
    said = DeliveryReport(message_id=row.message_id, status=provider_event.state.value, code=code, at=at)
    return AppliedEvent((CaseEvent.report(said, tell),))


def _with_reply(
    session: Session, provider_event: ProviderEvent, told: tuple[CaseEvent, ...], now: datetime
) -> AppliedEvent:
    owner = reply_owner.find(session, provider_event)
    reply = replies.receive(session, provider_event, owner, now)
    channel = ReplyChannel(provider_event.channel)
    events = [CaseEvent.of_reply(reply.reply_id, channel, now, reply.tell)] if reply.tell else []
    return AppliedEvent((*told, *events), kept=True)
