"""Finds the invoice or customer that somebody names, and says what may have been meant if there is none."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean, one_line, printable
from dunwell.domain.refusal import Refused, Unknown
from dunwell.domain.spelling import near_words, proposal
from dunwell.intake.currencies import Currency
from dunwell.store import invoices
from dunwell.store.tables import CustomerRow, InvoiceRow

_NEIGHBOURS = 5_000  # ids looked through for the one that was meant


def find_invoice(session: Session, invoice_id: str) -> InvoiceRow:
    """Raises Refused for an invoice that nobody registered, naming those that may have been meant."""
    known = invoices.get_row(session, invoice_id) if is_clean(invoice_id) else None
    if known is not None:
        return known
    near = _neighbours(session, one_line(invoice_id))
    advice = proposal(*near) if near else "`starter.py list` shows those that are"
    raise Refused("invoice", f"{invoice_id[:60]!r} is not registered; {advice}")


def currency_of(session: Session, invoice_id: str) -> Currency:
    """Return the currency of an invoice. Raises Refused for one that is not registered."""
    row = find_invoice(session, invoice_id)
    return Currency(row.currency, row.digits)


def _neighbours(session: Session, wanted: str) -> list[str]:
    ids = select(InvoiceRow.invoice_id)
    numbered = session.scalars(ids.where(InvoiceRow.number == wanted).limit(3)).all()
    if numbered:
        return list(numbered)
    # No other number is near: it is another invoice, and to propose it would send money there.
    return near_words(wanted, session.scalars(ids.order_by(InvoiceRow.invoice_id).limit(_NEIGHBOURS)))


def find_customer(session: Session, customer_id: str) -> CustomerRow:
    """Raises Refused when nobody registered this customer."""
    row = session.get(CustomerRow, customer_id) if is_clean(customer_id) else None
    if row is None:
        raise no_customer(customer_id)
    return row


def no_customer(customer_id: str) -> Unknown:
    """Return the refusal of a customer whom nobody registered."""
    return Unknown("customer", f"{printable(customer_id)!r} is not known; `starter.py list --json` has the ids")
