"""What the customer asks of our people: to look for a payment that they say has left, or to call them.

Call in the transaction that writes the event down. Safe to repeat.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain import announcements
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.events import OF_LINK, CallRequested, PaymentAnnounced
from dunwell.domain.recipients import is_debtors
from dunwell.domain.terms import TaskKind, TaskState
from dunwell.services import call_tasks, person_tasks
from dunwell.services.dependencies import Dependencies
from dunwell.store import contacts, tasks
from dunwell.store.tables import TaskRow


def look_for_payment(session: Session, case: Case, event: PaymentAnnounced, now: datetime) -> None:
    """Ask a person to look for the money. While they do, one task is enough: it gets what was said last."""
    reason = (
        f"{announcements.shown(case, event)}, says {event.by}. Look for it among unmatched money (starter.py "
        f"unmatched) and at the bank; book it with starter.py pay {case.invoice_id} AMOUNT --payment-id ID. Close "
        "this task if it is not there: chasing goes on by itself"
    )
    contact, running = _of_link(session, case, event.by), payment_search(session, case)
    if running is not None and running.state == TaskState.OPEN:
        running.reason, running.amount = reason, event.amount
        running.currency = case.currency if event.amount is not None else None
        running.contact_id = contact.contact_id if contact else running.contact_id
        running.note_id = event.ref or running.note_id
        return
    task_id = announcements.payment_task(case)
    person_tasks.raise_task(
        session,
        case,
        task_id=task_id,
        step="",
        reason=reason,
        now=now,
        contact_id=contact.contact_id if contact else None,
        amount=event.amount,
    )
    if (task := tasks.get(session, task_id)) is not None:
        task.note_id = event.ref


def payment_search(session: Session, case: Case) -> TaskRow | None:
    """The task to look for an announced payment: the open one, else that of the last announcement."""
    known = announcements.payment_tasks(case)
    found = [task for task in tasks.open_tasks(session, case.invoice_id) if task.task_id in known]
    return found[0] if found else tasks.get(session, known[-1])


def looks_for_payment(session: Session, case: Case) -> bool:
    """Whether they say that it is paid, and nobody has found yet that the payment is not there."""
    awaited, task = case.agreements.awaited, payment_search(session, case)
    if task is not None and task.state == TaskState.OPEN:
        return True
    if awaited is None or awaited.what != "payment":
        return False
    return task is None or task.closed_at is None or task.closed_at < awaited.since


def call(
    session: Session, deps: Dependencies, case: Case, event: CallRequested, now: datetime, *, rehearsal: bool
) -> None:
    """Raise the call at the hour asked for, moved into the hours in which people are called."""
    calendar = deps.case_calendar(session, case, now)
    due_at = calendar.next_open(event.at or now)
    asked = event.at.astimezone(calendar.zone) if event.at is not None else None
    moved = f"; at {asked:%H:%M on %Y-%m-%d}, as they asked, nobody is called" if asked not in {None, due_at} else ""
    task_id, contact = announcements.call_task(case), _of_link(session, case, event.by)
    person_tasks.raise_task(
        session,
        case,
        task_id=task_id,
        step="",
        reason=f"{event.by} asks to be called{moved}",
        now=now,
        kind=TaskKind.CALL,
        contact_id=contact.contact_id if contact else None,
        due_at=due_at,
        channel=Channel.CALL,
    )
    task = tasks.get(session, task_id)
    if task is None or task.state != TaskState.OPEN:
        return
    # The same request, moved to another hour or another number.
    task.due_at, task.requested, task.note_id = due_at, True, event.ref
    whom = contacts.get(session, task.contact_id)
    step = _last_contact(deps, session, case)
    if whom is None or step is None:
        return
    dispatch = call_tasks.dispatch_of(session, deps, case, step, now, rehearsal=rehearsal)
    if dispatch is not None:
        for name, value in call_tasks.words(session, deps, dispatch, whom).items():
            setattr(task, name, value)


def ask_again(session: Session, deps: Dependencies, case: Case, now: datetime) -> None:
    """Ask once more for what the case waits for again, because the payment that had ended it never came."""
    agreements, wanted = case.agreements, list[str]()
    if agreements.call is not None:
        wanted.append(agreements.call.task)
    if agreements.announced_payment is not None:
        wanted.append(announcements.payment_task(case))
    due_at = deps.case_calendar(session, case, now).next_open(now)
    for task_id in wanted:
        task = tasks.get(session, task_id)
        if task is not None and task.state == TaskState.WITHDRAWN:
            person_tasks.reopen(session, case, task, task.reason, now, max(task.due_at, due_at))


def _of_link(session: Session, case: Case, by: str) -> Contact | None:
    """The contact whose link it was; None for anybody else."""
    if not by.startswith(OF_LINK):
        return None
    name = by.removeprefix(OF_LINK)
    prefix = f"{case.customer_id}."
    contact = contacts.get(session, name if name.startswith(prefix) else prefix + name)
    return contact if contact is not None and is_debtors(contact) else None


def _last_contact(deps: Dependencies, session: Session, case: Case) -> str | None:
    """The step whose words a call uses: the last contact of the ladder that was made, else its first."""
    policy = deps.policy(session, case.policy)
    speaking = [step.id for step in policy.steps if step.contact]
    made = [done.step for done in case.progress.steps if done.step in speaking]
    return made[-1] if made else next(iter(speaking), None)
