"""The queue of open tasks as the console shows it: many tasks, few facts of each, read in one query."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.terms import CONTACT_TASKS, TaskKind, TaskState
from dunwell.services.kind_questions import REASON, KindQuestion, open_questions
from dunwell.store import addresses
from dunwell.store.tables import ContactRow, CustomerRow, InvoiceRow, TaskRow
from dunwell.views.work_list import amount_of, place, to_find

_SOON = timedelta(hours=12)


class Urgency(StrEnum):
    """Under which heading a task stands, the most urgent first."""

    ESCALATED = "escalated"
    DUE = "due now"
    TODAY = "in the next hours"
    LATER = "later"


@dataclass(frozen=True)
class QueuedTask:
    """An open task. `amount` is what its script asks for, else what the invoice was over.

    to_find  nobody can be called or visited before somebody has found a number or an address
    """

    task_id: str
    kind: TaskKind
    urgency: Urgency
    due_at: datetime
    escalated_at: datetime | None
    amount: Decimal | None
    currency: str | None
    invoice_id: str
    number: str
    customer_id: str
    customer: str
    time_zone: str
    contact: str | None
    attempt: int
    requested: bool
    reason: str
    to_find: bool = False


def queued_tasks(session: Session, now: datetime, kind: TaskKind | None = None) -> list[QueuedTask]:
    """Return the open tasks of a kind, or all, the most urgent first; none of rehearsals."""
    query = (
        select(*_COLUMNS)
        .outerjoin(InvoiceRow, InvoiceRow.invoice_id == TaskRow.invoice_id)
        .outerjoin(CustomerRow, CustomerRow.customer_id == InvoiceRow.customer_id)
        .outerjoin(ContactRow, ContactRow.contact_id == TaskRow.contact_id)
        .where(TaskRow.state == TaskState.OPEN)
    )
    if kind is not None:
        query = query.where(TaskRow.kind == kind)
    rows = [row for row in session.execute(query) if not is_rehearsal(row.customer_id or "")]
    closed = addresses.closed_numbers(session, Channel.CALL, {row.phone for row in rows if row.phone})
    found = [_task(row, now, closed) for row in rows]
    if kind in {None, TaskKind.DECISION}:
        found += [_question(one, now) for one in open_questions(session)]
    return sorted(found, key=lambda one: place(one.escalated_at, one.due_at, one.amount, one.task_id))


_COLUMNS = (
    TaskRow.task_id,
    TaskRow.kind,
    TaskRow.due_at,
    TaskRow.escalated_at,
    TaskRow.amount,
    TaskRow.currency,
    TaskRow.invoice_id,
    TaskRow.attempt,
    TaskRow.requested,
    TaskRow.reason,
    InvoiceRow.number,
    InvoiceRow.amount.label("invoiced"),
    InvoiceRow.digits,
    InvoiceRow.currency.label("invoice_currency"),
    InvoiceRow.customer_id,
    CustomerRow.name.label("customer"),
    CustomerRow.time_zone,
    TaskRow.note_id,
    ContactRow.name.label("contact"),
    ContactRow.phone,
    ContactRow.post,
)
"""What the queue shows. Whole rows hold scripts and texts, and a thousand of them take too long."""


def _is_to_find(row: Any, closed: Collection[str]) -> bool:
    """As the work list says it; whoever asked for a call may have typed another number, which is read there."""
    if row.kind not in CONTACT_TASKS or (row.requested and row.note_id is not None):
        return False
    on_file = getattr(row, Channel(row.kind).facts.address.value)
    return to_find(row.kind, on_file, closed=on_file in closed, requested=row.requested) is not None


def _task(row: Any, now: datetime, closed: Collection[str]) -> QueuedTask:
    amount = amount_of(row.amount, row.invoiced)
    return QueuedTask(
        task_id=row.task_id,
        kind=row.kind,
        urgency=_urgency(row.escalated_at, row.due_at, now),
        due_at=row.due_at,
        escalated_at=row.escalated_at,
        amount=round(amount, row.digits) if amount is not None and row.digits is not None else amount,
        currency=row.currency or row.invoice_currency,
        invoice_id=row.invoice_id,
        number=row.number or row.invoice_id,
        customer_id=row.customer_id or "",
        customer=row.customer or "",
        time_zone=row.time_zone or "UTC",
        contact=row.contact,
        attempt=row.attempt,
        requested=row.requested,
        reason=row.reason,
        to_find=_is_to_find(row, closed),
    )


def _question(asked: KindQuestion, now: datetime) -> QueuedTask:
    return QueuedTask(
        task_id=asked.task_id,
        kind=TaskKind.DECISION,
        urgency=_urgency(None, asked.due_at, now),
        due_at=asked.due_at,
        escalated_at=None,
        amount=round(asked.case.amount, asked.case.digits),
        currency=asked.case.currency,
        invoice_id=asked.case.invoice_id,
        number=asked.case.number,
        customer_id=asked.case.customer_id,
        customer=asked.case.customer,
        time_zone=asked.case.time_zone,
        contact=None,
        attempt=1,
        requested=False,
        reason=REASON,
    )


def _urgency(escalated_at: datetime | None, due_at: datetime, now: datetime) -> Urgency:
    if escalated_at is not None:
        return Urgency.ESCALATED
    if due_at <= now:
        return Urgency.DUE
    return Urgency.TODAY if due_at <= now + _SOON else Urgency.LATER
