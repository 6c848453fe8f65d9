"""The payments on invoices. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dunwell.domain.checkpoint import Receipt, Reversal
from dunwell.domain.events import PaymentReceived
from dunwell.store.tables import PaymentRow, ReversalRow

_CAME = select(PaymentRow.amount).where(PaymentRow.invoice_id == bindparam("invoice_id"))
_WENT = select(ReversalRow.amount).where(ReversalRow.invoice_id == bindparam("invoice_id"))


def add_payment(session: Session, invoice_id: str, payment: PaymentReceived, now: datetime) -> None:
    """Record a payment. Does nothing when the invoice has one with this payment_id."""
    if session.get(PaymentRow, (invoice_id, payment.payment_id)) is None:
        session.add(
            PaymentRow(
                invoice_id=invoice_id,
                payment_id=payment.payment_id,
                amount=payment.amount,
                currency=payment.currency,
                received_at=payment.received_at or now,
                recorded_at=now,
                method=payment.method,
                designation=payment.designation,
            )
        )
        session.flush()


def rows(session: Session, invoice_id: str) -> Sequence[PaymentRow]:
    """Return every payment on the invoice, reversed ones included, oldest first."""
    query = select(PaymentRow).where(PaymentRow.invoice_id == invoice_id)
    return session.scalars(query.order_by(PaymentRow.received_at, PaymentRow.payment_id)).all()


def of_ids(session: Session, payment_ids: Collection[str]) -> Sequence[PaymentRow]:
    """Return the payments of these ids, on whatever invoices, by id and invoice."""
    query = select(PaymentRow).where(PaymentRow.payment_id.in_(payment_ids))
    return session.scalars(query.order_by(PaymentRow.payment_id, PaymentRow.invoice_id)).all()


def reversals(session: Session, invoice_id: str, payment_id: str | None = None) -> Sequence[ReversalRow]:
    """Return what was taken back of one payment, or of all payments on the invoice, oldest first."""
    query = select(ReversalRow).where(ReversalRow.invoice_id == invoice_id)
    if payment_id is not None:
        query = query.where(ReversalRow.payment_id == payment_id)
    return session.scalars(query.order_by(ReversalRow.at, ReversalRow.payment_id, ReversalRow.key)).all()


def reversed_amount(session: Session, invoice_id: str, payment_id: str) -> Decimal:
    """Return how much of the payment was taken back."""
    return sum((row.amount for row in reversals(session, invoice_id, payment_id)), Decimal(0))


def reversed_amounts(session: Session, invoice_id: str) -> dict[str, Decimal]:
    """Return each payment on the invoice with what was taken back of it."""
    found = {row.payment_id: Decimal(0) for row in rows(session, invoice_id)}
    for row in reversals(session, invoice_id):
        found[row.payment_id] += row.amount
    return found


def put_receipt(session: Session, invoice_id: str, receipt: Receipt, currency: str, now: datetime) -> None:
    """Write a payment that the case remembers. Does nothing when the database has it."""
    if session.get(PaymentRow, (invoice_id, receipt.payment_id)) is None:
        facts = receipt.model_dump(exclude={"from_invoice"})
        session.add(PaymentRow(invoice_id=invoice_id, currency=currency, recorded_at=now, **facts))
        session.flush()


def set_received(session: Session, invoice_id: str, receipt: Receipt) -> None:
    """Date a stored payment as the case does. Does nothing when the database lacks it."""
    row = session.get(PaymentRow, (invoice_id, receipt.payment_id))
    if row is not None:
        row.received_at = receipt.received_at
        session.flush()


def put_reversal(session: Session, invoice_id: str, reversal: Reversal, now: datetime) -> None:
    """Write a reversal that the case remembers. Does nothing when the database has it, or lacks the payment."""
    if session.get(PaymentRow, (invoice_id, reversal.payment_id)) is None:
        return
    if session.get(ReversalRow, (invoice_id, reversal.payment_id, reversal.key)) is None:
        session.add(ReversalRow(invoice_id=invoice_id, recorded_at=now, **reversal.model_dump()))
        session.flush()


def paid(session: Session, invoice_id: str) -> Decimal:
    """Return the sum of the payments on the invoice, less what was taken back of them."""
    of_invoice = {"invoice_id": invoice_id}
    went = sum(session.scalars(_WENT, of_invoice), Decimal(0))
    return sum(session.scalars(_CAME, of_invoice), Decimal(0)) - went
