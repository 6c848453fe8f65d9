"""Finds the steps of the customer's other invoices that one message can carry: those due in the same send window.

Found inside the transaction that claims the message, under the customer's lock, so an invoice paid a moment before
is not among them. Each case records the message as its own step when its own turn comes.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from dunwell.domain import ladder, next_action
from dunwell.domain.address import address_key
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer
from dunwell.domain.keys import StepKey
from dunwell.domain.policy import Step
from dunwell.domain.terms import Late
from dunwell.services import credits, customer_waits, message_facts, warning_proof
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.step_execution import execution_for
from dunwell.store import cases, contacts, invoices, outbox, payments


def find(
    session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact, channel: Channel, address: str
) -> list[Dispatch]:
    """The other jobs that one message to `contact` at this address of `channel` can carry as well, by invoice id."""
    own = dispatch.execution.ladder
    if own is None:
        return []
    if dispatch.execution.copy_of is not None:
        return carried_jobs(session, deps, dispatch, dispatch.execution.copy_of)
    key = address_key(channel, address, rehearsal=dispatch.rehearsal)
    # "Once" is said to each customer.
    others = dispatch.shared_with if channel.facts.carries_group and own.once is None else ()
    due = cases.due_beside(session, dispatch.case, dispatch.closing, rehearsal=dispatch.rehearsal, others=others)
    found = (_dispatch_of(session, deps, dispatch, other) for other in due)
    fitting = [
        other
        for other in found
        if other is not None
        and _fits(own, other, _readers(session, other, channel, key), channel)
        and _is_meant_now(other)
        and warning_proof.missing(session, deps, other) is None
        and not _is_claimed(session, other, contact, channel, key)
    ]
    return _of_one_consequence(dispatch, fitting)


def met_with(lead: Dispatch, rest: Sequence[Dispatch]) -> list[Dispatch]:
    """Those of the other jobs of a message that its consequence meets as well as the leading one; often none."""
    consequence = message_facts.consequence_of(lead)
    if consequence is None:
        return []
    return [
        other
        for other in rest
        if other.customer.customer_id == lead.customer.customer_id
        and message_facts.consequence_of(other) == consequence
    ]


def _of_one_consequence(dispatch: Dispatch, others: Sequence[Dispatch]) -> list[Dispatch]:
    """Those of `others` that have no consequence, or the very one that the message announces or states.

    A message speaks of one consequence, on one day, for one customer: whoever is met by another one hears of it in a
    message of its own, or their access would be reduced unannounced (G2, G6).
    """
    own, theirs = message_facts.consequence_of(dispatch), [(one, message_facts.consequence_of(one)) for one in others]
    meeting = [(one, what) for one, what in theirs if what is not None]
    if own is None and not meeting:
        return list(others)
    lead, said = (dispatch, own) if own is not None else max(meeting, key=lambda pair: firmness(pair[0]))
    customer_id = lead.customer.customer_id
    return [one for one, what in theirs if what is None or (what == said and one.customer.customer_id == customer_id)]


def _is_claimed(session: Session, other: Dispatch, contact: Contact, channel: Channel, key: str) -> bool:
    step = str(other.execution.key)
    return outbox.find(session, other.case.invoice_id, step, contact.contact_id, channel, key) is not None


def carried_jobs(session: Session, deps: Dependencies, dispatch: Dispatch, message_id: str) -> list[Dispatch]:
    """The other jobs that this message carries, by invoice id, whatever their cases have done since.

    For its copies. An invoice whose ladder has lost the step is left out.
    """
    found = []
    for link in outbox.links(session, message_id):
        case = cases.get(session, link.invoice_id)
        if link.invoice_id == dispatch.case.invoice_id or case is None:
            continue
        case = case.with_paid(payments.paid(session, case.invoice_id))
        policy = deps.policy(session, case.policy)
        key = StepKey.parse(link.step)
        if any(one.id == key.step for one in policy.steps):
            execution = replace(execution_for(case, policy, key.step), key=key)
            execution = execution.copied_from(dispatch.execution.served, message_id)
            customer = _debtor(session, dispatch, case)
            calendar = deps.calendar(customer, policy, case, dispatch.now)
            found.append(
                replace(dispatch, case=case, customer=customer, policy=policy, calendar=calendar, execution=execution)
            )
    return found


def _readers(session: Session, dispatch: Dispatch, channel: Channel, key: str) -> list[Contact]:
    """Who of those asked about the job's invoice reads what comes to this address, in whatever role."""
    found = ((one, one.address(channel)) for one in contacts.for_invoice(session, dispatch.case.invoice_id))
    return [
        one
        for one, address in found
        if address is not None and address_key(channel, address, rehearsal=dispatch.rehearsal) == key
    ]


def firmness(dispatch: Dispatch) -> tuple[bool, bool, int]:
    """How firm a step is: by what it announces, whether it asks after the due date, and its place on the ladder."""
    step = dispatch.execution.ladder
    if step is None:
        return False, False, 0
    return bool(step.announces), step.warning, step.days_after_due or 0


def _dispatch_of(session: Session, deps: Dependencies, dispatch: Dispatch, case: Case) -> Dispatch | None:
    """The other case's step, by the amounts of this transaction; None when it has nothing to ask for now."""
    action = case.next_action
    case = case.with_paid(payments.paid(session, case.invoice_id))
    if action is None or case.resting or case.asked <= 0 or case.currency != dispatch.case.currency:
        return None
    if credits.cover(session, case):
        return None
    if action.step in next_action.DATES or next_action.answer_message(action.step):
        return None
    policy = deps.policy(session, case.policy)
    execution = execution_for(case, policy, action.step)
    customer = _debtor(session, dispatch, case)
    if customer.language != dispatch.customer.language:
        return None
    calendar = deps.calendar(customer, policy, case, dispatch.now)
    other = replace(
        dispatch,
        case=case,
        customer=customer,
        policy=policy,
        calendar=calendar,
        execution=execution,
        planned_at=action.at,
    )
    return None if customer_waits.wait_for(session, other, presses=True) else other


def _debtor(session: Session, dispatch: Dispatch, case: Case) -> Customer:
    """The customer of another case: the job's own, or one of those with whom its messages are shared."""
    if case.customer_id == dispatch.case.customer_id:
        return dispatch.customer
    return invoices.get_customer_of(session, case.invoice_id)


def _fits(own: Step, other: Dispatch, readers: Sequence[Contact], channel: Channel) -> bool:
    """Whether both go to one of `readers` on this channel and have the same consequence, or none."""
    step = other.execution.ladder
    return (
        step is not None
        and step.message is not None
        and any(one.role in other.execution.to for one in readers)
        and channel in other.execution.by
        and own.does == step.does  # nothing that is done today is told as if it were to come
        and own.asks == step.asks
    )


def _is_meant_now(other: Dispatch) -> bool:
    """The other ladder would do this step today, and not leave it out; or a bounce lets it reach further now."""
    if not other.calendar.is_open(other.now):
        return False
    if other.execution.again:
        return True
    step = other.execution.ladder
    if step is None or other.case.needs_yes(step):
        return False
    judged = ladder.judge(other.policy, next_action.standing(other.case), other.calendar, other.now)
    return judged is not None and judged.step == other.execution.step and judged.do is not Late.SKIP
