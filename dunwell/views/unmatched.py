"""The money that nobody could match yet, with its age and what is proposed; one payment with what became of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.billing_events import Paid, RefundedInAll, SubjectKind, SubjectState, TakenBack
from dunwell.domain.incoming import ProposalState, no_payment
from dunwell.services.reported_payments import entry_id_of, find, is_reported
from dunwell.store import billing_events, incoming_payments, invoices
from dunwell.store.tables import BillingSubjectRow, BookingRow, IncomingPaymentRow
from dunwell.views.facts import Facts
from dunwell.views.names import user_name

_LATELY = 20


def unmatched(session: Session, now: datetime) -> list[Facts]:
    """Return the payments that a person has to decide about, the oldest first, then those that a case refuses."""
    reported = billing_events.waiting(session, SubjectKind.PAYMENT)
    return [facts_of(session, row, now) for row in incoming_payments.undecided(session)] + [
        _reported(session, row, now) for row in reported
    ]


def lately_booked(session: Session, now: datetime) -> list[Facts]:
    """Return the payments that were booked last, the latest first."""
    return [facts_of(session, row, now) for row in incoming_payments.lately_booked(session, _LATELY)]


def one_payment(session: Session, entry_id: str, now: datetime) -> Facts:
    """Return a payment that came in, whatever became of it. Raises Refused for an unknown one."""
    if is_reported(entry_id):
        return _reported(session, find(session, entry_id), now)
    row = incoming_payments.get(session, entry_id)
    if row is None:
        raise no_payment(entry_id)
    return facts_of(session, row, now)


def facts_of(session: Session, row: IncomingPaymentRow, now: datetime) -> Facts:
    """Return the payment with its proposals and bookings."""
    incoming = incoming_payments.incoming_of(row)
    return {
        "entry_id": row.entry_id,
        "source": row.source.value,
        "amount": incoming.amount,
        "currency": row.currency,
        "received_at": row.received_at,
        "since": row.since,
        "age_days": max(0, (now - row.since).days),
        "overdue": row.ask_at <= now,
        "payer_name": row.payer_name,
        "payer_iban": row.payer_iban,
        "text": " ".join(row.texts),
        "state": row.state,
        "why": row.why,
        "proposals": [
            {
                "number": one.number,
                "reasons": list(one.reasons),
                "parts": [
                    _part(session, part.invoice_id, part.amount) for part in incoming_payments.parts_of(session, one)
                ],
            }
            for one in incoming_payments.proposals(session, row.entry_id, ProposalState.OPEN)
        ],
        "bookings": [_booking(session, one) for one in incoming_payments.bookings(session, row.entry_id)],
    }


_STATES = {
    SubjectState.DUE: EntryState.BOOKED,  # its case is told just now
    SubjectState.WAITING: EntryState.UNMATCHED,
    SubjectState.SETTLED: EntryState.BOOKED,
    SubjectState.DISMISSED: EntryState.SET_ASIDE,
}


def _reported(session: Session, row: BillingSubjectRow, now: datetime) -> Facts:
    """Return a payment that a provider reported, in the same form. No amount that can be read: 0, in no currency."""
    facts = billing_events.facts(session, row.provider, row.subject)
    said = next((one for kind in (Paid, TakenBack, RefundedInAll) for one in facts if isinstance(one, kind)), None)
    return {
        "entry_id": entry_id_of(row),
        "source": row.provider,
        "amount": said.amount if said else Decimal(0),
        "currency": said.currency if said else "XXX",
        "received_at": said.at if said else row.since,
        "since": row.since,
        "age_days": max(0, (now - row.since).days),
        "overdue": False,
        "payer_name": None,
        "payer_iban": None,
        "text": row.subject,
        "state": _STATES[row.state],
        "why": row.reason or "",
        "proposals": [],
        "bookings": [],
    }


def _booking(session: Session, row: BookingRow) -> Facts:
    return _part(session, row.invoice_id, row.amount) | {
        "payment_id": row.payment_id,
        "by": user_name(session, row.by),
        "at": row.at,
        "refused": row.refused,
        "undone_at": row.undone_at,
    }


def _part(session: Session, invoice_id: str, amount: Any) -> Facts:
    invoice = invoices.get_row(session, invoice_id)
    customer = invoices.customer_row(session, invoice.customer_id) if invoice else None
    return {
        "invoice_id": invoice_id,
        "number": invoice.number if invoice else "",
        "customer_id": invoice.customer_id if invoice else "",
        "customer": customer.name if customer else "",
        "amount": round(amount, invoice.digits) if invoice else amount,
    }
