"""Customers and invoices as the billing system gave them."""

import secrets
from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer, History, Invoice, is_rehearsal
from dunwell.domain.people import is_third_party
from dunwell.domain.policy import PolicyRef
from dunwell.store import contacts, payment_references
from dunwell.store.bulk_rows import Facts, add_all, put_all
from dunwell.store.tables import CustomerRow, InvoiceRow

CLAIM_TERMS = ("jurisdiction", "interest", "lump_sum")
"""What an invoice's record says about a claim for late payment; a newer record may change it."""
_OF_GROUP = select(CustomerRow).where(CustomerRow.group == bindparam("name"))
_CODE_BYTES = 6  # gives eight characters: short enough for an SMS, too many to guess


def put_customers(session: Session, customers: Iterable[Customer]) -> None:
    """Insert or update customers, without their contacts, which `dunwell.store.contacts` stores."""
    put_all(session, CustomerRow, [customer.model_dump(mode="json", exclude={"contacts"}) for customer in customers])


def add_invoices(session: Session, found: Iterable[tuple[Invoice, PolicyRef]]) -> None:
    """Insert new invoices, each with the policy version of its case and with its own payment reference."""
    facts = [_invoice_facts(invoice, policy) for invoice, policy in found]
    add_all(session, InvoiceRow, facts)
    payment_references.issue_each(session, [one["invoice_id"] for one in facts])


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
        **{name: getattr(invoice, name) for name in CLAIM_TERMS},
        "history": invoice.history.model_dump(mode="json") if invoice.history != History() else None,
        "policy_name": policy.name,
        "policy_version": policy.version,
        "names_contacts": invoice.names_contacts,
    }


def renew_terms(row: InvoiceRow, invoice: Invoice) -> dict[str, tuple[str | None, str]]:
    """Take what a newer record says about the claim. Returns what changed, as (before, after) by field."""
    changed = {}
    for name in CLAIM_TERMS:
        before, after = getattr(row, name), getattr(invoice, name)
        if after is not None and after != before:
            setattr(row, name, after)
            changed[name] = (before, after)
    return changed


def get_row(session: Session, invoice_id: str) -> InvoiceRow | None:
    return session.get(InvoiceRow, invoice_id)


def get_rows(session: Session, invoice_ids: Collection[str]) -> dict[str, InvoiceRow]:
    """Return the rows of those of these invoices that are known, by id."""
    rows = session.scalars(select(InvoiceRow).where(InvoiceRow.invoice_id.in_(invoice_ids)))
    return {row.invoice_id: row for row in rows}


def payment_page(session: Session, pay_code: str) -> str | None:
    """Return the payment URL of the invoice with this code; None for an unknown code."""
    return session.scalar(select(InvoiceRow.payment_url).where(InvoiceRow.pay_code == pay_code))


def customer_row(session: Session, customer_id: str) -> CustomerRow:
    """Return the customer's row. Raises LookupError when the customer is unknown."""
    row = session.get(CustomerRow, customer_id)
    if row is None:
        raise LookupError(f"customer {customer_id!r} is not in the database")
    return row


def find_customers(session: Session, customer_ids: Collection[str]) -> dict[str, Customer]:
    """Return those of these customers that are known, by id, without their contacts."""
    rows = session.scalars(select(CustomerRow).where(CustomerRow.customer_id.in_(customer_ids)))
    return {row.customer_id: _customer(row, ()) for row in rows}


def get_customer(session: Session, customer_id: str) -> Customer:
    """Return the customer with all contacts ever named. Raises LookupError when the customer is unknown."""
    found = contacts.people(session, [customer_id])[customer_id]
    return _customer(customer_row(session, customer_id), (one.contact for one in found))


def sharing(session: Session, customer: Customer) -> frozenset[str]:
    """Return the ids of the other customers of the group whose invoices may share a message with this customer's."""
    if customer.shares is None:
        return frozenset()
    rows = session.scalars(_OF_GROUP, {"name": customer.shares})
    others = (_customer(row, ()) for row in rows if row.customer_id != customer.customer_id)
    rehearsal = is_rehearsal(customer.customer_id)
    return frozenset(
        one.customer_id for one in others if one.shares is not None and is_rehearsal(one.customer_id) == rehearsal
    )


def get_customer_of(session: Session, invoice_id: str) -> Customer:
    """Return the customer of an invoice with the contacts that may be asked to pay it.

    Raises LookupError when the invoice is unknown.
    """
    row = get_row(session, invoice_id)
    if row is None:
        raise LookupError(f"invoice {invoice_id!r} is not in the database")
    return _customer(customer_row(session, row.customer_id), contacts.for_invoice(session, invoice_id))


def _customer(row: CustomerRow, people: Iterable[Contact]) -> Customer:
    """Return the customer with those of `people` who may be told of the debt."""
    return Customer(
        customer_id=row.customer_id,
        name=row.name,
        country=row.country,
        time_zone=row.time_zone,
        language=row.language,
        contacts=tuple(one for one in people if not is_third_party(row.kind, one.role)),
        kind=row.kind,
        group=row.group,
        interest=row.interest,
        lump_sum=row.lump_sum,
    )


def differences(row: InvoiceRow, case: Case | None, invoice: Invoice) -> dict[str, tuple[object, object]]:
    """Return the fields in which a file differs from a known invoice, as (known value, value in the file).

    Amount and due date are compared with the case, which may have been amended since the invoice was registered.
    """
    pairs: dict[str, tuple[object, object]] = {
        "number": (row.number, invoice.number),
        "customer.id": (row.customer_id, invoice.customer.customer_id),
        "currency": (row.currency, invoice.currency),
        "issued_on": (row.issued_on, invoice.issued_on),
        "amount": (case.money.amount if case else row.amount, invoice.amount),
        "due_on": (case.due_on if case else row.due_on, invoice.due_on),
    }
    return {name: (known, given) for name, (known, given) in pairs.items() if known != given}
