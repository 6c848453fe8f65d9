"""Which invoice a person names for money that came in: by its id, or by the number that is printed on it."""

from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean
from dunwell.domain.refusal import Refused
from dunwell.store import billing_events, invoices


def named_invoice(session: Session, named: str) -> str:
    """Return the id of the invoice with this id, else of the only real one with this number; else what was named.

    Raises Refused for a number that several real invoices have.
    """
    if not is_clean(named) or invoices.get_row(session, named) is not None:
        return named
    numbered = billing_events.real_invoices(session, number=named)
    if len(numbered) > 1:
        raise Refused(
            "invoices", f"several invoices have the number {named!r}: name one of the ids {', '.join(numbered)}"
        )
    return numbered[0] if numbered else named
