"""What a billing system or a payment provider reports, in our words, whoever it is.

A provider's own ids stay as they are: `subject` is the payment or the invoice of the provider that an event is about.
Everything that is said of one subject is applied together, so that the order in which events arrive does not matter.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from dunwell.domain.model import Value


class SubjectState(StrEnum):
    """How far the events about one subject are applied.

    due        to be applied, or applied again because something new was said
    waiting    cannot be applied yet: the reason says what is missing; tried again
    settled    all is applied
    dismissed  a person decided that it concerns no case
    """

    DUE = "due"
    WAITING = "waiting"
    SETTLED = "settled"
    DISMISSED = "dismissed"


class SubjectKind(StrEnum):
    """What a subject is at the provider."""

    PAYMENT = "payment"
    INVOICE = "invoice"


class Named(Value):
    """How an object of a provider names an invoice of ours.

    invoice_id  our own id, which somebody wrote into the object
    number      the number that is printed on the invoice
    billed      the provider's own id of the invoice that the payment is for
    payment_id  the payment's id at the sender, where the subject is more than that
    """

    invoice_id: str | None = None
    number: str | None = None
    billed: str | None = None
    payment_id: str | None = None


class Paid(Value):
    """A payment came in. `rank`: which amount counts when objects of several kinds name one; the highest."""

    fact: Literal["paid"] = "paid"
    amount: Decimal
    currency: str
    at: datetime
    method: str | None = None
    designation: str | None = None
    named: Named = Named()
    rank: int = 0


class TakenBack(Value):
    """A part of a payment, or all of it, went back: a refund, or a dispute with the card's or account's bank.

    returned  it came back to us: the refund failed, or we won the dispute
    """

    fact: Literal["taken_back"] = "taken_back"
    item_id: str
    reason: Literal["refund", "dispute"]
    amount: Decimal
    currency: str
    at: datetime
    returned: bool = False
    named: Named = Named()


class RefundedInAll(Value):
    """How much of a payment has been refunded until now, in all its refunds."""

    fact: Literal["refunded_in_all"] = "refunded_in_all"
    amount: Decimal
    currency: str
    at: datetime
    named: Named = Named()


class CreditNoted(Value):
    """Refunds of what a credit note says was never owed, by their ids. `void`: the note was taken back."""

    fact: Literal["credit_noted"] = "credit_noted"
    note_id: str
    refunds: dict[str, Decimal] = Field(default_factory=dict)
    void: bool = False


class BilledInvoice(Value):
    """An invoice as the billing system has it.

    status        draft, open, paid, void or uncollectible
    sent          it is sent to be paid; False: the billing system charges the customer itself
    attempted     the billing system has tried to charge
    next_attempt  when it tries again; None: it does not
    reminds       the billing system may remind the customer itself
    amount        what is due of it, after credit notes; `paid` of that was paid, by whatever way
    record        the invoice in the form of an invoice file, before it is checked
    """

    fact: Literal["invoice"] = "invoice"
    status: Literal["draft", "open", "paid", "void", "uncollectible"]
    sent: bool
    attempted: bool = False
    next_attempt: datetime | None = None
    reminds: bool = False
    amount: Decimal
    paid: Decimal = Decimal(0)
    currency: str
    at: datetime
    named: Named = Named()
    record: dict[str, Any] = Field(default_factory=dict)


class OtherVersion(Value):
    """An object in another version of the provider's API than the one we read; it has to be fetched in ours."""

    fact: Literal["other_version"] = "other_version"
    kind: str
    object_id: str
    version: str
    at: datetime


Fact = Annotated[
    Paid | TakenBack | RefundedInAll | CreditNoted | BilledInvoice | OtherVersion, Field(discriminator="fact")
]


class BillingEvent(Value):
    """One event that a provider reported, verified.

    event_id  identifies it: an event that is reported again has the same
    kind      the provider's own word, for people
    subject   the payment or invoice of the provider that it is about; `subject_kind` says which
    related   the provider's invoice that the payment is for, if the event says so
    """

    event_id: str
    kind: str
    subject: str
    subject_kind: SubjectKind
    related: str | None = None
    at: datetime
    fact: Fact
