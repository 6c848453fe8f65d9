"""Finds the invoice or customer that somebody names, and says what may have been meant if there is none."""

from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.refusal import Refused
from dunwell.domain.spelling import same_numbers
from dunwell.intake.refusals import printable
from dunwell.store import invoices
from dunwell.store.tables import CustomerRow, InvoiceRow

_NEIGHBOURS = 5_000  # ids looked through for the one that was meant


def find_invoice(session: Session, invoice_id: str) -> InvoiceRow:
    """Raises Refused for an invoice that nobody registered, naming those that may have been meant."""
    known = invoices.get_row(session, invoice_id)
    if known is not None:
        return known
    near = _neighbours(session, invoice_id)
    advice = f"did you mean {', '.join(near)}?" if near else "`starter.py list` shows those that are"
    raise Refused("invoice", f"{invoice_id[:60]!r} is not registered; {advice}")


def _neighbours(session: Session, wanted: str) -> list[str]:
    ids = select(InvoiceRow.invoice_id)
    numbered = session.scalars(ids.where(InvoiceRow.number == wanted).limit(3)).all()
    if numbered:
        return list(numbered)
    known = {name.lower(): name for name in session.scalars(ids.order_by(InvoiceRow.invoice_id).limit(_NEIGHBOURS))}
    near = get_close_matches(wanted[:60].lower(), known, n=9, cutoff=0.75)
    # Another number is another invoice: to propose it would send money there.
    return [known[name] for name in near if same_numbers(name, wanted)][:3]


def find_customer(session: Session, customer_id: str) -> CustomerRow:
    """Raises Refused when nobody registered this customer."""
    row = session.get(CustomerRow, customer_id)
    if row is None:
        raise unknown_customer(customer_id)
    return row


def unknown_customer(customer_id: str) -> Refused:
    """The refusal of a customer that nobody registered."""
    return Refused("customer", f"{printable(customer_id)!r} is not known; `starter.py list --json` has the ids")
