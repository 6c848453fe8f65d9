"""The credit on invoices and its uses. Call inside a transaction that holds the customer's lock."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.store import payments
from dunwell.store.tables import CreditRow, CreditUseRow

_OF_CUSTOMER = (
    select(CreditRow)
    .where(CreditRow.customer_id == bindparam("customer_id"))
    .order_by(CreditRow.at, CreditRow.invoice_id)
)
_OF_INVOICE = (
    select(CreditUseRow)
    .where(CreditUseRow.from_invoice == bindparam("invoice_id"))
    .order_by(CreditUseRow.at, CreditUseRow.credit_id)
)


def put(session: Session, case: Case, now: datetime) -> None:
    """Store the credit of this case, or delete the row when there is none."""
    row = session.get(CreditRow, case.invoice_id)
    if case.credit == 0:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(
            CreditRow(
                invoice_id=case.invoice_id,
                customer_id=case.customer_id,
                amount=case.credit,
                currency=case.currency,
                at=now,
            )
        )
    elif row.amount != case.credit:
        row.amount, row.at = case.credit, now
    session.flush()


def of_customer(session: Session, customer_id: str) -> Sequence[CreditRow]:
    """Return the credit on each of the customer's invoices, oldest first."""
    return session.scalars(_OF_CUSTOMER, {"customer_id": customer_id}).all()


def used_amount(session: Session, invoice_id: str) -> Decimal:
    """Return how much credit of this invoice was applied or returned, less what was taken back again."""
    return sum((row.amount - undone_amount(session, row) for row in uses(session, invoice_id)), Decimal(0))


def undone_amount(session: Session, row: CreditUseRow) -> Decimal:
    """Return how much of this use was taken back from the invoice that it had paid."""
    return payments.reversed_amount(session, row.to_invoice, row.credit_id) if row.to_invoice else Decimal(0)


def use(session: Session, row: CreditUseRow) -> None:
    session.add(row)
    session.flush()


def get_use(session: Session, credit_id: str) -> CreditUseRow | None:
    return session.get(CreditUseRow, credit_id)


def uses(session: Session, invoice_id: str) -> Sequence[CreditUseRow]:
    """Return the uses of this invoice's credit, undone ones included, oldest first."""
    return session.scalars(_OF_INVOICE, {"invoice_id": invoice_id}).all()
