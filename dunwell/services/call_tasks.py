"""Calls, visits and meetings: tasks for our people, each at an hour when it may be made and with what to say."""

from datetime import datetime
from typing import TypedDict

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.keys import ContactId, TaskId
from dunwell.domain.terms import TaskKind, TaskState
from dunwell.intake import address_checks
from dunwell.intake.refusals import InvalidValue
from dunwell.services import contact_caps, customer_waits, standstill
from dunwell.services.composing import compose, language_of
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.message_claims import Result, fresh
from dunwell.services.step_execution import execution_for
from dunwell.store import addresses, invoices, notes, tasks
from dunwell.store.tables import TaskRow


class Words(TypedDict):
    """What to say, and the amount that it speaks of."""

    script: str
    agent_script: str | None
    amount: object
    currency: str


def dispatch_of(
    session: Session, deps: Dependencies, case: Case, step: str, now: datetime, *, rehearsal: bool
) -> Dispatch | None:
    """The job of a call that was raised before; None when the ladder no longer has the step."""
    policy = deps.policy(session, case.policy)
    if not any(one.id == step for one in policy.steps):
        return None
    return Dispatch(
        case=case,
        customer=invoices.get_customer_of(session, case.invoice_id),
        policy=policy,
        calendar=deps.case_calendar(session, case, now),
        execution=execution_for(case, policy, step),
        now=now,
        planned_at=now,
        rehearsal=rehearsal,
    )


def words(session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact) -> Words:
    """The call script in the debtor's language, and in our agents' language where that differs."""
    ours = None
    if deps.catalogue.language_for(language_of(deps, dispatch)) != deps.catalogue.language_for(deps.agent_language):
        ours = compose(session, deps, [dispatch], contact, deps.agent_language).call
    return {
        "script": compose(session, deps, [dispatch], contact).call,
        "agent_script": ours,
        "amount": dispatch.case.asked,
        "currency": dispatch.case.currency,
    }


def number_asked_for(session: Session, task: TaskRow) -> str | None:
    """The number at which they asked to be called, if they typed one; None for the number on file."""
    note = notes.get(session, task.note_id) if task.kind is TaskKind.CALL else None
    if note is None:
        return None
    try:
        return address_checks.phone(note.text, invoices.get_customer_of(session, task.invoice_id).country)
    except InvalidValue:  # a clerk's note about the call
        return None


def raise_contact(
    session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact, channel: Channel
) -> Result:
    """Ask our people to call, visit or meet this contact. Once; safe to repeat.

    Raises TooOften while a standstill is in force, or something of the customer's waits for us.
    """
    standstill.forbid(session, dispatch)
    customer_waits.forbid(session, dispatch, presses=True)
    if fresh(session, deps, dispatch) is None:
        message = dispatch.execution.message
        why = f"{message}: no {channel.value} with {contact.contact_id}: nothing may be asked for now"
        note(session, dispatch, f"{contact.contact_id}.{channel.value}.silent", "withheld", why, channel)
        return "silent"
    closed = _why_closed(session, dispatch, contact, channel)
    if closed:
        note(session, dispatch, f"{contact.contact_id}.{channel.value}.closed", "withheld", closed, channel)
        return "closed"
    due_at = _due_at(session, deps, dispatch, contact, channel)
    text = f"{dispatch.execution.message}: {channel.value} {contact.contact_id}"
    task = TaskRow(
        task_id=_task_id(dispatch, contact, channel),
        invoice_id=dispatch.case.invoice_id,
        step=dispatch.execution.step,
        kind=TaskKind(channel.value),
        contact_id=contact.contact_id,
        due_at=due_at,
        reason=text,
        **words(session, deps, dispatch, contact),
    )
    if tasks.add(session, task):
        when = f", not before {due_at:%Y-%m-%d %H:%M} UTC" if due_at > dispatch.now else ""
        note(session, dispatch, f"{channel.value}.{contact.contact_id}", "task", text + when, channel, task.task_id)
        replace_earlier(session, dispatch, channel)
    return "reached"


def replace_earlier(session: Session, dispatch: Dispatch, channel: Channel) -> None:
    """Withdraw the open calls of earlier steps: the new call replaces them."""
    stale = [task for task in _of_other_steps(session, dispatch) if task.kind == channel.value]
    _withdraw(session, dispatch, stale)


def withdraw_retries(session: Session, dispatch: Dispatch) -> None:
    """Withdraw the further attempts of earlier steps: the ladder has moved on."""
    _withdraw(session, dispatch, [task for task in _of_other_steps(session, dispatch) if task.attempt > 1])


def _of_other_steps(session: Session, dispatch: Dispatch) -> list[TaskRow]:
    """The open calls of other steps, except those that the debtor asked for."""
    found = tasks.open_by_person(session, dispatch.case.invoice_id)
    return [task for task in found if task.step != dispatch.execution.step and not task.requested]


def _withdraw(session: Session, dispatch: Dispatch, stale: list[TaskRow]) -> None:
    tasks.withdraw(session, stale, f"replaced by {dispatch.execution.step}", dispatch.now)
    for task in stale:
        text = f"not made in time: {task.step} is replaced by {dispatch.execution.step}"
        note(session, dispatch, f"replaced.{task.task_id}", "task", text, Channel(task.kind), task.task_id)


def _task_id(dispatch: Dispatch, contact: Contact, channel: Channel) -> str:
    """Names no person. Only the first of a role who is called bears the plain name."""
    number = ContactId.parse(contact.contact_id).number
    which = [number] if number != "1" else []
    how = [] if channel.facts.capped_calls else [channel.value]
    return str(TaskId.of(dispatch.case.invoice_id, dispatch.execution.key, contact.role.value, *which, *how))


def _why_closed(session: Session, dispatch: Dispatch, contact: Contact, channel: Channel) -> str | None:
    made = tasks.of_step(session, dispatch.case.invoice_id, dispatch.execution.step)
    wrong = (contact.contact_id, TaskKind(channel.value), "wrong_number")
    if any((task.contact_id, task.kind, task.result) == wrong for task in made):
        return f"{contact.contact_id} is not there: no second {channel.value} for this step"
    address = contact.address(channel)
    mine = [task for task in made if (task.contact_id, task.kind) == (contact.contact_id, channel.value)]
    if address is None and any(task.state is TaskState.WITHDRAWN for task in mine):
        return f"{contact.contact_id} has no address for a {channel.value} any more"
    if not channel.facts.closable or address is None:
        return None
    closed = addresses.why_closed(session, channel, address, rehearsal=dispatch.rehearsal)
    return f"{contact.contact_id} is not called: the number {closed}" if closed else None


def _due_at(session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact, channel: Channel) -> datetime:
    """Now, unless this contact had calls enough or was talked with just now."""
    customer, now = dispatch.customer, dispatch.now
    wait = contact_caps.person_wait(session, deps, dispatch.policy, customer, contact, channel, now)
    if wait is None:
        return dispatch.now
    return deps.case_calendar(session, dispatch.case, dispatch.now).next_open(wait[0])
