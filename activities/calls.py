"""Calls, visits and meetings: tasks for our people, each at an hour when it may be made and with what to say."""

from datetime import datetime
from typing import TypedDict

from sqlalchemy.orm import Session

from activities import caps, standstill
from activities.claims import Result, fresh
from activities.composing import compose, tongue
from activities.desk import Desk
from activities.errand import errand_for
from activities.job import Job
from activities.journal import note
from domain.case import Case
from domain.invoice import Contact
from domain.keys import ContactId, TaskId
from domain.terms import Channel
from store import addresses, invoices, tasks
from store.tables import TaskRow


class Words(TypedDict):
    """What to say, and the amount that it speaks of."""

    script: str
    agent_script: str | None
    amount: object
    currency: str


def job_of(session: Session, desk: Desk, case: Case, step: str, now: datetime, *, rehearsal: bool) -> Job | None:
    """The job of a call that was raised before; None when the ladder no longer has the step."""
    policy = desk.policy(session, case.policy)
    if not any(one.id == step for one in policy.steps):
        return None
    return Job(
        case=case,
        customer=invoices.get_debtor(session, case.invoice_id),
        policy=policy,
        calendar=desk.case_calendar(session, case, now),
        errand=errand_for(case, policy, step),
        now=now,
        planned_at=now,
        rehearsal=rehearsal,
    )


def words(session: Session, desk: Desk, job: Job, contact: Contact) -> Words:
    """The script for the debtor, and for our own people where they speak another language."""
    ours = None
    if desk.catalogue.language_for(tongue(desk, job)) != desk.catalogue.language_for(desk.agent_language):
        ours = compose(session, desk, [job], contact, desk.agent_language).call
    return {
        "script": compose(session, desk, [job], contact).call,
        "agent_script": ours,
        "amount": job.case.asked,
        "currency": job.case.currency,
    }


def raise_contact(session: Session, desk: Desk, job: Job, contact: Contact, channel: Channel) -> Result:
    """Ask our people to call, visit or meet this contact. Once; safe to repeat.

    Raises TooOften while a standstill is in force.
    """
    standstill.forbid(session, job)
    if fresh(session, job, desk.catalogue.traits[str(job.errand.message)].asks) is None:
        why = f"{job.errand.message}: no {channel.value} with {contact.contact_id}: nothing may be asked for now"
        note(session, job, f"{contact.contact_id}.{channel.value}.silent", "withheld", why, channel)
        return "silent"
    closed = _why_closed(session, job, contact, channel)
    if closed:
        note(session, job, f"{contact.contact_id}.{channel.value}.closed", "withheld", closed, channel)
        return "closed"
    due_at = _due_at(session, desk, job, contact, channel)
    text = f"{job.errand.message}: {channel.value} {contact.contact_id}"
    task = TaskRow(
        task_id=_task_id(job, contact, channel),
        invoice_id=job.case.invoice_id,
        step=job.errand.step,
        kind=channel.value,
        contact_id=contact.contact_id,
        due_at=due_at,
        reason=text,
        **words(session, desk, job, contact),
    )
    if tasks.add(session, task):
        when = f", not before {due_at:%Y-%m-%d %H:%M} UTC" if due_at > job.now else ""
        note(session, job, f"{channel.value}.{contact.contact_id}", "task", text + when, channel, task.task_id)
        replace_earlier(session, job, channel)
    return "reached"


def replace_earlier(session: Session, job: Job, channel: Channel) -> None:
    """One call is enough: those of earlier steps that nobody made are not made any more."""
    stale = [task for task in _of_other_steps(session, job) if task.kind == channel.value]
    _withdraw(session, job, stale)


def withdraw_retries(session: Session, job: Job) -> None:
    """The ladder has moved on, so nobody tries once more what an earlier step called about."""
    _withdraw(session, job, [task for task in _of_other_steps(session, job) if task.attempt > 1])


def _of_other_steps(session: Session, job: Job) -> list[TaskRow]:
    """What the debtor asked for is kept."""
    found = tasks.open_contacts(session, job.case.invoice_id)
    return [task for task in found if task.step != job.errand.step and not task.requested]


def _withdraw(session: Session, job: Job, stale: list[TaskRow]) -> None:
    tasks.withdraw(session, stale, f"replaced by {job.errand.step}", job.now)
    for task in stale:
        text = f"not made in time: {task.step} is replaced by {job.errand.step}"
        note(session, job, f"replaced.{task.task_id}", "task", text, Channel(task.kind), task.task_id)


def _task_id(job: Job, contact: Contact, channel: Channel) -> str:
    """Names no person. Only the first of a role who is called bears the plain name."""
    number = ContactId.parse(contact.contact_id).number
    which = [number] if number != "1" else []
    how = [channel.value] if channel is not Channel.CALL else []
    return str(TaskId.of(job.case.invoice_id, job.errand.key, contact.role.value, *which, *how))


def _why_closed(session: Session, job: Job, contact: Contact, channel: Channel) -> str | None:
    made = tasks.of_step(session, job.case.invoice_id, job.errand.step)
    if any(
        (task.contact_id, task.kind, task.result) == (contact.contact_id, channel, "wrong_number") for task in made
    ):
        return f"{contact.contact_id} is not there: no second {channel.value} for this step"
    if channel is not Channel.CALL or contact.phone is None:
        return None
    closed = addresses.why_closed(session, channel, contact.phone, rehearsal=job.rehearsal)
    return f"{contact.contact_id} is not called: the number {closed}" if closed else None


def _due_at(session: Session, desk: Desk, job: Job, contact: Contact, channel: Channel) -> datetime:
    """Now, unless this contact had calls enough or was talked with just now."""
    wait = caps.call_wait(session, job.policy, contact, job.now) if channel is Channel.CALL else None
    if wait is None:
        return job.now
    return desk.case_calendar(session, job.case, job.now).next_open(wait[0])
