"""Payments that a provider reported and that no case could be told of: a person says which invoice they are for.

They stay with what their provider says of them (dunwell/store/billing_events.py), for its refunds and disputes name
them; so one is for one invoice, and is not split.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, unquote

from sqlalchemy.orm import Session

from dunwell.domain.billing_events import Paid, SubjectKind
from dunwell.domain.incoming import no_payment
from dunwell.domain.keys import TaskId
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TaskKind
from dunwell.services.named_invoice import named_invoice
from dunwell.services.submissions import Submission
from dunwell.services.waiting_payments import WaitingPayments
from dunwell.store import billing_events, cases, invoices, payments, tasks
from dunwell.store.database import Database
from dunwell.store.tables import BillingSubjectRow, TaskRow

_MARK = ":"
_TASK = "reported"


def entry_id_of(row: BillingSubjectRow) -> str:
    """Return the id under which people name it, such as stripe:pi_3Nabc; fit for an address of the web."""
    return f"{row.provider}{_MARK}{quote(row.subject, safe='').replace('%', '=')}"


def is_reported(entry_id: str) -> bool:
    """Whether this is the id of a payment that a provider reported."""
    return _MARK in entry_id


def find(session: Session, entry_id: str) -> BillingSubjectRow:
    """Return the payment of this id. Raises Refused for an unknown one."""
    provider, _, subject = entry_id.partition(_MARK)
    row = billing_events.get(session, provider, unquote(subject.replace("=", "%")))
    if row is None or row.kind is not SubjectKind.PAYMENT:
        raise no_payment(entry_id)
    return row


class ReportedPayments:
    """unmatched_days: after so many days a payment that no case could be told of is a person's task.

    submission: the form by which a person decides. A decision by one that was carried out raises AlreadyDone.
    """

    def __init__(self, database: Database, unmatched_days: int, submission: Submission | None = None) -> None:
        self._database, self._patience = database, timedelta(days=unmatched_days)
        self._waiting = WaitingPayments(database, submission)

    def ask_people(self, now: datetime) -> int:
        """Raise a task for each payment that waits for too long, once, and withdraw those of others.

        Returns how many were raised.
        """
        with self._database.writing_beside_customers() as session:
            waiting = {_task_id(row): row for row in billing_events.waiting(session, SubjectKind.PAYMENT)}
            opened = [one for one in tasks.open_tasks(session, "") if one.task_id.startswith(_TASK)]
            tasks.withdraw(session, [one for one in opened if one.task_id not in waiting], "it is decided", now)
            late = [row for row in waiting.values() if now - (row.decided_at or row.since) >= self._patience]
            return sum(tasks.add_again(session, _task(row, now), now) for row in late)

    def assign(
        self, entry_id: str, shares: Sequence[tuple[str, Decimal | None]], principal: Principal, now: datetime
    ) -> None:
        """Note which invoice the payment is for; its case is told at once. Raises Refused, NotAllowed."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.reading() as session:
            row = find(session, entry_id)
            invoice_id = _the_invoice(session, row, shares)
        self._waiting.assign(row.provider, row.subject, invoice_id, principal, now)

    def set_aside(self, entry_id: str, reason: str, principal: Principal, now: datetime) -> None:
        """Note that the payment is for no invoice known here. Raises Refused, NotAllowed."""
        with self._database.reading() as session:
            row = find(session, entry_id)
        self._waiting.dismiss(row.provider, row.subject, reason, principal, now)

    def undo(self, entry_id: str, principal: Principal, now: datetime) -> None:
        """Take the payment back from its invoice, or set it aside no more. Raises Refused, NotAllowed."""
        with self._database.reading() as session:
            row = find(session, entry_id)
        self._waiting.undo(row.provider, row.subject, principal, now)


def _task_id(row: BillingSubjectRow) -> str:
    return str(TaskId.of(_TASK, row.provider, row.subject))


def _task(row: BillingSubjectRow, now: datetime) -> TaskRow:
    reason = (
        f"{row.subject} of {row.provider} waits since {row.since:%Y-%m-%d}: {row.reason}. "
        f"See `starter.py unmatched`, then starter.py match {entry_id_of(row)} INVOICE"
    )
    return TaskRow(
        task_id=_task_id(row),
        invoice_id="",
        step="",
        kind=TaskKind.DECISION,
        due_at=now,
        reason=reason,
        script="",
        outlives_case=True,
    )


def _the_invoice(session: Session, row: BillingSubjectRow, shares: Sequence[tuple[str, Decimal | None]]) -> str:
    """Raises Refused unless one real invoice in the payment's currency is named."""
    if len(shares) != 1:
        raise Refused("invoices", f"a payment of {row.provider} is for one invoice; apply its credit to another one")
    ((named, amount),) = shares
    invoice_id = named_invoice(session, named)
    invoice, kept = invoices.get_row(session, invoice_id), cases.get_row(session, invoice_id)
    if invoice is None or kept is None or not kept.takes_reported_money:
        raise Refused("invoices", f"{invoice_id!r} is no invoice of a real case; `starter.py list` shows all")
    for one in payments.of_ids(session, [row.subject]):
        counts = one.amount > payments.reversed_amount(session, one.invoice_id, one.payment_id)
        if one.invoice_id not in {invoice_id, row.undone_from} and counts:
            raise Refused("invoices", f"{row.subject} counts on {one.invoice_id} already: name that one")
    for fact in billing_events.facts(session, row.provider, row.subject):
        if isinstance(fact, Paid) and fact.currency != invoice.currency:
            raise Refused("invoices", f"{invoice_id} is in {invoice.currency}, and {fact.currency} came")
        if isinstance(fact, Paid) and amount not in {None, fact.amount}:
            raise Refused("invoices", f"{fact.amount} {fact.currency} came, and all of it is for one invoice")
    return invoice_id
