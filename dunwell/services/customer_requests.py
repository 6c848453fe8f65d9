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


def look_for_payment(session: Session, case: Case, event: PaymentAnnounced, now: datetime) -> None:
    """Ask a person to look for the money."""
    reason = (
        f"{announcements.shown(case, event)}, says {event.by}. Look for it among unmatched money (starter.py "
        f"unmatched) and at the bank; book it with starter.py pay {case.invoice_id} AMOUNT --payment-id ID. Close "
        "this task if it is not there: chasing goes on by itself"
    )
    contact, task_id = _of_link(session, case, event.by), announcements.payment_task(case)
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
