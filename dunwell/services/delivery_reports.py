"""Applies provider events: delivery reports, opt-outs and replies, in one way whether by webhook, lookup or by hand.

Call inside a transaction that holds the locks of the customers concerned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.events import DeliveryReport
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.keys import UNPOSTED, StepKey, TaskId
from dunwell.domain.terms import ENDS, MessageState, ProviderCall
from dunwell.domain.timeline import Entry
from dunwell.gateways.events import ProviderEvent
from dunwell.services import person_tasks
from dunwell.store import addresses, cases, conversations, notes, outbox, provider_events, tasks, timeline
from dunwell.store.tables import CaseRow, ContactRow, MessageRow

_RANK = {
    MessageState.CLAIMED: 0,
    MessageState.UNKNOWN: 0,
    MessageState.ACCEPTED: 1,
    MessageState.DELIVERED: 2,
    MessageState.FAILED: 2,
    MessageState.BOUNCED: 3,  # a bounce may follow a delivery: the mailbox took it and gave it back
}
_NOT_ARRIVED = frozenset({MessageState.BOUNCED, MessageState.FAILED})
_MAY_ARRIVE = frozenset({MessageState.CLAIMED, MessageState.UNKNOWN, MessageState.ACCEPTED, MessageState.DELIVERED})


def report(
    session: Session,
    row: MessageRow,
    state: MessageState,
    code: str | None,
    at: datetime,
    now: datetime,
    closes: str | None = None,
) -> list[str]:
    """Take in what became of a message: its state, the timelines of its invoices, its address.

    `at` is when it happened, `now` the time of the timeline entries. `closes` ("stopped", "bounced") shuts the
    address; a bounce always does. Returns the ids of the invoices concerned: none when it was known before.
    """
    closes = closes or ("bounced" if state is MessageState.BOUNCED else None)
    if closes:
        addresses.close(session, row.channel, row.address, closes, now, rehearsal=is_rehearsal(row.customer_id))
    before = row.state
    if _RANK.get(state, 0) <= _RANK.get(before, 3):
        return []
    row.state, row.reason = state, code
    row.settled_at = None if state is MessageState.ACCEPTED else at
    # The provider knows the message: a call whose answer got lost is answered by that.
    row.call, row.sent_at = ProviderCall.ANSWERED, row.sent_at or at
    if row.channel.facts.posted and state is not MessageState.ACCEPTED:
        task_id = str(TaskId.of(row.message_id, UNPOSTED))
        tasks.close_task(session, task_id, f"the letter is {state.value}", now)
    if before is MessageState.UNKNOWN:
        task_id = str(TaskId.of(row.message_id, "unknown"))
        tasks.close_task(session, task_id, f"the provider reported: {state.value}", now)
    session.flush()
    links = outbox.links(session, row.message_id)
    for link in links:
        timeline.write(session, link.invoice_id, [_entry(row, link.step, state, code, now)])
    return [link.invoice_id for link in links]


def not_arrived(session: Session, row: MessageRow, invoice_id: str, state: MessageState) -> str | None:
    """The step that has to reach further because of this report; None when it must not, or need not any more.

    Asked of a report that was written down before, the answer is the same, so that a signal may follow later.
    """
    step = step_of(session, row.message_id, invoice_id)
    if step is None or state not in _NOT_ARRIVED or row.state not in _NOT_ARRIVED:
        return None
    key = StepKey.parse(step)
    if key.copied or key.round != _round(session, invoice_id):
        return None  # a copy reaches no further, nor does what was said before the due date moved
    same = (
        other
        for other in outbox.of_invoice(session, invoice_id, step)
        if other.contact_id == row.contact_id and other.message_id != row.message_id
    )
    if any(other.state in _MAY_ARRIVE for other in same):
        return None
    return key.step


def _round(session: Session, invoice_id: str) -> int:
    case = cases.get(session, invoice_id)
    return case.progress.round if case is not None else 1


def arrived(row: MessageRow, state: MessageState) -> bool:
    """Whether the message is now known to have arrived."""
    return state is MessageState.DELIVERED and row.state == MessageState.DELIVERED


def step_of(session: Session, message_id: str, invoice_id: str) -> str | None:
    """The step of this invoice that a message carries out; None when the message is not about the invoice."""
    links = outbox.links(session, message_id)
    return next((link.step for link in links if link.invoice_id == invoice_id), None)


# What a webhook brings -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AppliedEvent:
    """The result of applying a provider event.

    tell    the invoices whose cases must act: they get `report` as a signal
    later   the message is not known yet: the worker that sends it may not have recorded it, or the database was
            restored from an older copy and only the case knows it
    noted   what the person wrote was kept as a note
    """

    report: DeliveryReport | None = None
    tell: tuple[str, ...] = ()
    later: bool = False
    noted: bool = False


def owners(session: Session, provider_event: ProviderEvent) -> tuple[str, ...]:
    """The ids of the customers whom a provider event is about, in the order in which they are locked."""
    found = set[str]()
    row = provider_events.message(session, provider_event.message_id, provider_event.provider_id)
    if row is not None:
        found.add(row.customer_id)
    if _about_address(provider_event):
        found.update(contact.customer_id for contact in _people(session, provider_event, row))
    return tuple(sorted(found))


def apply(session: Session, provider_event: ProviderEvent, now: datetime) -> AppliedEvent:
    """Apply a provider event at server time `now`. Applying it again changes nothing."""
    row = provider_events.message(session, provider_event.message_id, provider_event.provider_id)
    if _about_address(provider_event):
        return _apply_to_people(session, provider_event, row, now)
    if provider_event.state is None:
        return AppliedEvent()
    if row is None:
        named = provider_event.message_id is not None or provider_event.provider_id is not None
        return AppliedEvent(later=named and provider_event.state is not MessageState.ACCEPTED)
    at = _time_of_report(session, row, provider_event, now)
    code = None if provider_event.state is MessageState.DELIVERED else provider_event.code
    affected = report(session, row, provider_event.state, code, at, at, provider_event.closes)
    tell = tuple(one for one in affected if _must_act(session, row, one, provider_event.state))
    if not tell:
        return AppliedEvent()
    said = DeliveryReport.model_validate(
        {"message_id": row.message_id, "status": provider_event.state.value, "code": code, "at": at}
    )
    return AppliedEvent(report=said, tell=tell)


def _about_address(provider_event: ProviderEvent) -> bool:
    return provider_event.state is None and (
        provider_event.closes is not None or provider_event.reopens or provider_event.text is not None
    )


def _must_act(session: Session, row: MessageRow, invoice_id: str, state: MessageState) -> bool:
    """Whether the case has something to do: try another channel or contact, or look again at its warnings."""
    kept = cases.get_row(session, invoice_id)
    if kept is None:
        return False
    if state in _NOT_ARRIVED:
        return not_arrived(session, row, invoice_id, state) is not None
    links = outbox.links(session, row.message_id)
    if not (arrived(row, state) and any(link.warning for link in links if link.invoice_id == invoice_id)):
        return False
    return Case.model_validate(kept.state).outstanding.blocked_until is not None


def _time_of_report(session: Session, row: MessageRow, provider_event: ProviderEvent, now: datetime) -> datetime:
    """The provider's own time, never in the future; a rehearsal has a clock that no provider knows."""
    for link in outbox.links(session, row.message_id):
        kept = cases.get_row(session, link.invoice_id)
        if kept is not None and kept.rehearsal:
            return max(kept.updated_at, row.claimed_at)
    return min(provider_event.at or now, now)


# People --------------------------------------------------------------------------------------------------


def _apply_to_people(
    session: Session, provider_event: ProviderEvent, row: MessageRow | None, now: datetime
) -> AppliedEvent:
    people, rehearsal = _people(session, provider_event, row), row is not None and is_rehearsal(row.customer_id)
    if rehearsal:
        people = [person for person in people if is_rehearsal(person.customer_id)]
    ours = _ours(provider_event, row, people)
    if provider_event.text is not None and provider_event.address is not None:
        conversations.record_inbound(session, provider_event.channel, provider_event.address, now)
    if provider_event.closes is not None:
        for address in ours:
            addresses.close(session, provider_event.channel, address, provider_event.closes, now, rehearsal=rehearsal)
        _tell_timelines(session, provider_event, people, "opted_out", "wants no more messages by", now)
        return AppliedEvent()
    if provider_event.reopens and not rehearsal and _reopened(session, provider_event.channel, ours):
        _tell_timelines(session, provider_event, people, "opted_in", "wants messages again by", now)
        return AppliedEvent()
    if provider_event.text is not None:
        # A real reply raises a task of a real case: nobody looks at the tasks of a rehearsal.
        theirs = people if rehearsal else [one for one in people if not is_rehearsal(one.customer_id)]
        return AppliedEvent(noted=_replied(session, provider_event, theirs, now))
    return AppliedEvent()


def _reopened(session: Session, channel: Channel, ours: Sequence[str]) -> bool:
    """Take STOP back wherever it closed one of these addresses. False when it closed none."""
    undone = [addresses.reopen(session, channel, address) for address in ours]
    return any(undone)


def _people(session: Session, provider_event: ProviderEvent, row: MessageRow | None) -> Sequence[ContactRow]:
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


def _replied(session: Session, provider_event: ProviderEvent, people: Sequence[ContactRow], now: datetime) -> bool:
    """Keep a reply as a note and raise a task that refers to it. False when no case is open."""
    kept = next(iter(_open_cases(session, people)), None)
    if kept is None:
        return False
    at, note_id = _case_time(kept, now), f"{provider_event.channel.value}-{provider_event.event_id.partition('.')[0]}"
    person = next(one for one in people if one.customer_id == kept.customer_id)
    notes.add(
        session,
        note_id=note_id,
        invoice_id=kept.invoice_id,
        author=person.contact_id,
        text=provider_event.text or "(no text)",
        now=at,
    )
    label = provider_event.channel.facts.label
    why = f"customer replied by {label}: {person.contact_id} wrote note {note_id}; read it and answer"
    case = cases.get(session, kept.invoice_id)
    if case is not None:
        person_tasks.raise_task(
            session,
            case,
            task_id=str(TaskId.of("reply", note_id)),
            step="reply",
            contact_id=person.contact_id,
            reason=why,
            channel=provider_event.channel,
            ref=note_id,
            outlives_case=True,  # somebody wrote to us, and gets an answer even if the money has come
            now=at,
        )
    return True


def _open_cases(session: Session, people: Sequence[ContactRow]) -> list[CaseRow]:
    """Of the customers these people belong to, the newest invoice first."""
    found = provider_events.cases_of(session, {person.customer_id for person in people})
    return [kept for kept in found if kept.stage not in ENDS]


def _case_time(kept: CaseRow, now: datetime) -> datetime:
    return kept.updated_at if kept.rehearsal else now


def _entry(row: MessageRow, step: str, state: MessageState, code: str | None, now: datetime) -> Entry:
    reason = f"{row.message} by {row.channel} to {row.contact_id}: {state.value}" + (f" ({code})" if code else "")
    return Entry(
        key=f"{row.message_id}.{state.value}",
        at=now,
        kind=state.value,
        step=step,
        channel=row.channel,
        reason=reason,
        ref=row.message_id,
    )
