"""Bookings of incoming payments that were lost when the database was restored from an older copy.

The cases know the payments and write them again. Told once more by its bank, such a payment would look as if nobody
had decided about it: it would wait for a person, and could be booked on a second invoice. So its bookings are written
again by the ledger: those that stand, and those that were undone, whose payment ids are used up.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.payments import WRONGLY_MATCHED
from dunwell.store import incoming_payments, invoices, payments
from dunwell.store.tables import BookingRow, IncomingPaymentRow, PaymentRow

_BY = "restored"
_ATTEMPTS = range(1, 10)


def find(session: Session, row: IncomingPaymentRow) -> list[PaymentRow]:
    """Return the payments of the ledger that are this one, and that no booking explains."""
    known = {(one.invoice_id, one.payment_id) for one in incoming_payments.bookings(session, row.entry_id)}
    found = payments.of_ids(session, list(_attempts(row)))
    return [one for one in found if (one.invoice_id, one.payment_id) not in known]


def restore(session: Session, row: IncomingPaymentRow, now: datetime) -> str | None:
    """Write the lost bookings again. Returns what to say of the payment; None when it is on no invoice by them."""
    found, attempts = find(session, row), _attempts(row)
    for payment in found:
        session.add(_booking(session, row, payment, attempts[payment.payment_id], now))
    session.flush()
    standing = incoming_payments.standing(session, row.entry_id)
    if not found or not standing:
        return None
    booked = sum((one.amount for one in standing), Decimal(0))
    if booked == row.amount:
        return "it was booked before the database was restored from an older copy"
    return f"since the database was restored, {booked.normalize():f} {row.currency} of it are on an invoice alone"


def undo(session: Session, row: IncomingPaymentRow, now: datetime) -> bool:
    """Undo what was undone before the restore: its cases have taken it back. Returns whether nothing stands."""
    for booking in incoming_payments.standing(session, row.entry_id):
        if _was_undone(session, booking.invoice_id, booking.payment_id):
            booking.undone_at = booking.undone_told_at = now
    session.flush()
    return not incoming_payments.standing(session, row.entry_id)


def _was_undone(session: Session, invoice_id: str, payment_id: str) -> bool:
    return any(one.reason == WRONGLY_MATCHED for one in payments.reversals(session, invoice_id, payment_id))


def _booking(
    session: Session, row: IncomingPaymentRow, payment: PaymentRow, attempt: int, now: datetime
) -> BookingRow:
    undone = now if _was_undone(session, payment.invoice_id, payment.payment_id) else None
    return BookingRow(
        entry_id=row.entry_id,
        attempt=attempt,
        invoice_id=payment.invoice_id,
        customer_id=invoices.get_customer_of(session, payment.invoice_id).customer_id,
        amount=payment.amount,
        payment_id=payment.payment_id,
        by=_BY,
        at=payment.recorded_at or now,
        telling_at=now,
        told_at=now,
        undone_at=undone,
        undone_told_at=undone,
    )


def _attempts(row: IncomingPaymentRow) -> dict[str, int]:
    """Return the ids that the payment has on invoices, one for each time that it is booked."""
    incoming = incoming_payments.incoming_of(row)
    return {incoming.payment_id(attempt): attempt for attempt in _ATTEMPTS}
