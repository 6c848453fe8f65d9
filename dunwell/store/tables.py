"""The database tables. Personal data is stored here and nowhere else. Primary keys are business keys."""

from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    event,
    false,
    func,
    true,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column

from dunwell.domain.address import address_key
from dunwell.domain.bank_entry import Direction, EntryState, StatementFormat
from dunwell.domain.billing_events import SubjectKind, SubjectState
from dunwell.domain.channels import Channel
from dunwell.domain.events import EVENTS, CallResult
from dunwell.domain.incoming import ProposalState, Source
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.links import LinkKind
from dunwell.domain.notifications import DeliveryState, Topic
from dunwell.domain.people import CONTACT_FIELDS, CUSTOMER_FIELDS
from dunwell.domain.principals import ApprovalDecision, PrincipalKind
from dunwell.domain.principals import Role as PrincipalRole
from dunwell.domain.reply_terms import FoundBy, ReplyChannel, ReplyKind, ReplyOutcome
from dunwell.domain.terms import (
    Access,
    DebtorKind,
    Head,
    Level,
    MessageState,
    PayerState,
    PromiseState,
    ProviderCall,
    Role,
    Stage,
    TaskKind,
    TaskState,
)
from dunwell.store.column_types import Amount, Moment, Name, Word

_CORRECTABLE = tuple(dict.fromkeys([*CUSTOMER_FIELDS, *CONTACT_FIELDS]))
"""Facts of a customer or a contact that a person may correct."""


class Base(DeclarativeBase):
    type_annotation_map = {
        str: String(200),
        Decimal: Amount(),
        datetime: Moment(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _hold_words(_: type[Base], __: str, attribute: InstrumentedAttribute[Any]) -> None:
    """A row holds the enum's member as soon as it is assigned, not only once it was read back."""
    columns = getattr(attribute.property, "columns", None)
    if columns and isinstance(columns[0].type, Word):
        event.listen(attribute, "set", partial(_word, columns[0].type), retval=True)


def _word(kind: Word[Any], _: Base, word: str | None, *__: object) -> object:
    return None if word is None else kind.known(word)


class CustomerRow(Base):
    """A customer. Its row is the lock that puts claims, payments and holds of all its invoices in one order."""

    __tablename__ = "customers"
    customer_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    country: Mapped[str] = mapped_column(String(2))
    time_zone: Mapped[str]
    language: Mapped[str] = mapped_column(String(20))
    kind: Mapped[DebtorKind | None] = mapped_column(Word(DebtorKind, 10))
    group: Mapped[str | None]
    interest: Mapped[str | None] = mapped_column(String(20))
    lump_sum: Mapped[str | None] = mapped_column(String(20))


class CustomerPauseRow(Base):
    """A pause for all open and future invoices of a customer. `until` None: until it is resumed."""

    __tablename__ = "customer_pauses"
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), primary_key=True)
    reason: Mapped[str]
    by: Mapped[str]
    until: Mapped[date | None]
    since: Mapped[datetime]


class ContactRow(Base):
    """A contact, from a record or added by hand. `dunwell.domain.people.Person` explains the last columns."""

    __tablename__ = "contacts"
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    role: Mapped[Role] = mapped_column(Word(Role, 40))
    position: Mapped[int]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    post: Mapped[str | None] = mapped_column(Text)
    whatsapp_opt_in: Mapped[str | None]
    shared: Mapped[bool] = mapped_column(default=True, server_default=true())
    added_by: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_why: Mapped[str | None]


class CorrectionRow(Base):
    """A field of a customer or contact that was corrected by hand.

    It is in force until a record brings another value than `exported`, the newest record's value at the time of the
    correction. `contact_id` "" means the customer itself.
    """

    __tablename__ = "corrections"
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True, default="")
    field: Mapped[str] = mapped_column(Name("field", _CORRECTABLE, 20), primary_key=True)
    exported: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str]
    at: Mapped[datetime]


class ClosedAddressRow(Base):
    """An address that must not be written to, because of a bounce or of STOP. `address` holds its address key."""

    __tablename__ = "closed_addresses"
    channel: Mapped[Channel] = mapped_column(Word(Channel, 10), primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str]
    since: Mapped[datetime]


class ConversationRow(Base):
    """When somebody last wrote from an address, on channels where that lets us answer freely."""

    __tablename__ = "conversations"
    channel: Mapped[Channel] = mapped_column(Word(Channel, 10), primary_key=True)
    address_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    heard_at: Mapped[datetime]


class PolicyRow(Base):
    """A policy version as it was first used. It never changes."""

    __tablename__ = "policies"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]


class InvoiceRow(Base):
    """An invoice as the billing system gave it, with the policy version of its case.

    pay_code        stands for payment_url in short links
    interest, lump_sum  what is claimed for late payment; None: its record says nothing
    history         what was paid and reminded before the invoice came here
    names_contacts  whether its record has a list of contacts
    """

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
    pay_code: Mapped[str | None] = mapped_column(String(16))
    jurisdiction: Mapped[str | None]
    interest: Mapped[str | None] = mapped_column(String(20))
    lump_sum: Mapped[str | None] = mapped_column(String(20))
    history: Mapped[dict[str, Any] | None]
    policy_name: Mapped[str]
    policy_version: Mapped[int]
    names_contacts: Mapped[bool] = mapped_column(default=False, server_default=false())


class InvoiceContactRow(Base):
    """A contact that the newest record of an invoice names. `alone`: for this invoice only, not for the customer."""

    __tablename__ = "invoice_contacts"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    contact_id: Mapped[str] = mapped_column(ForeignKey("contacts.contact_id"), primary_key=True, index=True)
    alone: Mapped[bool] = mapped_column(default=False, server_default=false())


class PaymentReferenceRow(Base):
    """An invoice that a payment reference stands for: alone, or with those that a message asks for beside it."""

    __tablename__ = "payment_references"
    reference: Mapped[str] = mapped_column(String(25), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)


class DocumentRow(Base):
    """The invoice document, a PDF. E-mails that ask for payment of the invoice attach it."""

    __tablename__ = "documents"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    name: Mapped[str]
    content: Mapped[bytes]


class CaseRow(Base):
    """The latest copy of a case: lists read it without Temporal, and a new run of the workflow begins with it."""

    __tablename__ = "cases"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    stage: Mapped[Stage] = mapped_column(Word(Stage, 20), index=True)
    next_step: Mapped[str | None]
    next_at: Mapped[datetime | None]
    rehearsal: Mapped[bool]
    revision: Mapped[int]
    state: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]

    @hybrid_property
    def takes_reported_money(self) -> bool:
        """Whether money that a bank or provider tells of may be booked on it: never on a rehearsal."""
        return not self.rehearsal

    @takes_reported_money.inplace.expression
    @classmethod
    def _takes_reported_money(cls) -> ColumnElement[bool]:
        return cls.rehearsal.is_(False)


class StandingRow(Base):
    """How an invoice stands since a moment, written when that changes. Before the first row its record counts.

    tolerance  a rest up to this counts as paid once something was paid
    end        how its case ended, unless it was paid
    disputed   how much of it is in dispute
    """

    __tablename__ = "standings"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    amount: Mapped[Decimal]
    due_on: Mapped[date]
    tolerance: Mapped[Decimal]
    end: Mapped[Stage | None] = mapped_column(Word(Stage, 20))
    disputed: Mapped[Decimal]
    beside_principal: Mapped[Decimal]


class PromiseRow(Base):
    """A promise to pay, the `number`th about its invoice.

    settled_at  when it was kept, broken or replaced
    earlier     the payments that it does not count, because they were known when it was made
    """

    __tablename__ = "promises"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    date: Mapped[date]
    amount: Mapped[Decimal]
    state: Mapped[PromiseState] = mapped_column(Word(PromiseState, 10))
    settled_at: Mapped[datetime | None]
    earlier: Mapped[list[Any]]


class PaymentRow(Base):
    """Money that came in. `received_at` is the bank's date; `recorded_at` None: before that was noted."""

    __tablename__ = "payments"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    received_at: Mapped[datetime]
    recorded_at: Mapped[datetime | None]
    method: Mapped[str | None]
    designation: Mapped[Head | None] = mapped_column(Word(Head, 20))


class ReversalRow(Base):
    """What was taken back of a payment. `key` tells it from other reversals of the same payment."""

    __tablename__ = "payment_reversals"
    __table_args__ = (
        ForeignKeyConstraint(["invoice_id", "payment_id"], ["payments.invoice_id", "payments.payment_id"]),
    )
    invoice_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime | None]
    reason: Mapped[str]


class IncomingPaymentRow(Base):
    """Money that came in and names no case by itself, told once however often its source tells it.

    texts  what the payer wrote
    why    why it stands as it does, for people
    ask_at when it becomes a person's task, unless it is booked or set aside by then
    """

    __tablename__ = "incoming_payments"
    entry_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[Source] = mapped_column(Word(Source, 10))
    identity: Mapped[str] = mapped_column(String(300))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    received_at: Mapped[datetime]
    texts: Mapped[list[Any]]
    payer_name: Mapped[str | None]
    payer_iban: Mapped[str | None] = mapped_column(String(40))
    may_repeat: Mapped[str | None] = mapped_column(String(40))
    charges: Mapped[Decimal | None]
    ordered: Mapped[Decimal | None]
    state: Mapped[EntryState] = mapped_column(Word(EntryState, 12), index=True)
    why: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    ask_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("source", "identity"),)


class ProposalRow(Base):
    """One way to use an incoming payment that is proposed to a person."""

    __tablename__ = "proposals"
    entry_id: Mapped[str] = mapped_column(ForeignKey("incoming_payments.entry_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    reasons: Mapped[list[Any]]
    state: Mapped[ProposalState] = mapped_column(Word(ProposalState, 10))


class ProposalPartRow(Base):
    """What of the payment a proposal uses for one invoice."""

    __tablename__ = "proposal_parts"
    __table_args__ = (ForeignKeyConstraint(["entry_id", "number"], ["proposals.entry_id", "proposals.number"]),)
    entry_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    amount: Mapped[Decimal]


class BookingRow(Base):
    """What of an incoming payment was booked on one invoice, as the payment `payment_id` of its case.

    attempt    counts how often the payment was booked: once more after each undoing
    telling_at  since when the case may know of it; None: nobody has begun to tell it
    told_at    when the case was last told; `undone_at`: when the booking was undone, `undone_told_at` likewise
    refused    why the case does not take it
    """

    __tablename__ = "bookings"
    entry_id: Mapped[str] = mapped_column(ForeignKey("incoming_payments.entry_id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    amount: Mapped[Decimal]
    payment_id: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    telling_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    refused: Mapped[str | None] = mapped_column(Text)
    undone_at: Mapped[datetime | None]
    undone_told_at: Mapped[datetime | None]


class PayerAccountRow(Base):
    """An account from which a customer has paid, learned when a person confirmed what it was for."""

    __tablename__ = "payer_accounts"
    iban: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("incoming_payments.entry_id"))
    by: Mapped[str]
    at: Mapped[datetime]


class CreditRow(Base):
    """The credit on an invoice: what was overpaid and not yet applied or returned."""

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
    """A message of the outbox.

    call         state of the provider call: begun, refused (the provider certainly did not take it) or answered
    address_key  the same for all spellings of `address`; rehearsals have keys of their own
    """

    __tablename__ = "messages"
    message_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    step: Mapped[str]
    message: Mapped[str]
    channel: Mapped[Channel] = mapped_column(Word(Channel, 10))
    contact_id: Mapped[str]
    address: Mapped[str] = mapped_column(Text)
    address_key: Mapped[str] = mapped_column(Text, default=_message_key, server_default="")
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    asks: Mapped[bool]
    amount: Mapped[Decimal]
    state: Mapped[MessageState] = mapped_column(Word(MessageState, 12), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    call: Mapped[ProviderCall] = mapped_column(Word(ProviderCall, 10))
    called_at: Mapped[datetime | None]
    planned_at: Mapped[datetime]
    claimed_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    provider: Mapped[str | None]
    provider_id: Mapped[str | None] = mapped_column(index=True)


class MessageInvoiceRow(Base):
    """A step of an invoice that a message carries; a message may carry steps of several invoices.

    The primary key enforces guarantee G3. `warning`: for this invoice the message is a written warning.

    claimed      what it claims beside the principal, in the invoice's currency; until: when that is to be paid
    """

    __tablename__ = "message_invoices"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[Channel] = mapped_column(Word(Channel, 10), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.message_id"), index=True)
    warning: Mapped[bool]
    claimed: Mapped[Decimal | None]
    claim_until: Mapped[date | None]


class LinkRow(Base):
    """A link by which a customer acts without a login. Its token is stored nowhere: `hash` finds it.

    contact_id  whose link it is; None: of whoever meets the restriction of the account
    message_id  the message that carries it, whose invoices it opens; None: all of the customer's. No foreign key: a
                message that the database lost has its row written anew, and its link still opens
    scopes      what its holder may do
    fresh_asked_at  when somebody asked for a new link with this one, until that is looked at
    """

    __tablename__ = "links"
    link_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[LinkKind] = mapped_column(Word(LinkKind, 12))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"))
    contact_id: Mapped[str | None]
    message_id: Mapped[str | None] = mapped_column(index=True)
    scopes: Mapped[list[Any]]
    made_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
    revoked_why: Mapped[str | None]
    fresh_asked_at: Mapped[datetime | None]
    __table_args__ = (Index("links_of", "customer_id", "kind"), Index("links_asked", "fresh_asked_at"))


class SentFileRow(Base):
    """A file that a customer sent with a dispute. `name` is ours, `given_name` the sender's."""

    __tablename__ = "sent_files"
    file_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    link_id: Mapped[str] = mapped_column(String(32))
    name: Mapped[str]
    given_name: Mapped[str]
    media_type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    content: Mapped[bytes]
    at: Mapped[datetime]


class PayerRow(Base):
    """Somebody whom a customer named as the one who pays. They get one e-mail, which names no debt.

    who       who named them, as the mail says it
    language  of the mail
    next_at   when to try again: a provider surely did not take it, or nothing may leave before
    """

    __tablename__ = "payers"
    payer_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"))
    link_id: Mapped[str] = mapped_column(String(32), index=True)
    who: Mapped[str]
    name: Mapped[str]
    email: Mapped[str] = mapped_column(Text)
    email_key: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(20))
    state: Mapped[PayerState] = mapped_column(Word(PayerState, 10), index=True)
    named_at: Mapped[datetime]
    called_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    provider: Mapped[str | None]
    provider_id: Mapped[str | None]
    __table_args__ = (Index("payers_of", "customer_id", "email_key", unique=True),)


class WaitRow(Base):
    """A step that is queued at an address, because the contact caps allow no message there now.

    since   since when it is queued, which is its place in the queue
    until   when it may try again
    urgent  it goes before friendly reminders
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
    """Credit of one invoice that was applied to another invoice of the same customer, or returned to the customer.

    to_invoice  the invoice it was applied to, where it is a payment with this id; None: it was returned

    What is taken back of that payment is credit again.
    """

    __tablename__ = "credit_uses"
    credit_id: Mapped[str] = mapped_column(primary_key=True)
    from_invoice: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    to_invoice: Mapped[str | None] = mapped_column(ForeignKey("invoices.invoice_id"))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    by: Mapped[str]
    at: Mapped[datetime]


class HoldRow(Base):
    """A hold of one invoice on its account. The most severe open hold decides the account's access."""

    __tablename__ = "holds"
    hold_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"))
    level: Mapped[Level] = mapped_column(Word(Level, 12))
    reason: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str | None] = mapped_column(Text)


class AccessChangeRow(Base):
    """A change of an account's access, and when it was published to the product."""

    __tablename__ = "access_changes"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    change_id: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    invoice_id: Mapped[str]
    access: Mapped[Access] = mapped_column(Word(Access, 12))
    work_on_hold: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class TaskRow(Base):
    """Something a person has to do: a call, a visit, a meeting, or a decision that the program must not take.

    invoice_id     no foreign key, because the invoice may not be registered yet
    attempt        number of this call attempt within its step, from 1
    requested      the customer asked for a call at this time
    note_id        what they typed when they asked for it, such as another number; no foreign key, as of invoice_id
    script         the call script
    agent_script   the call script in our agents' language, where that is another one
    amount         what the call script asks for, in `currency`
    outlives_case  the task stays open when the case ends
    address_lost   the number or address at which this person was to be reached was taken away since
    result         the outcome's code alone, once the task is done
    """

    __tablename__ = "tasks"
    task_id: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(index=True)
    step: Mapped[str]
    kind: Mapped[TaskKind] = mapped_column(Word(TaskKind, 20))
    contact_id: Mapped[str | None]
    due_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    script: Mapped[str] = mapped_column(Text)
    agent_script: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    note_id: Mapped[str | None]
    outlives_case: Mapped[bool] = mapped_column(default=False, server_default=false())
    address_lost: Mapped[bool] = mapped_column(default=False, server_default=false())
    escalated_at: Mapped[datetime | None]
    state: Mapped[TaskState] = mapped_column(Word(TaskState, 12), index=True)
    outcome: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Name("outcome", get_args(CallResult), 30))
    closed_at: Mapped[datetime | None]


class TimelineRow(Base):
    """A timeline entry: a decision about a case with its reason. Entries with a known `key` are not written again."""

    __tablename__ = "timeline"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(30))
    step: Mapped[str | None]
    channel: Mapped[Channel | None] = mapped_column(Word(Channel))
    reason: Mapped[str] = mapped_column(Text)
    ref: Mapped[str | None]
    __table_args__ = (UniqueConstraint("invoice_id", "key"),)


class WebhookEventRow(Base):
    """A webhook event of a provider, stored once however often it is delivered. `done_at` None: not processed yet."""

    __tablename__ = "webhook_events"
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(300), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class BillingSubjectRow(Base):
    """A payment or an invoice of a billing system or payment provider, and how far its events are applied.

    invoice_id  our invoice, once it is known
    reason      why it waits, or what was decided about it
    undone_from of a payment: our invoice whose case has to give it back, because a person undid the match
    decided_by  of a payment: who said last for which invoice it is, or that it is for none
    applied     of an invoice: the values that were last told to its case; of a payment: what its case is being told,
                until the ledger shows it
    version     counts the events; it tells whether one came while the others were applied
    next_at     not before then, and then belongs to the process that sets it anew; None: nothing is to be applied
    """

    __tablename__ = "billing_subjects"
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    subject: Mapped[str] = mapped_column(String(230), primary_key=True)
    kind: Mapped[SubjectKind] = mapped_column(Word(SubjectKind, 10))
    state: Mapped[SubjectState] = mapped_column(Word(SubjectState, 10))
    invoice_id: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(Text)
    applied: Mapped[dict[str, Any]]
    since: Mapped[datetime]
    version: Mapped[int]
    attempts: Mapped[int]
    next_at: Mapped[datetime | None]
    undone_from: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    __table_args__ = (Index("billing_subjects_due", "next_at"), Index("billing_subjects_in", "state", "since"))


class BillingEventRow(Base):
    """An event of a billing system or payment provider, stored once however often it is delivered.

    related  the provider's invoice that a payment is for
    fact     as domain.billing_events has it
    """

    __tablename__ = "billing_events"
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(230))
    related: Mapped[str | None]
    kind: Mapped[str] = mapped_column(String(60))
    fact: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (
        Index("billing_events_of", "provider", "subject"),
        Index("billing_events_for", "provider", "related"),
    )


class RequestRow(Base):
    """A request with an idempotency key. A repetition is recognised for as long as the row is stored.

    request_id    a digest of key and content; identifies the request towards Temporal and in the activity `record`
    leased_until  until when one process alone waits for the case's answer, unless it renews the lease; None: no
                  process waits
    taken_at      when the case applied the event
    answer        the answer to the first request; None: no answer yet
    """

    __tablename__ = "requests"
    principal: Mapped[str] = mapped_column(String(60), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(32), unique=True, index=True)
    event: Mapped[str] = mapped_column(Name("event", tuple(EVENTS), 40))
    first_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class NoteRow(Base):
    """Free text that an agent wrote. Signals carry only its id."""

    __tablename__ = "notes"
    note_id: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    author: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class AnswerRow(Base):
    """A clerk's answer to a reply; the case of its invoice sends it. See `dunwell/domain/clerk_answer.py`."""

    __tablename__ = "answers"
    answer_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    reply_id: Mapped[str] = mapped_column(String(40), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    contact_id: Mapped[str]
    channel: Mapped[Channel] = mapped_column(Word(Channel, 10))
    phrases: Mapped[list[Any]]
    words: Mapped[str] = mapped_column(Text)
    asks: Mapped[bool]
    subject: Mapped[str] = mapped_column(Text)
    mail_id: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str | None]
    by: Mapped[str] = mapped_column(String(60))
    made_at: Mapped[datetime]


class ReplyRow(Base):
    """What somebody wrote to us. Nobody is asked for money while a person's lies unhandled.

    customer_id  None: nobody knows whose it is
    found_by     how that is known
    forwarded    somebody else wrote it than the person to whom the answered message went
    sender       the address it came from; `sender_key` the same for all spellings
    why          why it counts as what it is
    text         what is new in it, without what it quotes; `whole` is all of it
    mail_id      the Message-ID of the mail itself; mail_references: those of the mails before it
    message_id   our message that it answers
    verdicts     what the provider found out about the sender: SPF, DKIM
    proposals    what it seems to say, each a `ReplyProposal`
    """

    __tablename__ = "replies"
    reply_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.customer_id"))
    contact_id: Mapped[str | None]
    found_by: Mapped[FoundBy | None] = mapped_column(Word(FoundBy, 10))
    forwarded: Mapped[bool]
    channel: Mapped[ReplyChannel] = mapped_column(Word(ReplyChannel, 10))
    kind: Mapped[ReplyKind] = mapped_column(Word(ReplyKind, 10))
    why: Mapped[str]
    sender: Mapped[str] = mapped_column(Text)
    sender_key: Mapped[str] = mapped_column(Text)
    sender_name: Mapped[str]
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    whole: Mapped[str] = mapped_column(Text)
    mail_id: Mapped[str | None] = mapped_column(Text)
    mail_references: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str | None]
    verdicts: Mapped[dict[str, Any]]
    proposals: Mapped[list[Any]]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    handled_by: Mapped[str | None]
    outcome: Mapped[ReplyOutcome | None] = mapped_column(Word(ReplyOutcome, 12))


class ReplyCaseRow(Base):
    """A case that rests because of a reply, or was told of it."""

    __tablename__ = "reply_cases"
    reply_id: Mapped[str] = mapped_column(ForeignKey("replies.reply_id"), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"))


class ReplyFileRow(Base):
    """A file that came with a reply.

    name     ours; `given_name` is the sender's
    content  None: it was too large to be kept
    """

    __tablename__ = "reply_files"
    reply_id: Mapped[str] = mapped_column(ForeignKey("replies.reply_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    given_name: Mapped[str]
    media_type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    content: Mapped[bytes | None]


class StandstillRow(Base):
    """A period in which the installation sends no message and does no consequence. `ended_at` None: in force."""

    __tablename__ = "standstills"
    standstill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    since: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    end_reason: Mapped[str | None]


class ReconciliationRow(Base):
    """A comparison of the database with Temporal: what it found, and whether the differences were repaired."""

    __tablename__ = "reconciliations"
    pass_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    by: Mapped[str]
    cases: Mapped[int]
    differing: Mapped[int]
    mended: Mapped[bool]
    findings: Mapped[list[Any]]


class SubscriptionRow(Base):
    """A webhook of somebody who is told what happens to cases.

    url         may hold a token in its path or query; findings and errors show its host only
    secret      signs each request, so it is stored as it is
    topics      what it is told of
    rehearsals  whether it is told of rehearsals: its address is on this machine
    """

    __tablename__ = "subscriptions"
    subscription_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str]
    topics: Mapped[list[Any]]
    rehearsals: Mapped[bool]
    by: Mapped[str]
    at: Mapped[datetime]


class NotificationRow(Base):
    """What a subscription is told, once for each event, and how far its delivery is.

    event_id  the same for every subscription and every attempt
    body      the event's own facts, without its id, topic and time
    since     when it was written down, or when somebody asked for it to be sent again
    next_at   not before then; of a pending one
    answer    what came of the last attempt: a status, or the kind of an error
    """

    __tablename__ = "notifications"
    delivery_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.subscription_id"))
    event_id: Mapped[str] = mapped_column(String(40))
    topic: Mapped[Topic] = mapped_column(Word(Topic, 20))
    customer_id: Mapped[str | None]
    invoice_id: Mapped[str | None]
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    since: Mapped[datetime]
    state: Mapped[DeliveryState] = mapped_column(Word(DeliveryState, 12))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_at: Mapped[datetime | None]
    answer: Mapped[str | None]
    settled_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("subscription_id", "event_id"),)


class RateImportRow(Base):
    """Rates of a base-rate series that a person imported. From `first` to `last` they stand in place of all others.

    rates         the rates in per cent a year, by the days on which they took effect; the first of them is `first`
    withdrawn_by  who withdrew the import, which counts no more since `withdrawn_at`
    """

    __tablename__ = "rate_imports"
    import_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    series: Mapped[str] = mapped_column(String(60), index=True)
    first: Mapped[date]
    last: Mapped[date]
    rates: Mapped[dict[str, Any]]
    source: Mapped[str] = mapped_column(Text)
    by: Mapped[str]
    at: Mapped[datetime]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]


class ConfirmationRow(Base):
    """A value of a jurisdiction or of a series that a person checked. `digest` is that of the value they saw."""

    __tablename__ = "confirmations"
    subject: Mapped[str] = mapped_column(String(60), primary_key=True)
    field: Mapped[str] = mapped_column(String(100), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    by: Mapped[str]
    source: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]


class UserRow(Base):
    """Somebody who may sign in to the console.

    login        the name that they have on the machines where commands run; None: they run none
    password     an Argon2id hash; None: no password was chosen yet
    disabled_at  since when they may not sign in any more
    digest_zone  the time zone of the mornings on which they get a digest by e-mail; None: they get none
    """

    __tablename__ = "users"
    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str]
    role: Mapped[PrincipalRole] = mapped_column(Word(PrincipalRole, 20))
    login: Mapped[str | None] = mapped_column(unique=True)
    password: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    digest_zone: Mapped[str | None]


class SignInLinkRow(Base):
    """A link with which a user signs in once. `sets_password`: with it they choose a password."""

    __tablename__ = "sign_in_links"
    link_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    sets_password: Mapped[bool]
    expires_at: Mapped[datetime]


class SignInStateRow(Base):
    """A sign-in that the identity provider has not answered yet. `verifier`: of PKCE."""

    __tablename__ = "sign_in_states"
    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    nonce: Mapped[str]
    verifier: Mapped[str]
    expires_at: Mapped[datetime]


class SessionRow(Base):
    """A session of a user. `session_hash` is that of the cookie's value; `seen_at` is exact to a minute."""

    __tablename__ = "sessions"
    session_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class ApiKeyRow(Base):
    """An API key of a program. `key_hash` is that of the key; `used_at` is exact to a minute."""

    __tablename__ = "api_keys"
    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    role: Mapped[PrincipalRole] = mapped_column(Word(PrincipalRole, 20))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class SwitchRow(Base):
    """A setting that an administrator changes while the program runs."""

    __tablename__ = "switches"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    on: Mapped[bool]


class ToldRow(Base):
    """Who told a case an event that it has not written down yet. The audit entry is made of it.

    digest  of the event's content, by which an event that came as a signal is recognised
    role    None: a link, which has none
    """

    __tablename__ = "told"
    request_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"))
    digest: Mapped[str] = mapped_column(String(64))
    kind: Mapped[PrincipalKind] = mapped_column(Word(PrincipalKind, 10))
    principal: Mapped[str]
    role: Mapped[PrincipalRole | None] = mapped_column(Word(PrincipalRole, 20))
    credential: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """Who changed what. The entries of one object are a chain: `hash` is over the entry and the hash before it.

    entry_id    orders the entries of all objects
    number      counts the entries of the object
    key         identifies what is told: a repetition of it is not written again
    kind        the kind of the principal, `principal` its id, `credential` the key or session it came by
    details     what it was about: ids, amounts, days, codes; no personal data and no secret
    request_id  that of the caller, or of the request's event
    """

    __tablename__ = "audit"
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    object: Mapped[str]
    number: Mapped[int]
    key: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[PrincipalKind] = mapped_column(Word(PrincipalKind, 10))
    principal: Mapped[str] = mapped_column(index=True)
    role: Mapped[PrincipalRole | None] = mapped_column(Word(PrincipalRole, 20))
    credential: Mapped[str | None]
    action: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    request_id: Mapped[str | None]
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("object", "number"), UniqueConstraint("object", "key"))


class ApprovalRow(Base):
    """An event that somebody asks for and a manager decides about. `decision` None: nobody has decided yet."""

    __tablename__ = "approvals"
    approval_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.invoice_id"), index=True)
    event: Mapped[str] = mapped_column(Name("event", tuple(EVENTS), 40))
    content: Mapped[dict[str, Any]]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    decision: Mapped[ApprovalDecision | None] = mapped_column(Word(ApprovalDecision, 10), index=True)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class StatementRow(Base):
    """A file with bank statements that was booked.

    statement_id  a digest of the file
    name          the file's own name
    format        what it was read as, such as camt.053
    entries       how many movements it tells, those that other files had told before included
    problems      what was wrong with it, if a person accepted it in part
    """

    __tablename__ = "statements"
    statement_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    format: Mapped[StatementFormat] = mapped_column(Word(StatementFormat, 20))
    entries: Mapped[int]
    problems: Mapped[list[Any]]
    by: Mapped[str]
    at: Mapped[datetime]


class BankEntryRow(Base):
    """A movement on a bank account that may concern invoices: `dunwell.domain.bank_entry.BankEntry` explains it.

    state  what became of it
    at     when it was read
    """

    __tablename__ = "bank_entries"
    identity: Mapped[str] = mapped_column(String(40), primary_key=True)
    statement_id: Mapped[str] = mapped_column(ForeignKey("statements.statement_id"))
    account: Mapped[str] = mapped_column(String(50))
    reference: Mapped[str | None]
    booked_on: Mapped[date]
    value_on: Mapped[date | None]
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    direction: Mapped[Direction] = mapped_column(Word(Direction, 3))
    reversal: Mapped[bool]
    references: Mapped[list[Any]]
    text: Mapped[str] = mapped_column(Text)
    end_to_end_id: Mapped[str | None]
    payer_name: Mapped[str | None]
    payer_iban: Mapped[str | None] = mapped_column(String(50))
    charges: Mapped[Decimal | None]
    instructed_amount: Mapped[Decimal | None]
    instructed_currency: Mapped[str | None] = mapped_column(String(3))
    batch: Mapped[str | None] = mapped_column(String(40))
    batch_amount: Mapped[Decimal | None]
    may_repeat: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[EntryState] = mapped_column(Word(EntryState, 12))
    at: Mapped[datetime]


class StatementLayoutRow(Base):
    """How the CSV files of a bank are read: their columns, decimal sign and order of dates."""

    __tablename__ = "statement_layouts"
    name: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]


class InvoiceLayoutRow(Base):
    """What the columns of invoice files with a certain header hold. `header` is a digest of its titles."""

    __tablename__ = "invoice_layouts"
    header: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]


class SavedFilterRow(Base):
    """Filters of a list that a user gave a name. `query` is that of the page's address."""

    __tablename__ = "saved_filters"
    user_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    list: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    query: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class DigestRow(Base):
    """The digest of a morning to a user. The row is written before it is sent, so that nobody gets it twice.

    day    of the user's own time zone
    state  claimed until a provider answered; withheld: nothing waited
    """

    __tablename__ = "digests"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    state: Mapped[MessageState] = mapped_column(Word(MessageState, 12))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    provider: Mapped[str | None]
    provider_id: Mapped[str | None]


class SubmissionRow(Base):
    """A form of the console or of a customer that was carried out.

    digest  of where it was sent and what it said
    """

    __tablename__ = "submissions"
    principal: Mapped[str] = mapped_column(String(60), primary_key=True)
    form_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)


Index("invoices_number", InvoiceRow.number)
Index("payments_by_id", PaymentRow.payment_id)
Index("payments_at", PaymentRow.received_at)
Index("notifications_due", NotificationRow.state, NotificationRow.next_at)
Index("notifications_of", NotificationRow.subscription_id, NotificationRow.state, NotificationRow.delivery_id)
Index("messages_in_order", MessageRow.claimed_at, MessageRow.message_id)
Index("holds_open", HoldRow.customer_id, HoldRow.released_at)
Index("invoices_pay_code", InvoiceRow.pay_code, unique=True)
Index("payment_references_of", PaymentReferenceRow.invoice_id)
Index("holds_of", HoldRow.invoice_id)
Index("messages_to", MessageRow.contact_id, MessageRow.claimed_at)
Index("messages_at", MessageRow.address_key, MessageRow.claimed_at)
Index("waits_at", WaitRow.address_key, WaitRow.until)
Index("contacts_email", func.lower(ContactRow.email))
Index("customers_of_group", CustomerRow.group)
Index("contacts_phone", ContactRow.phone)
Index("calls_to", TaskRow.contact_id, TaskRow.due_at)
Index("replies_of", ReplyRow.customer_id, ReplyRow.handled_at)
Index("replies_waiting", ReplyRow.handled_at, ReplyRow.received_at)
Index("replies_from", ReplyRow.sender_key, ReplyRow.received_at)
Index("reply_cases_of", ReplyCaseRow.customer_id)
Index("told_of", ToldRow.invoice_id, ToldRow.digest)
Index("bank_entries_of", BankEntryRow.account, BankEntryRow.booked_on)
Index("bank_entries_in_state", BankEntryRow.state, BankEntryRow.booked_on)
Index("bank_entries_end_to_end", BankEntryRow.end_to_end_id)
Index("bank_entries_reference", BankEntryRow.reference)
