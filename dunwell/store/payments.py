"""The payments on invoices. Call inside a transaction that holds the customer's lock."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dunwell.domain.checkpoint import Receipt
from dunwell.domain.events import PaymentReceived, PaymentReversed
from dunwell.store.tables import PaymentRow

_PAID = select(PaymentRow.amount).where(
    PaymentRow.invoice_id == bindparam("invoice_id"), PaymentRow.reversed_at.is_(None)
)


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
                method=payment.method,
            )
        )
        session.flush()


def reverse_payment(session: Session, invoice_id: str, reversal: PaymentReversed, now: datetime) -> None:
    """Mark a payment as reversed. Does nothing when there is no such payment, or when it was reversed before."""
    row = session.get(PaymentRow, (invoice_id, reversal.payment_id))
    if row is not None and row.reversed_at is None:
        row.reversed_at, row.reversal_reason = now, reversal.reason
        session.flush()


def rows(session: Session, invoice_id: str) -> Sequence[PaymentRow]:
    """Return every payment on the invoice, reversed ones included, oldest first."""
    query = select(PaymentRow).where(PaymentRow.invoice_id == invoice_id)
    return session.scalars(query.order_by(PaymentRow.received_at, PaymentRow.payment_id)).all()


def put_receipt(session: Session, invoice_id: str, receipt: Receipt, currency: str) -> None:
    """Restore a payment and its reversal from the case's own memory, where the database lacks them."""
    row = session.get(PaymentRow, (invoice_id, receipt.payment_id))
    if row is None:
        row = PaymentRow(
            invoice_id=invoice_id,
            payment_id=receipt.payment_id,
            amount=receipt.amount,
            currency=currency,
            received_at=receipt.received_at,
            method=receipt.method,
        )
        session.add(row)
    if receipt.reversed_at is not None and row.reversed_at is None:
        row.reversed_at, row.reversal_reason = receipt.reversed_at, receipt.reason
    session.flush()


def paid(session: Session, invoice_id: str) -> Decimal:
    """Return the sum of the payments on the invoice that were not reversed."""
    return sum(session.scalars(_PAID, {"invoice_id": invoice_id}), Decimal(0))
