"""What providers tell about our messages and what people answer to them: one rule for every way it reaches us.

Call inside a transaction that holds the locks of the customers concerned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from activities import worklist
from domain.case import Case
from domain.events import DeliveryReport
from domain.invoice import is_rehearsal
from domain.keys import UNPOSTED, StepKey, TaskId
from domain.terms import ENDS, Channel, MessageState
from domain.timeline import Entry
from gateways.news import News
from store import addresses, cases, notes, outbox, tasks, timeline, webhooks
from store.tables import CaseRow, ContactRow, MessageRow

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
    address; a bounce always does. Returns the ids of the invoices concerned: none when it is old news.
    """
    closes = closes or ("bounced" if state is MessageState.BOUNCED else None)
    if closes:
        addresses.close(
            session, Channel(row.channel), row.address, closes, now, rehearsal=is_rehearsal(row.customer_id)
        )
    before = MessageState(row.state)
    if _RANK.get(state, 0) <= _RANK.get(before, 3):
        return []
    row.state, row.reason = state.value, code
    row.settled_at = None if state is MessageState.ACCEPTED else at
    # The provider knows the message: a call whose answer got lost is answered by that.
    row.call, row.sent_at = "answered", row.sent_at or at
    if row.channel == Channel.LETTER and state is not MessageState.ACCEPTED:
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
class Heard:
    """What came of a piece of news.

    tell    the cases that must act, which hear `report` as a signal
    later   the message is not known yet: its own sender may still be writing it down
    noted   what the person wrote stands in a note
    """

    report: DeliveryReport | None = None
    tell: tuple[str, ...] = ()
    later: bool = False
    noted: bool = False


def owners(session: Session, news: News) -> tuple[str, ...]:
    """The customers whom news are about, in the order of their locks."""
    found = set[str]()
    row = webhooks.message(session, news.message_id, news.provider_id)
    if row is not None:
        found.add(row.customer_id)
    if _about_address(news):
        found.update(contact.customer_id for contact in _people(session, news, row))
    return tuple(sorted(found))


def hear(session: Session, news: News, now: datetime) -> Heard:
    """Take in one piece of news, at server time `now`. Hearing it again changes nothing."""
    row = webhooks.message(session, news.message_id, news.provider_id)
    if _about_address(news):
        return _hear_person(session, news, row, now)
    if news.state is None:
        return Heard()
    if row is None:
        return Heard(later=news.provider_id is not None and news.state is not MessageState.ACCEPTED)
    at = _time_of_report(session, row, news, now)
    code = None if news.state is MessageState.DELIVERED else news.code
    affected = report(session, row, news.state, code, at, at, news.closes)
    tell = tuple(one for one in affected if _must_act(session, row, one, news.state))
    if not tell:
        return Heard()
    said = DeliveryReport.model_validate(
        {"message_id": row.message_id, "status": news.state.value, "code": code, "at": at}
    )
    return Heard(report=said, tell=tell)


def _about_address(news: News) -> bool:
    return news.state is None and (news.closes is not None or news.reopens or news.text is not None)


def _must_act(session: Session, row: MessageRow, invoice_id: str, state: MessageState) -> bool:
    """A case is only woken when it has something to do: reach further, or look at its proof again."""
    kept = cases.get_row(session, invoice_id)
    if kept is None:
        return False
    if state in _NOT_ARRIVED:
        return not_arrived(session, row, invoice_id, state) is not None
    links = outbox.links(session, row.message_id)
    if not (arrived(row, state) and any(link.warning for link in links if link.invoice_id == invoice_id)):
        return False
    return Case.model_validate(kept.state).outstanding.blocked_until is not None


def _time_of_report(session: Session, row: MessageRow, news: News, now: datetime) -> datetime:
    """The provider's own time, never in the future; a rehearsal has a clock that no provider knows."""
    for link in outbox.links(session, row.message_id):
        kept = cases.get_row(session, link.invoice_id)
        if kept is not None and kept.rehearsal:
            return max(kept.updated_at, row.claimed_at)
    return min(news.at or now, now)


# People --------------------------------------------------------------------------------------------------


def _hear_person(session: Session, news: News, row: MessageRow | None, now: datetime) -> Heard:
    people, rehearsal = _people(session, news, row), row is not None and is_rehearsal(row.customer_id)
    if rehearsal:
        people = [person for person in people if is_rehearsal(person.customer_id)]
    ours = _ours(news, row, people)
    if news.closes is not None:
        for address in ours:
            addresses.close(session, news.channel, address, news.closes, now, rehearsal=rehearsal)
        _tell_timelines(session, news, people, "opted_out", "wants no more messages by", now)
        return Heard()
    if news.reopens and not rehearsal and [one for one in ours if addresses.reopen(session, news.channel, one)]:
        _tell_timelines(session, news, people, "opted_in", "wants messages again by", now)
        return Heard()
    if news.text is not None:
        # Whoever answers in earnest is heard in earnest: nobody looks at the tasks of a rehearsal.
        theirs = people if rehearsal else [one for one in people if not is_rehearsal(one.customer_id)]
        return Heard(noted=_replied(session, news, theirs, now))
    return Heard()


def _people(session: Session, news: News, row: MessageRow | None) -> Sequence[ContactRow]:
    address = news.address or (row.address if row is not None else None)
    return webhooks.contacts_at(session, news.channel, address) if address else ()


def _ours(news: News, row: MessageRow | None, people: Sequence[ContactRow]) -> list[str]:
    """The addresses that news are about. An unknown number is kept; an unknown mailbox may belong to other mail of
    the same account, which is none of our business."""
    told = news.address if people or news.channel is Channel.SMS else None
    return [address for address in (row.address if row is not None else None, told) if address]


def _tell_timelines(
    session: Session, news: News, people: Sequence[ContactRow], kind: str, what: str, now: datetime
) -> None:
    for kept in _open_cases(session, people):
        for person in people:
            if person.customer_id == kept.customer_id:
                entry = Entry(
                    key=f"{news.event_id}.{person.contact_id}"[:300],
                    at=_case_time(kept, now),
                    kind=kind,
                    channel=news.channel.value,
                    reason=f"{person.contact_id} {what} {news.channel.value} ({news.kind})",
                )
                timeline.write(session, kept.invoice_id, [entry])


def _replied(session: Session, news: News, people: Sequence[ContactRow], now: datetime) -> bool:
    """A person reads it: the words go into a note, the task names the note. False when no case is open."""
    kept = next(iter(_open_cases(session, people)), None)
    if kept is None:
        return False
    at, note_id = _case_time(kept, now), f"sms-{news.event_id.partition('.')[0]}"
    person = next(one for one in people if one.customer_id == kept.customer_id)
    notes.add(
        session,
        note_id=note_id,
        invoice_id=kept.invoice_id,
        author=person.contact_id,
        text=news.text or "(no text)",
        now=at,
    )
    why = f"customer replied by SMS: {person.contact_id} wrote note {note_id}; read it and answer"
    case = cases.get(session, kept.invoice_id)
    if case is not None:
        worklist.raise_task(
            session,
            case,
            task_id=str(TaskId.of("reply", note_id)),
            step="reply",
            contact_id=person.contact_id,
            reason=why,
            channel=Channel.SMS,
            ref=note_id,
            outlives_case=True,  # somebody wrote to us, and gets an answer even if the money has come
            now=at,
        )
    return True


def _open_cases(session: Session, people: Sequence[ContactRow]) -> list[CaseRow]:
    """Of the customers these people belong to, the newest invoice first."""
    found = webhooks.cases_of(session, {person.customer_id for person in people})
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
