"""Invoices and desks as tests need them: everything has a sensible value, each test names what it is about."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from dunwell.bootstrap import MESSAGES
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.people import Person
from dunwell.domain.policy import Policy, Trait
from dunwell.domain.terms import Role
from dunwell.gateways.base import MessageGateway, ProductGateway
from dunwell.gateways.holidays import HolidayLibrary
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.product_access import NoProduct
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.services.dependencies import Dependencies
from dunwell.services.laws import files
from dunwell.services.our_company import Sender
from dunwell.store import contacts, invoices
from dunwell.store.database import Database
from dunwell.texts.catalogue import Catalogue

DUE = date(2027, 3, 1)  # a Monday


def at(text: str) -> datetime:
    """ "2027-03-02 10:00" as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_contact(role: Role = Role.ACCOUNTS_PAYABLE, number: int = 1, **changes: Any) -> Contact:
    facts: dict[str, Any] = {
        "contact_id": f"acme.{role.value}.{number}",
        "role": role,
        "name": f"{role.value.title()} Person",
        "email": f"{role.value}{number}@acme.example",
        "phone": None,
    }
    return Contact(**facts | changes)


def a_customer(**changes: Any) -> Customer:
    facts: dict[str, Any] = {
        "customer_id": "acme",
        "name": "Acme GmbH",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "language": "en",
        "contacts": (a_contact(), a_contact(Role.USER), a_contact(Role.ACCOUNT_MANAGER)),
    }
    return Customer(**facts | changes)


def another_customer(name: str, **changes: Any) -> Customer:
    """A customer with people of its own, for tests in which several must not share a contact."""
    roles = (Role.ACCOUNTS_PAYABLE, Role.USER, Role.ACCOUNT_MANAGER)
    people = tuple(
        a_contact(role, contact_id=f"{name}.{role.value}.1", email=f"{role.value}@{name}.example") for role in roles
    )
    return a_customer(**{"customer_id": name, "contacts": people} | changes)


def keep_customer(session: Session, customer: Customer) -> None:
    """The customer with their people in the database, without any record that names them."""
    invoices.put_customers(session, [customer])
    people = [Person(contact, position) for position, contact in enumerate(customer.contacts)]
    contacts.put(session, {customer.customer_id: people})


def an_invoice(**changes: Any) -> Invoice:
    facts: dict[str, Any] = {
        "invoice_id": "inv-1",
        "number": "2027-001",
        "customer": a_customer(),
        "amount": Decimal("1200.00"),
        "currency": "EUR",
        "digits": 2,
        "issued_on": date(2027, 2, 1),
        "due_on": DUE,
        "payment_url": "https://pay.example/inv-1",
        "policy": "gentle-saas",
    }
    return Invoice(**facts | changes)


@lru_cache(maxsize=1)
def the_catalogue() -> Catalogue:
    return Catalogue.load(MESSAGES)


@lru_cache(maxsize=1)
def the_traits() -> Mapping[str, Trait]:
    return traits_of(the_catalogue())


@lru_cache(maxsize=1)
def the_ladders() -> dict[str, Policy]:
    return read_ladders(the_traits())


def a_ladder(text: str) -> Policy:
    """A ladder as its file would be read; it names itself."""
    data = tomllib.loads(text)
    laws = files() if "jurisdictions" in data else {}
    return parse_policy(data, f"policies/{data['name']}.toml", the_traits(), laws)


def sample_deps(
    database: Database,
    email: MessageGateway | None = None,
    sms: MessageGateway | None = None,
    product: ProductGateway | None = None,
    letter: MessageGateway | None = None,
    whatsapp: MessageGateway | None = None,
) -> Dependencies:
    """A desk like the worker's, with the outbox where nothing else is given."""
    outboxes: dict[Channel, MessageGateway] = {channel: OutboxGateway(channel) for channel in WRITTEN}
    given = {Channel.EMAIL: email, Channel.SMS: sms, Channel.LETTER: letter, Channel.WHATSAPP: whatsapp}
    gateways = outboxes | {channel: gateway for channel, gateway in given.items() if gateway is not None}
    return Dependencies(
        database=database,
        business_days=HolidayLibrary(),
        catalogue=the_catalogue(),
        sender=Sender("Ana Lopez", "Dunwell Example Ltd", "ana@dunwell.example"),
        gateways=gateways,
        rehearsal_gateways=outboxes,
        product=product or NoProduct(),
        rehearsal_product=NoProduct(),
    )
