"""Customers, contacts and invoices as the billing system handed them over."""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.invoice import Contact, Customer, Invoice
from domain.terms import Role
from store.tables import ContactRow, CustomerRow, InvoiceRow

_CODE_BYTES = 6  # eight characters: short enough for an SMS, and nobody finds one by trying


def put_customer(session: Session, customer: Customer) -> None:
    """Insert or renew. Contacts that are no longer named stay: their messages point at them."""
    session.merge(
        CustomerRow(
            customer_id=customer.customer_id,
            name=customer.name,
            country=customer.country,
            time_zone=customer.time_zone,
            language=customer.language,
        )
    )
    session.flush()
    for position, contact in enumerate(customer.contacts):
        session.merge(
            ContactRow(
                contact_id=contact.contact_id,
                customer_id=customer.customer_id,
                role=contact.role.value,
                position=position,
                name=contact.name,
                email=contact.email,
                phone=contact.phone,
                post=contact.post,
            )
        )
    session.flush()


def add_invoice(session: Session, invoice: Invoice, policy_name: str, policy_version: int) -> None:
    session.add(
        InvoiceRow(
            invoice_id=invoice.invoice_id,
            number=invoice.number,
            customer_id=invoice.customer.customer_id,
            amount=invoice.amount,
            currency=invoice.currency,
            digits=invoice.digits,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            payment_url=invoice.payment_url,
            pay_code=secrets.token_urlsafe(_CODE_BYTES) if invoice.payment_url else None,
            jurisdiction=invoice.jurisdiction,
            policy_name=policy_name,
            policy_version=policy_version,
        )
    )
    session.flush()


def get_row(session: Session, invoice_id: str) -> InvoiceRow | None:
    return session.get(InvoiceRow, invoice_id)


def payment_page(session: Session, pay_code: str) -> str | None:
    """Where the invoice of this code is paid; None for a code that nobody made."""
    return session.scalar(select(InvoiceRow.payment_url).where(InvoiceRow.pay_code == pay_code))


def get_customer(session: Session, customer_id: str) -> Customer:
    """Raises LookupError when nobody registered this customer."""
    customer = find_customer(session, customer_id)
    if customer is None:
        raise LookupError(f"customer {customer_id!r} is not in the database")
    return customer


def find_customer(session: Session, customer_id: str) -> Customer | None:
    """None when nobody registered this customer."""
    row = session.get(CustomerRow, customer_id)
    if row is None:
        return None
    contacts = session.scalars(
        select(ContactRow).where(ContactRow.customer_id == customer_id).order_by(ContactRow.position)
    )
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
