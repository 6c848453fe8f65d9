"""The payment references that were issued, and the invoices that each of them stands for."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.payment_reference import reference_for
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import PaymentReferenceRow


def reference_of(session: Session, invoice_ids: Collection[str]) -> str:
    """Return the reference of exactly these invoices: the one that was issued, or that `issue` would issue now."""
    wanted = set(invoice_ids)
    attempt = 0
    while True:
        reference = reference_for(wanted, attempt)
        if invoices_of(session, [reference]).get(reference, wanted) == wanted:
            return reference
        attempt += 1  # it stands for other invoices: two digests that begin alike


def issue(session: Session, invoice_ids: Collection[str]) -> str:
    """Return the reference of exactly these invoices, which is kept from now on. Safe to repeat.

    Call with the lock of a customer whose invoices they are.
    """
    reference = reference_of(session, invoice_ids)
    if not invoices_of(session, [reference]):
        rows = [{"reference": reference, "invoice_id": one} for one in sorted(set(invoice_ids))]
        add_all(session, PaymentReferenceRow, rows)
    return reference


def issue_each(session: Session, invoice_ids: Iterable[str]) -> None:
    """Issue the own reference of each of these new invoices."""
    wanted = {reference_for([one]): one for one in invoice_ids}
    taken = invoices_of(session, list(wanted))
    free = {reference: one for reference, one in wanted.items() if reference not in taken}
    add_all(session, PaymentReferenceRow, [{"reference": name, "invoice_id": one} for name, one in free.items()])
    for reference in taken:
        issue(session, [wanted[reference]])


def invoices_of(session: Session, references: Sequence[str]) -> dict[str, set[str]]:
    """Return the invoices of those of these references that were issued, by reference."""
    found: dict[str, set[str]] = {}
    query = select(PaymentReferenceRow).where(PaymentReferenceRow.reference.in_(references))
    for row in session.scalars(query) if references else ():
        found.setdefault(row.reference, set()).add(row.invoice_id)
    return found


def of_invoice(session: Session, invoice_id: str) -> list[str]:
    """Return the references that stand for this invoice, its own first, then those it shares."""
    query = select(PaymentReferenceRow.reference).where(PaymentReferenceRow.invoice_id == invoice_id)
    own = reference_of(session, [invoice_id])
    return [own, *(one for one in session.scalars(query.order_by(PaymentReferenceRow.reference)) if one != own)]
