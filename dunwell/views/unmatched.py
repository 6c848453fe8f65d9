"""The money that nobody could match yet, with its age and what is proposed; one payment with what became of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.billing_events import Paid, RefundedInAll, SubjectKind, SubjectState, TakenBack
from dunwell.domain.incoming import ProposalState, no_payment
from dunwell.intake.currencies import Currency, find_currency
from dunwell.services.incoming_payments import as_it_stands, returned_on, same_as_booked, why_stale_now
from dunwell.services.reported_payments import entry_id_of, find, is_reported
from dunwell.store import bank_entries, billing_events, cases, incoming_payments, invoices, users
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


def lately_decided(session: Session, state: EntryState, now: datetime) -> list[Facts]:
    """Return the payments that were booked, or set aside, last, the latest first.

    Of those that a provider reported, only what a person decided.
    """
    states = [one for one, shown in _STATES.items() if shown is state]
    reported = billing_events.lately_decided(session, states, _LATELY)
    found = [
        (row.decided_at, facts_of(session, row, now)) for row in incoming_payments.lately(session, state, _LATELY)
    ]
    found += [(row.decided_at, _reported(session, row, now)) for row in reported]
    found.sort(key=lambda one: one[0] or now, reverse=True)
    return [facts for _, facts in found[:_LATELY]]


def one_payment(session: Session, entry_id: str, now: datetime) -> Facts:
    """Return a payment that came in, whatever became of it. Raises Refused for an unknown one."""
    if is_reported(entry_id):
        return _reported(session, find(session, entry_id), now)
    row = incoming_payments.get(session, entry_id)
    if row is None:
        raise no_payment(entry_id)
    return facts_of(session, row, now)


def currency_of(session: Session, entry_id: str, now: datetime) -> Currency:
    """Return the currency of a payment that came in. Raises Refused for an unknown payment."""
    code = str(one_payment(session, entry_id, now)["currency"])
    try:
        return find_currency(code)
    except KeyError:  # no amount of it could be read, or a currency that is not in use any more
        return Currency(code, 2)


def facts_of(session: Session, row: IncomingPaymentRow, now: datetime) -> Facts:
    """Return the payment with its proposals and bookings."""
    incoming, said = incoming_payments.incoming_of(row), as_it_stands(session, row)
    went_back, reference, words = returned_on(session, row), _reference(session, row), list(row.texts)
    if words and words[-1] == reference:
        words.pop()  # it was kept as the last of them, because an invoice may be named in it
    return {
        "entry_id": row.entry_id,
        "source": row.source.value,
        "amount": incoming.amount,
        "currency": row.currency,
        "received_at": row.received_at,
        "since": row.since,
        "age_days": max(0, (now - row.since).days),
        "overdue": row.state in incoming_payments.WAITING and row.ask_at <= now,
        "payer_name": row.payer_name,
        "payer_iban": row.payer_iban,
        "text": " ".join(words),
        "reference": reference,
        "taken_back": went_back is not None,
        "returned_on": went_back,
        "state": row.state,
        "why": users.with_names(session, said.why),
        "same_as": same_as_booked(session, row),
        "proposals": [
            {
                "number": one.number,
                "reasons": list(said.reasons[one.number]),
                "stale": why_stale_now(session, row, one),
                "parts": [
                    _part(session, part.invoice_id, part.amount) for part in incoming_payments.parts_of(session, one)
                ],
            }
            for one in incoming_payments.proposals(session, row.entry_id, ProposalState.OPEN)
        ],
        "bookings": [_booking(session, one) for one in incoming_payments.bookings(session, row.entry_id)],
    }


def _reference(session: Session, row: IncomingPaymentRow) -> str | None:
    """Return the id that the payer's bank gave with a transfer, which is nobody's words; None without one."""
    entry = bank_entries.known(session, [row.identity]).get(row.identity)
    return entry.end_to_end_id if entry is not None else None


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
        "text": "",
        "reference": row.subject,
        "taken_back": bool(facts) and not any(isinstance(one, Paid) for one in facts),
        "returned_on": None,
        "state": _STATES[row.state],
        "why": users.with_names(session, _why(row)),
        "same_as": None,
        "proposals": [],
        "bookings": [_booking_of_reported(session, row, said)] if said and _is_for_an_invoice(row) else [],
    }


def _is_for_an_invoice(row: BillingSubjectRow) -> bool:
    return row.invoice_id is not None and _STATES[row.state] is EntryState.BOOKED


def _why(row: BillingSubjectRow) -> str:
    if row.reason:
        return row.reason
    who = f"matched by {row.decided_by}" if row.decided_by else f"for the invoice that {row.provider} names"
    return f"{who}; its case is told just now" if row.state is SubjectState.DUE else who


def _booking_of_reported(session: Session, row: BillingSubjectRow, said: Paid | TakenBack | RefundedInAll) -> Facts:
    return _part(session, row.invoice_id or "", said.amount) | {
        "payment_id": row.subject,
        "by": user_name(session, row.decided_by or row.provider),
        "at": row.decided_at or row.since,
        "refused": None,
        "not_counted": _is_questioned(session, row.invoice_id or "", row.subject),
        "undone_at": None,
    }


def _booking(session: Session, row: BookingRow) -> Facts:
    return _part(session, row.invoice_id, row.amount) | {
        "payment_id": row.payment_id,
        "by": user_name(session, row.by),
        "at": row.at,
        "refused": row.refused,
        "not_counted": _is_questioned(session, row.invoice_id, row.payment_id),
        "undone_at": row.undone_at,
    }


def _is_questioned(session: Session, invoice_id: str, payment_id: str) -> bool:
    """Whether the case asks a person first, for the payment may have been counted before the import."""
    case = cases.get(session, invoice_id)
    return case is not None and payment_id in case.money.questioned


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
