"""Applies delivery reports to the outbox, in one way whether by webhook, lookup or by hand.

Call inside a transaction that holds the locks of the customers concerned.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.events import DeliveryReport
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.keys import UNPOSTED, StepId, StepKey, TaskId
from dunwell.domain.terms import MessageState, ProviderCall
from dunwell.domain.timeline import Entry
from dunwell.gateways.events import ProviderEvent
from dunwell.services import unsent_answers
from dunwell.store import addresses, cases, outbox, tasks, timeline
from dunwell.store.tables import MessageRow

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

    `at` is when it happened, `now` the time of the timeline entries. `closes` (as of a ProviderEvent) shuts the
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
        if state in _NOT_ARRIVED:
            unsent_answers.returned(session, link.invoice_id, link.step, state.value, now)
    return [link.invoice_id for link in links]


def not_arrived(session: Session, row: MessageRow, invoice_id: str, state: MessageState) -> str | None:
    """The step that has to reach further because of this report; None when it must not, or need not any more.

    Asked of a report that was written down before, the answer is the same, so that a signal may follow later.
    """
    step = step_of(session, row.message_id, invoice_id)
    if step is None or state not in _NOT_ARRIVED or row.state not in _NOT_ARRIVED:
        return None
    key = StepKey.parse(step)
    is_answer = StepId.parse(key.step).message is not None  # which belongs to no round
    if key.copied or not (is_answer or key.round == _round(session, invoice_id)):
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


def asks_elsewhere(session: Session, report: DeliveryReport, invoice_id: str) -> bool:
    """Whether a case that has ended has to act on this report: the message about what is left did not arrive."""
    case, step = cases.get(session, invoice_id), step_of(session, report.message_id, invoice_id)
    if case is None or step is None or MessageState(report.status) not in _NOT_ARRIVED:
        return False
    key = StepKey.parse(step)
    return not key.copied and case.asks_elsewhere(key.step)


def must_act(session: Session, row: MessageRow, invoice_id: str, state: MessageState) -> bool:
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


def time_of_report(session: Session, row: MessageRow, provider_event: ProviderEvent, now: datetime) -> datetime:
    """The provider's own time, never in the future; a rehearsal has a clock that no provider knows."""
    for link in outbox.links(session, row.message_id):
        kept = cases.get_row(session, link.invoice_id)
        if kept is not None and kept.rehearsal:
            return max(kept.updated_at, row.claimed_at)
    return min(provider_event.at or now, now)


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
