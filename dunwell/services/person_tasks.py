"""Tasks for a person: what has to be decided, about which invoice, and whom to talk to.

What changes by itself is not written into a task: names, phone numbers, the amount that is open and the command
that closes it are looked up when somebody reads the list (dunwell/views/work_list.py).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import NO_CALLS
from dunwell.domain.contact import Contact
from dunwell.domain.keys import TaskId
from dunwell.domain.questions import Question
from dunwell.domain.terms import Role, TaskKind, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services.dispatch import Dispatch
from dunwell.store import addresses, cases, invoices, tasks, timeline
from dunwell.store.tables import TaskRow


def raise_task(
    session: Session,
    case: Case,
    *,
    task_id: str,
    step: str,
    reason: str,
    now: datetime,
    kind: TaskKind = TaskKind.DECISION,
    contact_id: str | None = None,
    due_at: datetime | None = None,
    amount: Decimal | None = None,
    outlives_case: bool = False,
    channel: Channel | None = None,
    ref: str | None = None,
) -> bool:
    """Ask a person to do something about this case, once, and say so in its timeline. False: asked before.

    reason         what happened and what to do, in whole sentences; no name, address or number of a person in it
    contact_id     whom it is about; None takes the debtor's person who can best be called
    due_at         when it has to be done; None is now
    amount         the sum it is about; None is what is asked for at the time of reading
    outlives_case  it stays when the case ends, such as money to give back; others are withdrawn then
    ref            what the timeline refers to; None is the task
    """
    task = TaskRow(
        task_id=task_id,
        invoice_id=case.invoice_id,
        step=step,
        kind=kind,
        contact_id=contact_id or _best_to_call(session, case),
        due_at=due_at or now,
        reason=reason,
        script="",
        amount=amount,
        currency=case.currency if amount is not None else None,
        outlives_case=outlives_case,
    )
    if not tasks.add(session, task):
        return False
    entry = Entry(
        key=f"task.{task_id}"[:300],
        at=now,
        kind="task",
        step=step or None,
        channel=channel.value if channel else None,
        reason=reason,
        ref=ref or task_id,
    )
    timeline.write(session, case.invoice_id, [entry])
    return True


def raise_about_step(
    session: Session, dispatch: Dispatch, topic: str, reason: str, kind: TaskKind = TaskKind.DECISION
) -> None:
    """Ask a person about the step that is carried out, once for each topic."""
    raise_task(
        session,
        dispatch.case,
        task_id=str(TaskId.of(dispatch.case.invoice_id, dispatch.execution.key, topic)),
        step=dispatch.execution.step,
        reason=reason,
        now=dispatch.now,
        kind=kind,
    )


def reopen(session: Session, case: Case, task: TaskRow, reason: str, now: datetime, due_at: datetime) -> None:
    """Ask again what was withdrawn or closed before, and say so in the timeline."""
    tasks.reopen(session, task, reason, due_at)
    key = f"task.{task.task_id}.{now:%Y%m%d%H%M}"[:300]
    entry = Entry(key=key, at=now, kind="task", step=task.step or None, reason=reason, ref=task.task_id)
    timeline.write(session, case.invoice_id, [entry])


def ask(
    session: Session,
    case: Case,
    questions: Sequence[Question],
    before: Collection[str],
    now: datetime,
    later: timedelta,
) -> None:
    """Raise a task for each question, and withdraw those of former questions (`before`, by task) that are answered.

    What a person closed while it is still open is asked again after `later`.
    """
    for question in questions:
        task_id = question.task_id
        known = tasks.get(session, task_id)
        if known is not None and _heard(known, question):
            continue
        if known is None:
            raise_task(
                session,
                case,
                task_id=task_id,
                step="",
                reason=question.reason,
                now=now,
                due_at=question.due_at,
                outlives_case=question.outlives_case,
            )
        elif known.state != TaskState.OPEN:
            asked_again = known.state == TaskState.DONE and question.escalated_at is None
            again = now + later if asked_again else question.due_at
            reopen(session, case, known, question.reason, now, again)
        else:
            known.reason = question.reason
        if question.escalated_at is not None:
            tasks.escalate(session, task_id, question.escalated_at)
    for task_id in set(before) - {question.task_id for question in questions}:
        task = tasks.get(session, task_id)
        if task is not None and task.state == TaskState.OPEN:
            withdraw(session, case, [task], "it is decided", now)


def _heard(task: TaskRow, question: Question) -> bool:
    """Whether a manager closed the task since they were told of it the last time."""
    told = question.escalated_at
    return told is not None and task.state == TaskState.DONE and task.closed_at is not None and task.closed_at >= told


def withdraw_needless(session: Session, case: Case, now: datetime) -> None:
    """Take back what nobody has to do any more: all tasks of a case that has ended, the calls of one that rests.

    What outlives the case stays, and so does a call that the debtor asked for while money is open.
    """
    if case.ended:
        needless = [task for task in tasks.open_tasks(session, case.invoice_id) if not task.outlives_case]
    elif case.resting:
        needless = [task for task in tasks.open_by_person(session, case.invoice_id) if not task.requested]
    else:
        return
    withdraw(session, case, needless, case.rests_because, now)


def withdraw(session: Session, case: Case, found: Sequence[TaskRow], why: str, now: datetime) -> None:
    """Take these tasks back, with a line in the timeline for each."""
    tasks.withdraw(session, found, why, now)
    for task in found:
        entry = Entry(
            key=f"withdraw.{task.task_id}"[:300],
            at=now,
            kind="task",
            step=task.step or None,
            reason=f"the {task.kind} is not needed: {why}",
            ref=task.task_id,
        )
        timeline.write(session, case.invoice_id, [entry])


def close(session: Session, case: Case, task: TaskRow, by: str, now: datetime) -> None:
    """A person has done it; nothing follows from that for the case."""
    tasks.close_task(session, task.task_id, f"done, by {by}", now, "done")
    reason = f"{task.kind} done, by {by}"
    entry = Entry(key=f"done.{task.task_id}"[:300], at=now, kind="task", reason=reason, ref=task.task_id)
    timeline.write(session, case.invoice_id, [entry])


def can_be_called(session: Session, case: Case) -> bool:
    """Whether somebody of the debtor's has a number that may be called."""
    return any(_has_open_number(session, case, contact) for contact in _debtors(session, case))


def wants_no_calls(session: Session, case: Case) -> bool:
    """Whether somebody of the debtor's told us that they want no more calls."""
    closed = (_why_not_called(session, case, contact) for contact in _debtors(session, case))
    return NO_CALLS in closed


def _best_to_call(session: Session, case: Case) -> str | None:
    """The debtor's person with a number that works, accounts payable before others; without any number the first."""

    def rank(contact: Contact) -> tuple[bool, bool]:
        return not _has_open_number(session, case, contact), contact.role is not Role.ACCOUNTS_PAYABLE

    theirs = _debtors(session, case)
    return min(theirs, key=rank).contact_id if theirs else None


def _has_open_number(session: Session, case: Case, contact: Contact) -> bool:
    return contact.phone is not None and not _why_not_called(session, case, contact)


def _why_not_called(session: Session, case: Case, contact: Contact) -> str | None:
    """Why the contact's number is closed to calls; None for one that is open, and without a number."""
    if contact.phone is None:
        return None
    row = cases.get_row(session, case.invoice_id)
    rehearsal = bool(row and row.rehearsal)
    return addresses.why_closed(session, Channel.CALL, contact.phone, rehearsal=rehearsal)


def _debtors(session: Session, case: Case) -> list[Contact]:
    """The debtor's people; none where the customer is missing, which the task may be about."""
    try:
        contacts = invoices.get_customer_of(session, case.invoice_id).contacts
    except LookupError:
        return []
    return [contact for contact in contacts if contact.role is not Role.ACCOUNT_MANAGER]
