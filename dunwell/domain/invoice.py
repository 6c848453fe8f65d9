"""What the billing system hands over: an invoice, its customer and the people who can be reached.

A rehearsal has a customer of its own, made from the real one, so that nothing it does (contacts made, holds,
addresses that bounce) ever counts for the real account.
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from dunwell.domain.contact import Contact
from dunwell.domain.model import Value
from dunwell.domain.terms import DebtorKind

UNDETERMINED = "und"
"""BCP 47 for a language that nobody named."""


class Customer(Value):
    customer_id: str
    name: str
    country: str  # ISO 3166-1 alpha-2
    time_zone: str  # IANA
    language: str  # BCP 47: "en", "pt-BR"; UNDETERMINED until the customer is registered
    contacts: tuple[Contact, ...]
    kind: DebtorKind | None = None  # None: nobody said
    group: str | None = None  # customers of one group may read of each other's debts
    interest: str | None = None  # claimed of this customer; None: nobody said
    lump_sum: str | None = None

    @property
    def shares(self) -> str | None:
        """The group with whose other members one message may speak of this customer; None: with nobody.

        A consumer's debts are disclosed to nobody else; who is not known to be a company or public body may be one.
        """
        return self.group if self.kind in (DebtorKind.BUSINESS, DebtorKind.PUBLIC) else None


class EarlierPayment(Value):
    """A payment from before the invoice came to us. Without an id it is known by its sum alone."""

    payment_id: str | None = None
    amount: Decimal
    received_at: datetime | None = None


class EarlierReminder(Value):
    """A step of the ladder that was done elsewhere, and when."""

    step: str
    on: date


class History(Value):
    """What happened to an invoice before it came to us; reminders in the order of their days."""

    paid: tuple[EarlierPayment, ...] = ()
    reminded: tuple[EarlierReminder, ...] = ()


class Invoice(Value):
    """A checked invoice: the currency exists, the amount is positive and fits its minor units.

    The people of `customer` are those whom the record of this invoice names; without `names_contacts` it says nothing
    about them. `contacts` are of this invoice alone; None says nothing about them.
    """

    invoice_id: str
    number: str
    customer: Customer
    amount: Decimal
    currency: str  # ISO 4217
    digits: int  # minor units of the currency: 2 for EUR, 0 for JPY
    issued_on: date
    due_on: date
    payment_url: str | None = None
    policy: str | None = None  # name of a ladder; None means the default ladder
    jurisdiction: str | None = None
    interest: str | None = None  # claimed for late payment, as domain.claim_terms reads it; None says nothing
    lump_sum: str | None = None
    document: Path | None = None  # the invoice itself, a PDF on this machine
    contacts: tuple[Contact, ...] | None = None
    names_contacts: bool = True
    history: History = History()


REHEARSAL = "rehearsal."
"""What the ids of customers and contacts of rehearsals begin with."""


def is_rehearsal(customer_id: str) -> bool:
    """Whether this is the customer of a rehearsal."""
    return customer_id.startswith(REHEARSAL)


def for_rehearsal(invoice: Invoice) -> Invoice:
    """The same invoice for a customer and contacts that only rehearsals know."""
    customer = invoice.customer
    if is_rehearsal(customer.customer_id):
        return invoice
    apart = customer.model_copy(
        update={
            "customer_id": REHEARSAL + customer.customer_id,
            "contacts": tuple(map(_contact_for_rehearsal, customer.contacts)),
        }
    )
    alone = None if invoice.contacts is None else tuple(map(_contact_for_rehearsal, invoice.contacts))
    return invoice.model_copy(update={"customer": apart, "contacts": alone})


def _contact_for_rehearsal(contact: Contact) -> Contact:
    return contact.model_copy(update={"contact_id": REHEARSAL + contact.contact_id})
