"""One customer, one message: the steps of the customer's other invoices that fall into the same send window.

Found inside the transaction that claims the message, under the customer's lock, so an invoice paid a moment before
is not among them. Each case records the message as its own step when its own turn comes.
"""

from dataclasses import replace
from datetime import time

from sqlalchemy.orm import Session

from activities import proof
from activities.desk import Desk
from activities.errand import errand_for
from activities.job import Job
from domain import agenda, ladder
from domain.calendar import BusinessCalendar
from domain.case import Case
from domain.invoice import Contact
from domain.policy import Step
from domain.terms import Channel, Late
from store import cases, contacts, ledger, outbox


def find(session: Session, desk: Desk, job: Job, contact: Contact, channel: Channel) -> list[Job]:
    """The other jobs that one message to `contact` on `channel` can carry as well, by invoice id."""
    own = job.errand.ladder
    if own is None:
        return []
    calendar = job.calendar
    closing = calendar.at(calendar.local_date(job.now), time(23, 59))
    due = cases.due_beside(session, job.case, closing, rehearsal=job.rehearsal)
    found = (_job_of(session, desk, job, other) for other in due)
    return [
        other
        for other in found
        if other is not None
        and _fits(own, other, contact, channel)
        and _is_meant_now(other, calendar)
        and proof.missing(session, other) is None
        and outbox.find(session, other.case.invoice_id, other.errand.key, contact.contact_id, channel) is None
        and any(one.contact_id == contact.contact_id for one in contacts.asked_about(session, other.case.invoice_id))
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
    if action.step in agenda.DATES or agenda.answer_message(action.step):
        return None
    policy = desk.policy(session, case.policy)
    errand = errand_for(case, policy, action.step)
    if job.errand.served:
        errand = errand.copied_from(job.errand.served)
    calendar = desk.calendar(job.customer, policy, case, job.now)
    return replace(job, case=case, policy=policy, calendar=calendar, errand=errand, planned_at=action.at)


def _fits(own: Step, other: Job, contact: Contact, channel: Channel) -> bool:
    """Both speak to this contact on this channel, and do the same: a consequence is told with its like only."""
    step = other.errand.ladder
    return (
        step is not None
        and step.message is not None
        and contact.role in other.errand.to
        and channel in other.errand.by
        and all(one.role in step.to for one in other.errand.served)
        and own.does == step.does
        and own.asks == step.asks
    )


def _is_meant_now(other: Job, calendar: BusinessCalendar) -> bool:
    """The other ladder would do this step today, and not leave it out; or a bounce lets it reach further now."""
    if other.errand.again:
        return True
    step = other.errand.ladder
    if step is None or other.case.needs_yes(step):
        return False
    judged = ladder.judge(other.policy, agenda.standing(other.case), calendar, other.now)
    return judged is not None and judged.step == other.errand.step and judged.do is not Late.SKIP
