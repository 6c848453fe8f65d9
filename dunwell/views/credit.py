"""Credit as people read it: what was paid too much on each invoice and is neither applied nor returned."""

from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.store import cases, credits
from dunwell.store.tables import InvoiceRow
from dunwell.views.facts import Facts


def credit_beside(session: Session, invoice: InvoiceRow) -> list[Facts]:
    """The credit on the other invoices of this one's customer."""
    found = credit_of(session, invoice.customer_id)
    return [one for one in found if one["invoice_id"] != invoice.invoice_id]


def credit_of(session: Session, customer_id: str) -> list[Facts]:
    """The customer's credit, invoice by invoice."""
    found = []
    for row in credits.of_customer(session, customer_id):
        case = cases.get(session, row.invoice_id)
        amount: Decimal = round(row.amount, case.money.digits) if case else row.amount
        found.append({"invoice_id": row.invoice_id, "amount": amount, "currency": row.currency, "since": row.at})
    return found
