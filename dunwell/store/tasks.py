"""The tasks of people. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dunwell.domain.channels import CAPPED_CALLS, Channel
from dunwell.domain.events import CONVERSATIONS
from dunwell.domain.terms import CONTACT_TASKS, TaskKind, TaskState
from dunwell.store import notifications
from dunwell.store.tables import CaseRow, TaskRow

_CONTACTS = sorted(CONTACT_TASKS)
_OPEN = select(TaskRow).where(TaskRow.state == TaskState.OPEN).order_by(TaskRow.due_at)
_OPEN_OF_INVOICE = _OPEN.where(TaskRow.invoice_id == bindparam("invoice_id"))
_OPEN_OF_INVOICES = _OPEN.where(TaskRow.invoice_id.in_(bindparam("invoice_ids", expanding=True)))
_OF_CUSTOMER = select(TaskRow).join(CaseRow, CaseRow.invoice_id == TaskRow.invoice_id)
_OF_STEP = select(TaskRow).where(TaskRow.invoice_id == bindparam("invoice_id"), TaskRow.step == bindparam("step"))


def add(session: Session, task: TaskRow) -> bool:
    """Add a task, open, and tell subscribers. Returns False, and changes nothing, when there is one with this id."""
    if session.get(TaskRow, task.task_id) is not None:
        return False
    task.state = TaskState.OPEN
    session.add(task)
    session.flush()
    notifications.tell_task(session, task)
    return True


def add_again(session: Session, task: TaskRow, now: datetime) -> bool:
    """Add a task, or open it again when it was withdrawn. Returns False when it is open, or a person closed it."""
    known = session.get(TaskRow, task.task_id)
    if known is None or known.state != TaskState.WITHDRAWN:
        return add(session, task)
    reopen(session, known, task.reason, now)
    return True


def get(session: Session, task_id: str) -> TaskRow | None:
    return session.get(TaskRow, task_id)


def close_task(session: Session, task_id: str, outcome: str, now: datetime, result: str | None = None) -> bool:
    """Mark a task as done. Returns False when there is no such open task. `result` is the outcome's code alone."""
    row = session.get(TaskRow, task_id)
    if row is None or row.state != TaskState.OPEN:
        return False
    row.state, row.outcome, row.closed_at, row.result = TaskState.DONE, outcome, now, result
    session.flush()
    return True


def escalate(session: Session, task_id: str, at: datetime) -> None:
    """Mark an open task as reported to a manager at that time. Safe to repeat."""
    row = session.get(TaskRow, task_id)
    if row is None or row.state != TaskState.OPEN or row.escalated_at == at:
        return
    row.escalated_at = at
    session.flush()


def withdraw(session: Session, rows: Sequence[TaskRow], reason: str, now: datetime) -> None:
    """Withdraw these tasks."""
    for row in rows:
        row.state, row.outcome, row.closed_at = TaskState.WITHDRAWN, reason, now
    session.flush()


def reopen(session: Session, row: TaskRow, reason: str, now: datetime) -> None:
    """Open a withdrawn task again, due now, for this reason."""
    row.state, row.reason, row.due_at = TaskState.OPEN, reason, now
    row.outcome, row.closed_at = None, None
    session.flush()
    notifications.tell_task(session, row)


def open_tasks(session: Session, invoice_id: str | None = None) -> Sequence[TaskRow]:
    if invoice_id is None:
        return session.scalars(_OPEN).all()
    return session.scalars(_OPEN_OF_INVOICE, {"invoice_id": invoice_id}).all()


def open_of(session: Session, invoice_ids: Collection[str]) -> Sequence[TaskRow]:
    """Return the open tasks of these invoices, the earliest due first."""
    return session.scalars(_OPEN_OF_INVOICES, {"invoice_ids": list(invoice_ids)}).all()


def open_by_person(session: Session, invoice_id: str) -> Sequence[TaskRow]:
    """Return the open calls, visits and meetings of an invoice. Decisions are left out."""
    return [row for row in open_tasks(session, invoice_id) if row.kind in CONTACT_TASKS]


def of_step(session: Session, invoice_id: str, step: str) -> Sequence[TaskRow]:
    """Return every task of this step of the invoice, in any state."""
    return session.scalars(_OF_STEP, {"invoice_id": invoice_id, "step": step}).all()


def calls_to(session: Session, contact_ids: Collection[str], since: datetime, until: datetime) -> Sequence[datetime]:
    """Return when calls to these contacts were due between the two, oldest first, without withdrawn ones."""
    return session.scalars(
        select(TaskRow.due_at)
        .where(
            TaskRow.contact_id.in_(contact_ids),
            TaskRow.kind.in_(CAPPED_CALLS),
            TaskRow.due_at > since,
            TaskRow.due_at < until,
            TaskRow.state != TaskState.WITHDRAWN,
        )
        .order_by(TaskRow.due_at)
    ).all()


def last_conversation(
    session: Session, contact_ids: Collection[str], since: datetime, until: datetime
) -> datetime | None:
    """Return the time of the last conversation with one of these contacts between the two, about any invoice."""
    return session.scalar(
        select(TaskRow.closed_at)
        .where(
            TaskRow.contact_id.in_(contact_ids),
            TaskRow.result.in_(sorted(CONVERSATIONS)),
            TaskRow.closed_at > since,
            TaskRow.closed_at < until,
        )
        .order_by(TaskRow.closed_at.desc())
        .limit(1)
    )


def contacts_with(
    session: Session, customer_id: str, channels: Collection[Channel], since: datetime, until: datetime
) -> list[datetime]:
    """Return when calls, visits and meetings of these channels with the customer were due between the two.

    About any invoice, oldest first, without withdrawn ones.
    """
    kinds = [TaskKind(channel.value) for channel in channels if channel.facts.by_person]
    query = (
        _OF_CUSTOMER.with_only_columns(TaskRow.due_at)
        .where(CaseRow.customer_id == customer_id, TaskRow.kind.in_(kinds))
        .where(TaskRow.due_at > since, TaskRow.due_at < until)
        .where(TaskRow.state != TaskState.WITHDRAWN)
        .order_by(TaskRow.due_at)
    )
    return list(session.scalars(query))


def talks_with(session: Session, customer_id: str, since: datetime, until: datetime) -> list[datetime]:
    """Return the times of conversations with the customer's people between the two, oldest first."""
    query = (
        _OF_CUSTOMER.with_only_columns(TaskRow.closed_at)
        .where(CaseRow.customer_id == customer_id, TaskRow.closed_at > since, TaskRow.closed_at < until)
        .where(TaskRow.result.in_(sorted(CONVERSATIONS)))
        .order_by(TaskRow.closed_at)
    )
    return [at for at in session.scalars(query) if at is not None]


def overdue(session: Session, before: datetime, most: int) -> Sequence[tuple[TaskRow, CaseRow]]:
    """Return open calls, visits and meetings due before that time and not escalated; none of rehearsals."""
    query = (
        select(TaskRow, CaseRow)
        .join(CaseRow, CaseRow.invoice_id == TaskRow.invoice_id)
        .where(
            TaskRow.state == TaskState.OPEN,
            TaskRow.kind.in_(_CONTACTS),
            TaskRow.due_at < before,
            TaskRow.escalated_at.is_(None),
            CaseRow.rehearsal.is_(False),
        )
        .order_by(TaskRow.due_at)
        .limit(most)
    )
    return [(task, kept) for task, kept in session.execute(query)]
