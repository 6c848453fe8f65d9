"""Customers, contacts and invoices as the billing system handed them over."""

import secrets
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from domain.invoice import Contact, Customer, Invoice
from domain.policy import PolicyRef
from domain.terms import Role
from store.rows import Facts, add_all, put_all
from store.tables import ContactRow, CustomerRow, InvoiceRow

_CODE_BYTES = 6  # eight characters: short enough for an SMS, and nobody finds one by trying

_CONTACTS = select(ContactRow).where(ContactRow.customer_id == bindparam("customer_id")).order_by(ContactRow.position)


def put_customers(session: Session, customers: Sequence[Customer]) -> None:
    """Insert or renew. Contacts that are no longer named stay: their messages point at them."""
    put_all(session, CustomerRow, (customer.model_dump(exclude={"contacts"}) for customer in customers))
    contacts = ((one, position, contact) for one in customers for position, contact in enumerate(one.contacts))
    put_all(session, ContactRow, (_contact_facts(*one) for one in contacts))


def _contact_facts(customer: Customer, position: int, contact: Contact) -> Facts:
    return {
        "contact_id": contact.contact_id,
        "customer_id": customer.customer_id,
        "role": contact.role.value,
        "position": position,
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "post": contact.post,
    }


def add_invoices(session: Session, found: Iterable[tuple[Invoice, PolicyRef]]) -> None:
    """Keep invoices that are new, each with the ladder version that its case keeps."""
    add_all(session, InvoiceRow, [_invoice_facts(invoice, policy) for invoice, policy in found])


def _invoice_facts(invoice: Invoice, policy: PolicyRef) -> Facts:
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "customer_id": invoice.customer.customer_id,
        "amount": invoice.amount,
        "currency": invoice.currency,
        "digits": invoice.digits,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "payment_url": invoice.payment_url,
        "pay_code": secrets.token_urlsafe(_CODE_BYTES) if invoice.payment_url else None,
        "jurisdiction": invoice.jurisdiction,
        "policy_name": policy.name,
        "policy_version": policy.version,
    }


def get_row(session: Session, invoice_id: str) -> InvoiceRow | None:
    return session.get(InvoiceRow, invoice_id)


def get_rows(session: Session, invoice_ids: Collection[str]) -> dict[str, InvoiceRow]:
    """Those that are known, by id."""
    rows = session.scalars(select(InvoiceRow).where(InvoiceRow.invoice_id.in_(invoice_ids)))
    return {row.invoice_id: row for row in rows}


def payment_page(session: Session, pay_code: str) -> str | None:
    """Where the invoice of this code is paid; None for a code that nobody made."""
    return session.scalar(select(InvoiceRow.payment_url).where(InvoiceRow.pay_code == pay_code))


def place(session: Session, customer_id: str) -> CustomerRow:
    """The customer without contacts: where they are. Raises LookupError when nobody registered this customer."""
    row = session.get(CustomerRow, customer_id)
    if row is None:
        raise LookupError(f"customer {customer_id!r} is not in the database")
    return row


def get_customer(session: Session, customer_id: str) -> Customer:
    """Raises LookupError when nobody registered this customer."""
    return _with_contacts(session, place(session, customer_id))


def languages(session: Session, customer_ids: Collection[str]) -> dict[str, str]:
    """What the customers that are known speak, by id."""
    query = select(CustomerRow.customer_id, CustomerRow.language)
    rows = session.execute(query.where(CustomerRow.customer_id.in_(customer_ids)))
    return {row.customer_id: row.language for row in rows}


def find_customer(session: Session, customer_id: str) -> Customer | None:
    """None when nobody registered this customer."""
    row = session.get(CustomerRow, customer_id)
    return None if row is None else _with_contacts(session, row)


def _with_contacts(session: Session, row: CustomerRow) -> Customer:
    contacts = session.scalars(_CONTACTS, {"customer_id": row.customer_id})
    return Customer(
        customer_id=row.customer_id,
        name=row.name,
        country=row.country,
        time_zone=row.time_zone,
        language=row.language,
        contacts=tuple(
            Contact(
                contact_id=contact.contact_id,
                role=Role(contact.role),
                name=contact.name,
                email=contact.email,
                phone=contact.phone,
                post=contact.post,
            )
            for contact in contacts
        ),
    )


def differences(row: InvoiceRow, invoice: Invoice) -> list[str]:
    """The facts in which a file disagrees with an invoice that is known already."""
    pairs = {
        "number": (row.number, invoice.number),
        "customer.id": (row.customer_id, invoice.customer.customer_id),
        "amount": (row.amount, invoice.amount),
        "currency": (row.currency, invoice.currency),
        "issued_on": (row.issued_on, invoice.issued_on),
        "due_on": (row.due_on, invoice.due_on),
    }
    return [name for name, (known, given) in pairs.items() if known != given]
