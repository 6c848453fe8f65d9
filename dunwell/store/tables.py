"""The tables. Personal data lives here and nowhere else; business keys are the keys."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false, func, true
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dunwell.domain.address import address_key
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.terms import Channel
from dunwell.store.column_types import Amount, Moment


class Base(DeclarativeBase):
    type_annotation_map = {
        str: String(200),
        Decimal: Amount(),
        datetime: Moment(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class CustomerRow(Base):
    """The debtor. Its row is the lock that orders claims, payments and holds of all its invoices."""

    __tablename__ = "customers"
    customer_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    country: Mapped[str] = mapped_column(String(2))
    time_zone: Mapped[str]
    language: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str | None] = mapped_column(String(10))
    group: Mapped[str | None]


class CustomerPauseRow(Base):
    """A customer who rests: every open invoice of theirs, and those still to come. `until` None: until resumed."""

    __tablename__ = "customer_pauses"
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), primary_key=True)
    reason: Mapped[str]
    by: Mapped[str]
    until: Mapped[date | None]
    since: Mapped[datetime]


class ContactRow(Base):
    """A person whom a record or one of us named; `dunwell.domain.people.Person` says what the last columns mean."""

    __tablename__ = "contacts"
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    post: Mapped[str | None] = mapped_column(Text)
    shared: Mapped[bool] = mapped_column(default=True, server_default=true())
    added_by: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_why: Mapped[str | None]


class CorrectionRow(Base):
    """A fact of a customer, or of one contact, that a person corrected.

    It stands until a record says something else than `exported`, which the newest record said when it was corrected.
    `contact_id` "" means the customer.
    """

    __tablename__ = "corrections"
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True, default="")
    field: Mapped[str] = mapped_column(String(20), primary_key=True)
    exported: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str]
    at: Mapped[datetime]


class ClosedAddressRow(Base):
    """An address nobody may write to: it bounced, or its owner said STOP. `address` is its key, not its spelling."""

    __tablename__ = "closed_addresses"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str]
    since: Mapped[datetime]


class PolicyRow(Base):
    """A ladder as it was when first used; a version never changes."""

    __tablename__ = "policies"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]


class InvoiceRow(Base):
    """What the billing system handed over, and the policy version the case keeps."""

    __tablename__ = "invoices"
    invoice_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str]
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    digits: Mapped[int]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    payment_url: Mapped[str | None] = mapped_column(Text)
    pay_code: Mapped[str | None] = mapped_column(String(16))  # stands for payment_url in short links
    jurisdiction: Mapped[str | None]
    history: Mapped[dict[str, Any] | None]  # what happened before it came to us: paid, reminded
    policy_name: Mapped[str]
    policy_version: Mapped[int]
    names_contacts: Mapped[bool] = mapped_column(default=False, server_default=false())  # its record has a list


class InvoiceContactRow(Base):
    """Whom the newest record of an invoice names; `alone`: for this invoice, and not for the customer."""

    __tablename__ = "invoice_contacts"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    contact_id: Mapped[str] = mapped_column(ForeignKey("contacts.contact_id"), primary_key=True, index=True)
    alone: Mapped[bool] = mapped_column(default=False, server_default=false())


class DocumentRow(Base):
    """The invoice itself, as a PDF; mails that ask for it to be paid enclose it."""

    __tablename__ = "documents"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    name: Mapped[str]
    content: Mapped[bytes]


class CaseRow(Base):
    """The latest copy of a case, so that lists need no engine and a new run goes on where it stood."""

    __tablename__ = "cases"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    stage: Mapped[str] = mapped_column(String(20), index=True)
    next_step: Mapped[str | None]
    next_at: Mapped[datetime | None]
    rehearsal: Mapped[bool]
    revision: Mapped[int]
    state: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class PaymentRow(Base):
    __tablename__ = "payments"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    received_at: Mapped[datetime]
    method: Mapped[str | None]
    reversed_at: Mapped[datetime | None]
    reversal_reason: Mapped[str | None]


class CreditRow(Base):
    """What was paid too much on an invoice: owed to the customer, kept for the billing system."""

    __tablename__ = "credits"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]


def _message_key(context: DefaultExecutionContext) -> str:
    facts = context.get_current_parameters()  # type: ignore[no-untyped-call]
    rehearsal = is_rehearsal(facts["customer_id"])
    return address_key(Channel(facts["channel"]), facts["address"], rehearsal=rehearsal)


class MessageRow(Base):
    """The outbox. `call` is what is known of the provider call: begun, refused (surely not taken) or answered.

    `address_key` is the same for every spelling of `address`; rehearsals have keys of their own.
    """

    __tablename__ = "messages"
    message_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    step: Mapped[str]
    message: Mapped[str]
    channel: Mapped[str] = mapped_column(String(10))
    contact_id: Mapped[str]
    address: Mapped[str] = mapped_column(Text)
    address_key: Mapped[str] = mapped_column(Text, default=_message_key, server_default="")
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    asks: Mapped[bool]
    amount: Mapped[Decimal]
    state: Mapped[str] = mapped_column(String(12), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    call: Mapped[str] = mapped_column(String(10))
    called_at: Mapped[datetime | None]
    planned_at: Mapped[datetime]
    claimed_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    provider: Mapped[str | None]
    provider_id: Mapped[str | None] = mapped_column(index=True)


class MessageInvoiceRow(Base):
    """Which step of which invoice a message carries; one message may speak of several. The key is guarantee G3.

    `warning`: for this invoice the message is a written warning.
    """

    __tablename__ = "message_invoices"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.message_id"), index=True)
    warning: Mapped[bool]


class WaitRow(Base):
    """A step that waits for its turn at an address; `until` is when its turn is, `since` its place in the line.

    `urgent`: it goes before friendly notices.
    """

    __tablename__ = "waits"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    address_key: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[str]
    step: Mapped[str]
    urgent: Mapped[bool]
    since: Mapped[datetime]
    until: Mapped[datetime]


class CreditUseRow(Base):
    """Credit of one invoice that was applied to another one of the same customer, or returned.

    to_invoice  the invoice it pays, in whose payments it stands under the same id; None: it was returned
    undone_at   when it was taken back, so that it is credit again
    """

    __tablename__ = "credit_uses"
    credit_id: Mapped[str] = mapped_column(primary_key=True)
    from_invoice: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    to_invoice: Mapped[str | None] = mapped_column(ForeignKey("invoices.invoice_id"))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    by: Mapped[str]
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class HoldRow(Base):
    """One invoice's claim on its account's access. The account has the worst of its unreleased holds."""

    __tablename__ = "holds"
    hold_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"))
    level: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str | None] = mapped_column(Text)


class AccessChangeRow(Base):
    """Each change of an account's access, in order, and when the product heard of it."""

    __tablename__ = "access_changes"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    change_id: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    invoice_id: Mapped[str]
    access: Mapped[str] = mapped_column(String(12))
    work_on_hold: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class TaskRow(Base):
    """Something a person has to do: a call, a visit, a meeting, or a decision the machine must not take.

    attempt       the how-manieth try of this step's call it is
    requested     the debtor asked to be called then
    amount        what the script asks for, in `currency`
    agent_script  the script in the language of our own people, where that is another
    outlives_case it stays open when the case ends
    result        the outcome's word, once it is done
    """

    __tablename__ = "tasks"
    task_id: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(index=True)  # which may not be registered yet
    step: Mapped[str]
    kind: Mapped[str] = mapped_column(String(20))
    contact_id: Mapped[str | None]
    due_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    script: Mapped[str] = mapped_column(Text)
    agent_script: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    outlives_case: Mapped[bool] = mapped_column(default=False, server_default=false())
    escalated_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(12), index=True)  # open, done, withdrawn
    outcome: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(String(30))
    closed_at: Mapped[datetime | None]


class TimelineRow(Base):
    """Every decision with its reason. `key` makes a repeated writing harmless."""

    __tablename__ = "timeline"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(30))
    step: Mapped[str | None]
    channel: Mapped[str | None]
    reason: Mapped[str] = mapped_column(Text)
    ref: Mapped[str | None]
    __table_args__ = (UniqueConstraint("invoice_id", "key"),)


class WebhookEventRow(Base):
    """What a provider told us, kept once however often it is repeated. `done_at` None: not yet acted on."""

    __tablename__ = "webhook_events"
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(300), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class RequestRow(Base):
    """A request that carries an idempotency key, so that its repetition is recognised for as long as the row is kept.

    request_id    stands for key and content, and names the request to the engine and in `record`
    leased_until  until when the process that waits for the case's answer has the request for itself, unless it
                  renews that; None: nobody waits
    taken_at      when the case wrote the event down
    answer        what the first one was answered; None: nothing yet
    """

    __tablename__ = "requests"
    principal: Mapped[str] = mapped_column(String(60), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(32), unique=True, index=True)
    event: Mapped[str] = mapped_column(String(40))
    first_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class NoteRow(Base):
    """What an agent wrote in free words; signals carry only its id."""

    __tablename__ = "notes"
    note_id: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    author: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class StandstillRow(Base):
    """A time in which no message and no consequence left the installation. `ended_at` None: it is in force."""

    __tablename__ = "standstills"
    standstill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    since: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    end_reason: Mapped[str | None]


class ReconciliationRow(Base):
    """One comparison of database and engine: what it found, and whether that was mended."""

    __tablename__ = "reconciliations"
    pass_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    by: Mapped[str]
    cases: Mapped[int]
    differing: Mapped[int]
    mended: Mapped[bool]
    findings: Mapped[list[Any]]


Index("holds_open", HoldRow.customer_id, HoldRow.released_at)
Index("invoices_pay_code", InvoiceRow.pay_code, unique=True)
Index("holds_of", HoldRow.invoice_id)
Index("messages_to", MessageRow.contact_id, MessageRow.claimed_at)
Index("messages_at", MessageRow.address_key, MessageRow.claimed_at)
Index("waits_at", WaitRow.address_key, WaitRow.until)
Index("contacts_email", func.lower(ContactRow.email))
Index("customers_of_group", CustomerRow.group)
Index("contacts_phone", ContactRow.phone)
Index("calls_to", TaskRow.contact_id, TaskRow.due_at)
