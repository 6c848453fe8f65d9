"""The contacts of customers, which contacts each invoice's record names, and corrections made by hand."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from dunwell.domain.contact import Contact
from dunwell.domain.people import Naming, Person, asked
from dunwell.domain.terms import ENDS
from dunwell.store.bulk_rows import Facts, add_all, put_all
from dunwell.store.tables import CaseRow, ContactRow, CorrectionRow, InvoiceContactRow, InvoiceRow

_OF_CUSTOMERS = (
    select(ContactRow)
    .where(ContactRow.customer_id.in_(bindparam("customer_ids", expanding=True)))
    .order_by(ContactRow.customer_id, ContactRow.position, ContactRow.contact_id)
)
_NAMED = select(InvoiceContactRow).where(InvoiceContactRow.invoice_id.in_(bindparam("invoice_ids", expanding=True)))
_CORRECTIONS = select(CorrectionRow).where(CorrectionRow.customer_id.in_(bindparam("customer_ids", expanding=True)))
_OPEN_INVOICES = (
    select(InvoiceRow)
    .outerjoin(CaseRow, CaseRow.invoice_id == InvoiceRow.invoice_id)
    .where(
        InvoiceRow.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CaseRow.stage.is_(None) | CaseRow.stage.not_in([stage.value for stage in ENDS]),
    )
    .order_by(InvoiceRow.invoice_id)
)


def people(session: Session, customer_ids: Collection[str]) -> dict[str, list[Person]]:
    """Return all contacts ever named for these customers, by customer, in the order of the newest records."""
    found: dict[str, list[Person]] = {customer_id: [] for customer_id in customer_ids}
    for row in session.scalars(_OF_CUSTOMERS, {"customer_ids": list(customer_ids)}):
        found[row.customer_id].append(_person(row))
    return found


def get(session: Session, contact_id: str | None) -> Contact | None:
    """Return a contact, even a retired or closed one; None when there is none with this id."""
    row = session.get(ContactRow, contact_id) if contact_id else None
    return None if row is None else _contact(row)


def for_invoice(session: Session, invoice_id: str) -> tuple[Contact, ...]:
    """Return the contacts that may be asked to pay this invoice; none when the invoice is unknown."""
    row = session.get(InvoiceRow, invoice_id)
    if row is None:
        return ()
    known = people(session, [row.customer_id])[row.customer_id]
    return tuple(one.contact for one in asked(known, namings(session, [row])[invoice_id]))


def open_invoices(session: Session, customer_ids: Collection[str]) -> Sequence[InvoiceRow]:
    """Return the invoices of these customers whose cases have not ended."""
    return session.scalars(_OPEN_INVOICES, {"customer_ids": list(customer_ids)}).all()


def namings(session: Session, rows: Collection[InvoiceRow]) -> dict[str, Naming]:
    """Return which contacts the newest record of each of these invoices names, by invoice."""
    found = {row.invoice_id: Naming(row.names_contacts) for row in rows}
    for row in session.scalars(_NAMED, {"invoice_ids": list(found)}):
        found[row.invoice_id].people[row.contact_id] = row.alone
    return found


def corrections(session: Session, customer_ids: Collection[str]) -> Sequence[CorrectionRow]:
    """Return the corrections in force for these customers and their contacts."""
    return session.scalars(_CORRECTIONS, {"customer_ids": list(customer_ids)}).all()


def put_correction(session: Session, row: CorrectionRow) -> None:
    """Store a correction in place of an earlier one of the same field."""
    session.merge(row)
    session.flush()


def drop_corrections(session: Session, keys: Iterable[tuple[str, str, str]]) -> None:
    """Delete corrections, each by (customer_id, contact_id or "" for the customer itself, field)."""
    for key in keys:
        row = session.get(CorrectionRow, key)
        if row is not None:
            session.delete(row)
    session.flush()


def put(session: Session, found: Mapping[str, Iterable[Person]]) -> None:
    """Insert or update people, given by customer."""
    put_all(session, ContactRow, [_facts(customer_id, one) for customer_id, some in found.items() for one in some])


def set_closed(session: Session, contact_id: str, at: datetime, by: str, why: str, *, closed: bool) -> None:
    """Close a contact, as of then, or open it again, also where no record names it any more."""
    row = session.get_one(ContactRow, contact_id)
    if closed and row.closed_at is None:
        row.closed_at, row.closed_by, row.closed_why = at, by, why
    elif not closed:
        row.closed_at = row.closed_by = row.closed_why = None
        if row.retired_at is not None:
            row.retired_at, row.added_by = None, by
    session.flush()


def put_namings(session: Session, found: Mapping[str, Naming]) -> None:
    """Store which contacts the newest records of these invoices name, in place of what earlier records named."""
    if not found:
        return
    speaking = [invoice_id for invoice_id, naming in found.items() if naming.speaks]
    session.execute(update(InvoiceRow).where(InvoiceRow.invoice_id.in_(speaking)).values(names_contacts=True))
    session.execute(delete(InvoiceContactRow).where(InvoiceContactRow.invoice_id.in_(list(found))))
    facts: list[Facts] = [
        {"invoice_id": invoice_id, "contact_id": contact_id, "alone": alone}
        for invoice_id, naming in found.items()
        for contact_id, alone in naming.people.items()
    ]
    add_all(session, InvoiceContactRow, facts)


def _person(row: ContactRow) -> Person:
    return Person(
        contact=_contact(row),
        position=row.position,
        shared=row.shared,
        added_by=row.added_by,
        retired_at=row.retired_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        closed_why=row.closed_why,
    )


def _contact(row: ContactRow) -> Contact:
    return Contact(
        contact_id=row.contact_id,
        role=row.role,
        name=row.name,
        email=row.email,
        phone=row.phone,
        post=row.post,
        whatsapp_opt_in=row.whatsapp_opt_in,
    )


def _facts(customer_id: str, person: Person) -> Facts:
    return {
        **person.contact.model_dump(mode="json"),
        "customer_id": customer_id,
        "position": person.position,
        "shared": person.shared,
        "added_by": person.added_by,
        "retired_at": person.retired_at,
        "closed_at": person.closed_at,
        "closed_by": person.closed_by,
        "closed_why": person.closed_why,
    }
