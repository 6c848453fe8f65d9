"""Bookings of incoming payments that were lost when the database was restored from an older copy.

The cases know the payments and write them again. Told once more by its bank, such a payment would look as if nobody
had decided about it: it would wait for a person, and could be booked on a second invoice. So its bookings are written
again by the ledger: those that stand, and those that were undone, whose payment ids are used up.

The file that tells it first gives a payment its id. Where that was one without the bank's reference before the
restore, and is one with it now, the payment is found under the id that it had. The other way round nothing tells the
id: then a payment of the ledger with the same sum and time is in doubt, and a person decides.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import identity_without_reference
from dunwell.domain.incoming import Incoming, Source
from dunwell.domain.payments import WRONGLY_MATCHED
from dunwell.store import bank_entries, incoming_payments, invoices, payments
from dunwell.store.tables import BankEntryRow, BookingRow, IncomingPaymentRow, PaymentRow

_BY = "restored"
_ATTEMPTS = range(1, 10)
_NEAR = timedelta(days=4)
"""How far apart two files may date one payment: by the day of the booking, and by that of the value."""


def find(session: Session, row: IncomingPaymentRow) -> list[PaymentRow]:
    """Return the payments of the ledger that are this one, and that no booking explains."""
    found = payments.of_ids(session, list(_attempts(session, row)))
    known = _keys(incoming_payments.bookings(session, row.entry_id))
    lost = [one for one in found if (one.invoice_id, one.payment_id) not in known]
    known = _keys(incoming_payments.booked_as(session, {one.payment_id for one in lost})) if lost else known
    return [one for one in lost if (one.invoice_id, one.payment_id) not in known]


def find_all(session: Session) -> list[str]:
    """Return the ids of the payments that wait and that the ledger has."""
    # Most often the ledger has nothing that no booking explains: then no waiting payment is looked at.
    if not incoming_payments.has_unexplained(session, Source.BANK):
        return []
    return [row.entry_id for row in incoming_payments.waiting(session) if find(session, row)]


def told_otherwise(session: Session, incoming: Incoming) -> list[PaymentRow]:
    """Return a payment of the ledger, with its parts, that no booking explains and that may be this one.

    It has the same sum and was received about then; its id is of another reference. None where there is no such one.
    """
    told = incoming_payments.unexplained(
        session, incoming.source, incoming.received_at - _NEAR, incoming.received_at + _NEAR
    )
    parts = defaultdict[str, list[PaymentRow]](list)
    for one in told:
        if one.currency == incoming.currency and not _was_undone(session, one.invoice_id, one.payment_id):
            parts[one.payment_id].append(one)
    same = (found for found in parts.values() if sum(one.amount for one in found) == incoming.amount)
    return next(same, [])


def _keys(bookings: Iterable[BookingRow]) -> set[tuple[str, str]]:
    return {(one.invoice_id, one.payment_id) for one in bookings}


def restore(session: Session, row: IncomingPaymentRow, now: datetime) -> str | None:
    """Write the lost bookings again. Returns what to say of the payment; None when it is on no invoice by them."""
    found, attempts = find(session, row), _attempts(session, row)
    taken = {(one.attempt, one.invoice_id) for one in incoming_payments.bookings(session, row.entry_id)}
    for payment in found:
        free = (one for one in count(attempts[payment.payment_id]) if (one, payment.invoice_id) not in taken)
        booking = _booking(session, row, payment, next(free), now)
        taken.add((booking.attempt, booking.invoice_id))
        session.add(booking)
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


def _attempts(session: Session, row: IncomingPaymentRow) -> dict[str, int]:
    """Return the ids that the payment has on invoices, one for each time that it is booked."""
    incoming = incoming_payments.incoming_of(row)
    entry = session.get(BankEntryRow, row.identity) if row.source is Source.BANK else None
    told = [incoming]
    if entry is not None and entry.reference:
        before = identity_without_reference(bank_entries.entry_of(entry))
        told.append(incoming.model_copy(update={"identity": before}))
    return {one.payment_id(attempt): attempt for one in told for attempt in _ATTEMPTS}
