"""Credit: what a customer paid too much on one invoice, until it is applied to another one or returned.

While its task is open, credit that covers what is asked for on another invoice holds back every reminder and
consequence there: whoever has paid enough is not chased. Call inside a transaction with the customer's lock.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Receipt
from dunwell.domain.events import BY_CREDIT, CreditApplied
from dunwell.domain.keys import TaskId
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Stage, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services import person_tasks
from dunwell.store import cases, credits, invoices, payments, tasks, timeline
from dunwell.store.tables import CreditUseRow, PaymentRow, TaskRow

_RESTORED = "restored"
_NOTE = "credit."


class Cover(NamedTuple):
    """Credit that covers what is asked for, and the task of the person who has to decide about it."""

    amount: Decimal
    why: str


# What an invoice's credit leads to -----------------------------------------------------------------------


def follow(session: Session, case: Case, now: datetime) -> None:
    """Keep the credit of this invoice, and the tasks about it and about doubtful payments, as the case stands now."""
    case.money.given = credits.used_amount(session, case.invoice_id)
    credits.put(session, case, now)
    credit = case.credit if case.credit > case.tolerance else Decimal(0)  # so little is kept, and asks for nothing
    _keep_task(session, case, _task_id(case.invoice_id), credit, _to_decide(session, case) if credit else "", now)
    about = str(TaskId.of(case.invoice_id, "uncovered"))
    _keep_task(session, case, about, case.uncovered, _uncovered(session, case) if case.uncovered else "", now)
    _ask_for_checks(session, case, now)


def _keep_task(session: Session, case: Case, task_id: str, amount: Decimal, reason: str, now: datetime) -> None:
    """A task about this amount, which outlives the case; none once there is no amount.

    What a person closed is asked again only when the amount has changed; an open one says how things stand now.
    """
    task = tasks.get(session, task_id)
    if amount == 0:
        if task is not None and task.state == TaskState.OPEN:
            person_tasks.withdraw(session, case, [task], "nothing is left to decide about", now)
    elif task is None:
        person_tasks.raise_task(
            session, case, task_id=task_id, step="", reason=reason, now=now, amount=amount, outlives_case=True
        )
    elif task.amount != amount or task.state == TaskState.WITHDRAWN:
        task.amount = amount
        person_tasks.reopen(session, case, task, reason, now, now)
    elif task.state == TaskState.OPEN:
        task.reason = reason


def _to_decide(session: Session, case: Case) -> str:
    why = "for a cancelled invoice" if case.ended is Stage.CANCELLED else "too much"
    open_ones = _payable(session, case, case.credit, lambda one: (not one.own_holds, one.due_on, one.invoice_id))
    apply = "; ".join(_to_apply(case, one) for one in open_ones if one.invoice_id != case.invoice_id)
    apply = apply or f"starter.py apply-credit {case.invoice_id} OTHER_INVOICE"
    return (
        f"credit to apply or return: {case.credit} {case.currency} were paid {why}. Apply it to another invoice of "
        f"this customer: {apply}. Or, once it was paid back: starter.py return-credit {case.invoice_id}. Until then "
        "no invoice that it covers is asked for"
    )


def _to_apply(case: Case, other: Case) -> str:
    effect = "ends its hold on the account" if other.own_holds else "pays it"
    return f"starter.py apply-credit {case.invoice_id} {other.invoice_id} ({effect})"


def _uncovered(session: Session, case: Case) -> str:
    uses = credits.uses(session, case.invoice_id)
    standing = [(row, row.amount - credits.undone_amount(session, row)) for row in uses]
    went = ", ".join(f"{left} to {row.to_invoice or 'the customer'}" for row, left in standing if left)
    undo = "; ".join(
        f"starter.py reverse-payment {row.to_invoice} {row.credit_id!r} --reason credit-withdrawn"
        for row, left in standing
        if row.to_invoice and left
    )
    take_back = f" To take it back: {undo}." if undo else ""
    return (
        f"credit without cover: {case.uncovered} {case.currency} of this invoice's credit are no longer there, for a "
        f"payment was taken back. The credit had gone: {went}.{take_back} Or agree with the customer, and close this"
    )


def _ask_for_checks(session: Session, case: Case, now: datetime) -> None:
    for payment_id, doubt in case.money.doubted.items():
        amount = case.money.payments.get(payment_id)
        reason = (
            f"check this payment: {payment_id} of {amount} {case.currency} {doubt}. It counts meanwhile. "
            f"If it is wrong: starter.py reverse-payment {case.invoice_id} {payment_id!r} --reason wrong"
        )
        person_tasks.raise_task(
            session,
            case,
            task_id=_check_id(case, payment_id),
            step="",
            reason=reason,
            now=now,
            amount=amount,
            outlives_case=True,
        )
    gone = [tasks.get(session, _check_id(case, payment_id)) for payment_id in case.money.reversed_payments]
    needless = [task for task in gone if task is not None and task.state == TaskState.OPEN]
    person_tasks.withdraw(session, case, needless, "the payment was taken back", now)


def _check_id(case: Case, payment_id: str) -> str:
    """Payment ids hold characters that no task id may."""
    return str(TaskId.of(case.invoice_id, "check", sha256(payment_id.encode()).hexdigest()[:8]))


def _task_id(invoice_id: str) -> str:
    return str(TaskId.of(invoice_id, "credit"))


# What credit holds back ----------------------------------------------------------------------------------


def cover(session: Session, case: Case) -> Cover | None:
    """The customer's credit that covers all that is asked for on this invoice; None when none does.

    The credit covers the customer's invoices in the order in which they are due, as far as it reaches: it holds back
    no more than what it could pay.
    """
    found = [row for row in credits.of_customer(session, case.customer_id) if row.currency == case.currency]
    waiting = [row for row in found if row.invoice_id != case.invoice_id and _is_open(session, row.invoice_id)]
    total = sum((row.amount for row in waiting), Decimal(0))
    if not case.asked or total < case.asked:
        return None
    covered = _payable(session, case, total, lambda one: (one.due_on, one.invoice_id))
    if all(one.invoice_id != case.invoice_id for one in covered):
        return None
    total = round(total, case.money.digits)
    decided = ", ".join(_task_id(row.invoice_id) for row in waiting)
    why = (
        f"{total} {case.currency} of this customer's credit cover the {case.asked} {case.currency} that are asked "
        f"for: waits until it is applied or returned (task {decided})"
    )
    return Cover(total, why)


def _is_open(session: Session, invoice_id: str) -> bool:
    task: TaskRow | None = tasks.get(session, _task_id(invoice_id))
    return task is not None and task.state == TaskState.OPEN


def _payable(session: Session, case: Case, credit: Decimal, order: Callable[[Case], Any]) -> list[Case]:
    """The open invoices of the customer that so much credit can pay, each as a whole, taken in that order.

    `case` is newer than its copy in the database.
    """
    covered = []
    kept = [
        case if row.invoice_id == case.invoice_id else _by_ledger(session, Case.model_validate(row.state))
        for row in cases.open_of(session, [case.customer_id])
    ]
    for one in sorted(kept, key=order):
        if one.currency == case.currency and 0 < one.asked <= credit:
            covered.append(one)
            credit -= one.asked
    return covered


def _by_ledger(session: Session, case: Case) -> Case:
    known = case.with_paid(payments.paid(session, case.invoice_id))
    known.money.given = credits.used_amount(session, case.invoice_id)  # the copy has amounts of its own
    return known


# Where it goes -------------------------------------------------------------------------------------------


def check(session: Session, to_invoice: str, event: CreditApplied) -> None:
    """Raises Refused unless this credit is there, and belongs to the same customer and currency."""
    known = credits.get_use(session, event.credit_id)
    if known is not None:
        _check_same(known, event.from_invoice, to_invoice, event.amount)
        return
    giver, taker = invoices.get_row(session, event.from_invoice), invoices.get_row(session, to_invoice)
    if giver is None or taker is None:
        raise Refused("from_invoice", f"{event.from_invoice!r} is not registered; `starter.py list` shows all")
    if giver.customer_id != taker.customer_id:
        raise Refused("from_invoice", f"belongs to customer {giver.customer_id}, not to {taker.customer_id}")
    if giver.currency != taker.currency:
        reason = f"is in {giver.currency}, and {to_invoice} in {taker.currency}: return the credit"
        raise Refused("from_invoice", reason)
    _check_amount(session, event.from_invoice, event.amount)


def apply(session: Session, to_invoice: str, event: CreditApplied, now: datetime) -> None:
    """Take the credit from one invoice and pay the other with it, once. Raises Refused as `check` does."""
    check(session, to_invoice, event)
    if credits.get_use(session, event.credit_id) is not None:
        return
    _use(session, event.credit_id, event.from_invoice, to_invoice, event.amount, event.currency, event.by, now)
    session.merge(
        PaymentRow(
            invoice_id=to_invoice,
            payment_id=event.credit_id,
            amount=event.amount,
            currency=event.currency,
            received_at=now,
            recorded_at=now,
            method=BY_CREDIT,
        )
    )
    session.flush()
    said = f"{event.amount} {event.currency} of the credit applied to invoice {to_invoice} by {event.by}"
    _note_at_giver(session, event.from_invoice, event.credit_id, said, now)


def give_back(
    session: Session, from_invoice: str, credit_id: str, amount: Decimal, currency: str, by: str, now: datetime
) -> None:
    """Note that credit was paid back to the customer, once. Raises Refused when it is not there."""
    known = credits.get_use(session, credit_id)
    if known is not None:
        _check_same(known, from_invoice, None, amount)
        return
    row = invoices.get_row(session, from_invoice)
    if row is not None and row.currency != currency:
        raise Refused("currency", f"the invoice is in {row.currency}")
    _check_amount(session, from_invoice, amount)
    _use(session, credit_id, from_invoice, None, amount, currency, by, now)
    said = f"{amount} {currency} of the credit were returned to the customer, by {by}"
    _note_at_giver(session, from_invoice, credit_id, said, now)


def take_back(session: Session, to_invoice: str, credit_id: str, now: datetime) -> None:
    """What was taken back of a payment by credit is credit of its invoice again. Harmless for any other payment."""
    row = credits.get_use(session, credit_id)
    if row is None or row.to_invoice != to_invoice:
        return
    for reversal in payments.reversals(session, to_invoice, credit_id):
        said = f"{reversal.amount} {row.currency} came back from invoice {to_invoice}: credit again"
        _note_at_giver(session, row.from_invoice, f"{credit_id}.back.{reversal.key}", said, now)


def as_event(session: Session, payment: PaymentRow) -> CreditApplied | None:
    """Return the event for the case that this payment row pays by credit; None for a payment from outside."""
    row = credits.get_use(session, payment.payment_id)
    if row is None or row.to_invoice != payment.invoice_id:
        return None
    return CreditApplied(
        credit_id=row.credit_id, from_invoice=row.from_invoice, amount=row.amount, currency=row.currency, by=row.by
    )


def restore(session: Session, case: Case, receipt: Receipt, now: datetime) -> None:
    """Write down anew what only the case that was paid remembers, because the database is an older copy."""
    giver = receipt.from_invoice
    if giver is None or credits.get_use(session, receipt.payment_id) is not None:
        return
    if invoices.get_row(session, giver) is None:
        return  # that older copy knows nothing of the invoice
    _use(session, receipt.payment_id, giver, case.invoice_id, receipt.amount, case.currency, _RESTORED, now)
    said = f"{receipt.amount} {case.currency} of the credit had been applied to invoice {case.invoice_id}"
    _note_at_giver(session, giver, receipt.payment_id, said, now)
    take_back(session, case.invoice_id, receipt.payment_id, now)


def _check_same(known: CreditUseRow, from_invoice: str, to_invoice: str | None, amount: Decimal) -> None:
    if (known.from_invoice, known.to_invoice, known.amount) != (from_invoice, to_invoice, amount):
        raise Refused("credit_id", "is known already, for other credit; a new one needs a new id")


def _check_amount(session: Session, invoice_id: str, amount: Decimal) -> None:
    kept = cases.get(session, invoice_id)
    credit = _by_ledger(session, kept).credit if kept else Decimal(0)
    if kept is None or credit == 0:
        raise Refused("from_invoice", f"{invoice_id} has no credit; `starter.py list` shows which invoices have")
    if amount > credit:
        raise Refused("amount", f"is more than the {credit} {kept.currency} of credit on {invoice_id}")
    if amount != round(amount, kept.money.digits):
        raise Refused("amount", f"{kept.currency} has {kept.money.digits} decimal places")


def _use(
    session: Session,
    credit_id: str,
    from_invoice: str,
    to_invoice: str | None,
    amount: Decimal,
    currency: str,
    by: str,
    now: datetime,
) -> None:
    credits.use(
        session,
        CreditUseRow(
            credit_id=credit_id,
            from_invoice=from_invoice,
            to_invoice=to_invoice,
            amount=amount,
            currency=currency,
            by=by,
            at=now,
        ),
    )


def is_note(entry: Entry) -> bool:
    """Whether it says what became of credit, in the timeline of the invoice that had it."""
    return entry.key.startswith(_NOTE)


def _note_at_giver(session: Session, invoice_id: str, key: str, said: str, now: datetime) -> None:
    """The invoice whose credit it is: most often its case has ended, so its copy is changed here.

    A case that still runs learns of it with the next answer of the database.
    """
    row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
    if row is None or case is None:
        return
    at = row.updated_at if row.rehearsal else now
    timeline.write(session, invoice_id, [Entry(key=f"{_NOTE}{key}"[:300], at=at, kind="credit", reason=said)])
    follow(session, case, at)
    cases.put(session, case, rehearsal=row.rehearsal, now=at)
