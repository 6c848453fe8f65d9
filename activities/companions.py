"""One customer, one message: the steps of the customer's other invoices that fall into the same send window.

Found inside the transaction that claims the message, under the customer's lock, so an invoice paid a moment before
is not among them. Each case records the message as its own step when its own turn comes.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from activities import credits, proof
from activities.desk import Desk
from activities.errand import errand_for
from activities.job import Job
from domain import agenda, ladder
from domain.address import address_key
from domain.case import Case
from domain.invoice import Contact, Customer
from domain.keys import StepKey
from domain.policy import Step
from domain.terms import Channel, Late
from store import cases, contacts, invoices, ledger, outbox


def find(session: Session, desk: Desk, job: Job, contact: Contact, channel: Channel, address: str) -> list[Job]:
    """The other jobs that one message to `contact` at this address of `channel` can carry as well, by invoice id."""
    own = job.errand.ladder
    if own is None:
        return []
    if job.errand.copy_of is not None:
        return told_with(session, desk, job, job.errand.copy_of)
    key = address_key(channel, address, rehearsal=job.rehearsal)
    # Only by e-mail: a letter has one address window, an SMS no room for names. "Once" is said to each customer.
    others = job.shared_with if channel is Channel.EMAIL and own.once is None else ()
    due = cases.due_beside(session, job.case, job.closing, rehearsal=job.rehearsal, others=others)
    found = (_job_of(session, desk, job, other) for other in due)
    return [
        other
        for other in found
        if other is not None
        and _fits(own, other, _readers(session, other, channel, key), channel)
        and _is_meant_now(other)
        and proof.missing(session, other) is None
        and not _is_claimed(session, other, contact, channel, key)
    ]


def _is_claimed(session: Session, other: Job, contact: Contact, channel: Channel, key: str) -> bool:
    step = str(other.errand.key)
    return outbox.find(session, other.case.invoice_id, step, contact.contact_id, channel, key) is not None


def told_with(session: Session, desk: Desk, job: Job, message_id: str) -> list[Job]:
    """The other jobs that this message carries, by invoice id, whatever their cases have done since.

    For its copies. An invoice whose ladder has lost the step is left out.
    """
    found = []
    for link in outbox.links(session, message_id):
        case = cases.get(session, link.invoice_id)
        if link.invoice_id == job.case.invoice_id or case is None:
            continue
        case = case.with_paid(ledger.paid(session, case.invoice_id))
        policy = desk.policy(session, case.policy)
        key = StepKey.parse(link.step)
        if any(one.id == key.step for one in policy.steps):
            errand = replace(errand_for(case, policy, key.step), key=key)
            errand = errand.copied_from(job.errand.served, message_id)
            customer = _debtor(session, job, case)
            calendar = desk.calendar(customer, policy, case, job.now)
            found.append(replace(job, case=case, customer=customer, policy=policy, calendar=calendar, errand=errand))
    return found


def _readers(session: Session, job: Job, channel: Channel, key: str) -> list[Contact]:
    """Who of those asked about the job's invoice reads what comes to this address, in whatever role."""
    found = ((one, one.address(channel)) for one in contacts.asked_about(session, job.case.invoice_id))
    return [
        one
        for one, address in found
        if address is not None and address_key(channel, address, rehearsal=job.rehearsal) == key
    ]


def firmness(job: Job) -> tuple[bool, bool, int]:
    """How firm a step is: what it announces, whether it presses after the due date, how late on the ladder."""
    step = job.errand.ladder
    if step is None:
        return False, False, 0
    return bool(step.announces), step.warning, step.days_after_due or 0


def _job_of(session: Session, desk: Desk, job: Job, case: Case) -> Job | None:
    """The other case's errand, by the figures of this transaction; None when it has nothing to ask for now."""
    action = case.next_action
    case = case.with_paid(ledger.paid(session, case.invoice_id))
    if action is None or case.resting or case.asked <= 0 or case.currency != job.case.currency:
        return None
    if credits.cover(session, case):
        return None
    if action.step in agenda.DATES or agenda.answer_message(action.step):
        return None
    policy = desk.policy(session, case.policy)
    errand = errand_for(case, policy, action.step)
    customer = _debtor(session, job, case)
    if customer.language != job.customer.language:
        return None
    calendar = desk.calendar(customer, policy, case, job.now)
    return replace(
        job,
        case=case,
        customer=customer,
        policy=policy,
        calendar=calendar,
        errand=errand,
        planned_at=action.at,
    )


def _debtor(session: Session, job: Job, case: Case) -> Customer:
    """The customer of another case: the job's own, or one of those with whom its messages are shared."""
    if case.customer_id == job.case.customer_id:
        return job.customer
    return invoices.get_debtor(session, case.invoice_id)


def _fits(own: Step, other: Job, readers: Sequence[Contact], channel: Channel) -> bool:
    """Both speak to one of these on this channel, and do the same: a consequence is told with its like only."""
    step = other.errand.ladder
    return (
        step is not None
        and step.message is not None
        and any(one.role in other.errand.to for one in readers)
        and channel in other.errand.by
        and own.does == step.does
        and own.asks == step.asks
    )


def _is_meant_now(other: Job) -> bool:
    """The other ladder would do this step today, and not leave it out; or a bounce lets it reach further now."""
    if not other.calendar.is_open(other.now):
        return False
    if other.errand.again:
        return True
    step = other.errand.ladder
    if step is None or other.case.needs_yes(step):
        return False
    judged = ladder.judge(other.policy, agenda.standing(other.case), other.calendar, other.now)
    return judged is not None and judged.step == other.errand.step and judged.do is not Late.SKIP
