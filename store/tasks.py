"""What people have to do. Call inside a transaction that holds the customer's lock."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.tables import TaskRow


def raise_task(
    session: Session,
    *,
    task_id: str,
    invoice_id: str,
    step: str,
    kind: str,
    contact_id: str | None,
    due_at: datetime,
    reason: str,
    script: str,
) -> bool:
    """Add a task once. False when it was raised before."""
    if session.get(TaskRow, task_id) is not None:
        return False
    session.add(
        TaskRow(
            task_id=task_id,
            invoice_id=invoice_id,
            step=step,
            kind=kind,
            contact_id=contact_id,
            due_at=due_at,
            reason=reason,
            script=script,
            state="open",
        )
    )
    session.flush()
    return True


def close_task(session: Session, task_id: str, outcome: str, now: datetime) -> bool:
    """Mark a task done. False when there is no such open task."""
    row = session.get(TaskRow, task_id)
    if row is None or row.state != "open":
        return False
    row.state, row.outcome, row.closed_at = "done", outcome, now
    session.flush()
    return True


def withdraw_calls(session: Session, invoice_id: str, reason: str, now: datetime) -> list[str]:
    """Nobody needs to call any more. Decisions for a person stay. Returns the ids withdrawn."""
    withdrawn = []
    for row in open_tasks(session, invoice_id):
        if row.kind == "call":
            row.state, row.outcome, row.closed_at = "withdrawn", reason, now
            withdrawn.append(row.task_id)
    session.flush()
    return withdrawn


def withdraw_approvals(session: Session, invoice_id: str, reason: str, now: datetime) -> None:
    """Nobody needs to say yes or no any more."""
    for row in open_tasks(session, invoice_id):
        if row.kind == "approval":
            row.state, row.outcome, row.closed_at = "withdrawn", reason, now
    session.flush()


def open_tasks(session: Session, invoice_id: str | None = None) -> Sequence[TaskRow]:
    query = select(TaskRow).where(TaskRow.state == "open").order_by(TaskRow.due_at)
    if invoice_id is not None:
        query = query.where(TaskRow.invoice_id == invoice_id)
    return session.scalars(query).all()


def calls_to(session: Session, contact_id: str, since: datetime) -> Sequence[datetime]:
    """When this contact was to be called after `since`, oldest first; calls that were withdrawn do not count."""
    return session.scalars(
        select(TaskRow.due_at)
        .where(
            TaskRow.contact_id == contact_id,
            TaskRow.kind == "call",
            TaskRow.due_at > since,
            TaskRow.state != "withdrawn",
        )
        .order_by(TaskRow.due_at)
    ).all()
