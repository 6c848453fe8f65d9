"""Everything that can happen to a case from outside, one model each; the same for signals and updates.

Amounts are text ("1200.00"), dates ISO 8601. People appear as a role or an id, reasons as a short code: these
values stand in the engine's history, where no personal data may be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from dunwell.domain.channels import Channel
from dunwell.domain.model import Value
from dunwell.domain.policy import GraceRules, PromiseRules, Reactions, Tolerance
from dunwell.domain.refusal import Refused, refusal_of
from dunwell.domain.spelling import did_you_mean
from dunwell.domain.terms import Head

_LARGEST = Decimal(10) ** 12
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)
_MOST_DIGITS = 6
_PLAIN_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NO_PHONE = re.compile(
    r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])"  # a day
    r"|(?i:\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"  # an id as identity servers make them
)
_PHONE = re.compile(r"\d(?:[ .:/+_-]*\d){6}")
_UNFIT_FOR_A_FIELD_NAME = re.compile(r"[^A-Za-z0-9_.]")


def _amount_as_text(value: object) -> object:
    """Floats have already lost cents when they arrive, so only text and whole numbers are amounts."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('is not an amount: write it as text such as "1200.00"')
    text = str(value) if not isinstance(value, int) or abs(value) < 10**15 else "1e99"
    if text.strip().startswith("-"):
        raise ValueError(
            "is below zero: amounts have no sign, and money taken back is told as the payment's reversal"
        )
    if not _PLAIN_NUMBER.fullmatch(text.strip()):
        raise ValueError('is not a positive amount: write it as text such as "1200.00"')
    if Decimal(text.strip()) >= _LARGEST:
        raise ValueError("is too large to be an invoice amount")
    if len(text.strip().partition(".")[2]) > _MOST_DIGITS:
        raise ValueError("has more decimal places than any currency")
    return text.strip()


def _whole_number(value: object) -> object:
    """JSON knows one kind of number, so 2.0 is 2; text and truth values are none."""
    if isinstance(value, float | Decimal) and value == value.__trunc__():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a whole number: write it without quotes, such as 2")
    return value


def _day_as_text(value: object) -> object:
    if isinstance(value, str) and _ISO_DAY.fullmatch(value):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("is not a date: use YYYY-MM-DD")


def _moment_as_text(value: object) -> object:
    """A bare number may count seconds or milliseconds, so only text is a time."""
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_DAY.match(value)):
        return value
    raise ValueError("is not a time: use ISO 8601 with an offset")


def _sane_moment(value: datetime) -> datetime:
    # At the ends of the calendar a time cannot even be converted to UTC.
    _sane_day(value.date())
    return value.astimezone(UTC)  # what is said of it, such as the hour of a call, is in UTC


def _sane_day(value: date) -> date:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("must lie between the years 2000 and 2099")
    return value


def _no_phone_number(value: str) -> str:
    if _PHONE.search(_NO_PHONE.sub("#", value)):
        raise ValueError("holds what may be a phone number: give a role, an id or a short code")
    return value


def _not_nothing(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be above zero: the case of an invoice that is no longer valid is ended with cancel")
    return value


@dataclass(frozen=True)
class Spelled:
    """Text that matches `pattern`. Of other text people read `sentence`, never the pattern."""

    pattern: str
    sentence: str

    def check(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(self.sentence)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"pattern": f"^{self.pattern}$"}


Amount = Annotated[Decimal, BeforeValidator(_amount_as_text), Field(gt=0)]
NewAmount = Annotated[Decimal, BeforeValidator(_amount_as_text), Field(ge=0)]
AmendedAmount = Annotated[Decimal, BeforeValidator(_amount_as_text), AfterValidator(_not_nothing)]
Day = Annotated[date, BeforeValidator(_day_as_text)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment_as_text), AfterValidator(_sane_moment)]
Code = Annotated[
    str,
    Field(strict=True),
    Spelled(
        r"[\w .:/+-]{1,60}",
        "must be a role, an id or a short code: 1 to 60 letters, digits, spaces and . : / + _ -",
    ),
]
"""A short code, role or id. The pattern keeps e-mail addresses and long notes out of the history."""
_REASON = Spelled(
    r"[A-Za-z0-9_-]{1,60}",
    "must be a short code, such as hardship: 1 to 60 letters A to Z, digits, - and _; free words belong in a note",
)
Reason = Annotated[str, Field(strict=True), AfterValidator(_no_phone_number), _REASON]
"""Why something was done, as a short code: names and illnesses have no place in the history."""
Spoken = Annotated[Code, AfterValidator(_no_phone_number)]
"""The same where people write by hand: there a phone number may slip in, while ids of payments are long numbers."""
OF_LINK = "link of "
"""What `by` begins with when a customer's page says it: the contact's role and number follow."""


def _no_phone_number_but_of_link(value: str) -> str:
    return value if value.startswith(OF_LINK) else _no_phone_number(value)


Person = Annotated[
    str,
    Field(strict=True),
    Spelled(
        rf"{OF_LINK}[A-Za-z0-9._-]{{1,160}}|[\w .:/+-]{{1,60}}",
        "must be a role, an id or a short code: 1 to 60 letters, digits, spaces and . : / + _ -",
    ),
    AfterValidator(_no_phone_number_but_of_link),
]
"""Who says something: a role or an id, or "link of ROLE.NUMBER"; the whole id of the contact is taken as well."""
PaymentId = Annotated[
    str,
    Field(strict=True),
    Spelled(
        r"[\w .:/+?(),'&#=*-]{1,100}",
        "must be the bank's or provider's id: 1 to 100 letters, digits, spaces and . : / + ? ( ) , ' & # = * _ -",
    ),
]
"""What SEPA lets a bank write, and some more: money must not be lost over a sign in its id."""
StepId = Annotated[
    str,
    Field(strict=True),
    Spelled(r"[a-z][a-z0-9-]{0,39}", "is no id of a step: small letters, digits and hyphens, 40 at most"),
]
TaskId = Annotated[
    str, Field(strict=True), Spelled(r"[\w.:~-]{1,200}", "is no id of a task: `starter.py tasks` shows them")
]
MessageId = Annotated[
    str, Field(strict=True), Spelled(r"[\w.:~-]{1,120}", "is no id of a message: `starter.py outbox` shows them")
]
ReplyId = Annotated[
    str,
    Field(strict=True),
    Spelled(r"[\w.:-]{1,120}", "is no id of a reply: the status of the case shows them"),
]
AnswerId = Annotated[str, Field(strict=True), Spelled(r"[\w:-]{1,80}", "is no id of an answer")]
ContactKey = Annotated[
    str, Field(strict=True), Spelled(r"[^\s@]{1,200}", "is no id of a contact: `starter.py customer` shows them")
]
InvoiceId = Annotated[
    str, Field(strict=True), Spelled(r"[A-Za-z0-9._-]{1,120}", "is no invoice id: `starter.py list` shows them")
]
Fingerprint = Annotated[
    str, Field(strict=True), Spelled(r"[0-9a-f]{16}", "must be 16 hexadecimal digits, as `move-policy` shows it")
]


class PaymentReceived(Value):
    """`from_provider`: a bank or payment provider says so, who will not correct it. It is never refused for what may
    be a slip; a person checks it instead. `confirm`: a person knows that it was not counted before the import.
    `designation`: the head that the customer paid for, where they named one.
    """

    payment_id: PaymentId
    amount: Amount
    currency: Code
    received_at: Moment | None = None
    method: Code | None = None
    designation: Head | None = None
    confirm: Annotated[bool, Field(strict=True)] = False
    from_provider: Annotated[bool, Field(strict=True)] = False


REST, PART = "~rest", "~part"
"""The keys of reversals without an id; no id holds a ~."""
BY_CREDIT = "credit"
"""The method of a payment that was made by credit."""


class CreditApplied(Value):
    """Credit of another invoice of the same customer, in the same currency, pays this one."""

    credit_id: PaymentId
    from_invoice: InvoiceId
    amount: Amount
    currency: Code
    by: Spoken


class CreditReturned(Value):
    """Credit of an invoice was paid back to the customer. It changes the database, and no case."""

    credit_id: PaymentId
    amount: Amount
    currency: Code
    by: Spoken


class PaymentReversed(Value):
    """Money of a payment was taken back: `amount` of it, or all that is left of it.

    `reversal_id` tells several reversals of parts of one payment apart; without it one such reversal is known.
    `reversed_at` is the bank's value date, from which what was taken back bears interest again; None: now.
    `by` is who decided it, if a person or a provider did and no bank.
    """

    payment_id: PaymentId
    reason: Code  # a bank's own reference may be long digits; a reversal must not fail over it
    amount: Amount | None = None
    reversal_id: PaymentId | None = None
    reversed_at: Moment | None = None
    by: Spoken | None = None

    @property
    def key(self) -> str:
        """What tells it from other reversals of the payment."""
        return self.reversal_id or (REST if self.amount is None else PART)


class PromiseToPay(Value):
    """`amount` None promises all that is open."""

    date: Day
    amount: Amount | None = None
    promised_by: Person
    via: Spoken | None = None
    ref: Code | None = None


class DisputeOpened(Value):
    """`amount` None disputes the whole invoice."""

    reason: Reason
    opened_by: Person
    amount: Amount | None = None
    ref: Code | None = None


class DisputeResolved(Value):
    """upheld: the debtor was right. rejected: we were. adjusted: the invoice is now `new_amount`.

    `confirm`: what upheld takes off comes on top of what amendments took off before.
    """

    outcome: Literal["upheld", "rejected", "adjusted"]
    new_amount: NewAmount | None = None
    confirm: Annotated[bool, Field(strict=True)] = False
    by: Spoken


class Instalment(Value):
    date: Day
    amount: Amount


class PaymentPlanAgreed(Value):
    instalments: Annotated[tuple[Instalment, ...], Field(min_length=1, max_length=60)]
    by: Person


class Pause(Value):
    """`until` None pauses until somebody resumes. The case resumes at the start of that day.

    scope: "customer" says that the whole customer rests; it does not end by resuming this invoice.
    """

    reason: Reason
    by: Spoken
    until: Day | None = None
    scope: Literal["customer"] | None = None


class Resume(Value):
    """With `scope` the whole customer goes on; an invoice that was paused by itself stays paused."""

    by: Spoken
    scope: Literal["customer"] | None = None


class CallPromise(Value):
    date: Day
    amount: Amount | None = None


CallResult = Literal[
    "paid",
    "promise",
    "written_promise_owed",
    "dispute",
    "no_answer",
    "wrong_number",
    "refused",
    "no_calls",
    "call_back",
    "reached",
    "done",  # of any other task, and of a call that nobody has to make any more: it is off the list
    "approved",  # the last two are our manager's word about a step that waits for it
    "declined",
]

OF_A_TALK: tuple[str, ...] = tuple(
    word for word in get_args(CallResult) if word not in {"done", "approved", "declined"}
)
"""What can come of a call, a visit or a meeting."""

CONVERSATIONS = frozenset(
    {"paid", "promise", "written_promise_owed", "dispute", "refused", "no_calls", "call_back", "reached"}
)
"""The results of a call in which somebody was talked with, so that they are left alone for a while."""


class CallOutcome(Value):
    """What came of a call, a visit, a meeting or any other task for a person.

    paid: they say that the money has left. written_promise_owed: they will write when they pay, within a
    business day. no_calls: they want no more calls; the number is closed for calls alone. call_back: they ask to be
    called at `call_back_at`, or later at all. done: a person did what the task asked for, and the case is not changed
    by it.
    """

    task_id: TaskId
    outcome: CallResult
    by: Spoken
    promise: CallPromise | None = None
    reason_code: Reason | None = None
    call_back_at: Moment | None = None


class InvoiceAmended(Value):
    amount: AmendedAmount | None = None
    due_on: Day | None = None
    by: Spoken


class WriteOff(Value):
    reason: Reason
    by: Spoken


class Cancel(Value):
    reason: Reason
    by: Spoken


class PolicyMoved(Value):
    """The case goes on under another version of its ladder, of which it needs what stands here.

    `digest` stands for the whole version, `fingerprint` for the case and all this, as they were when a person
    looked at what would change.
    """

    name: Code
    to_version: Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=1_000_000)]
    fingerprint: Fingerprint
    by: Spoken
    digest: Fingerprint
    steps: Annotated[tuple[StepId, ...], Field(min_length=1, max_length=100)]
    promises: PromiseRules
    reactions: Reactions
    grace: GraceRules = GraceRules()
    tolerance: Tolerance = 50


class DeliveryReport(Value):
    message_id: MessageId
    status: Literal["accepted", "delivered", "bounced", "failed"]
    code: Code | None = None
    at: Moment


class ContactChange(Value):
    """What changed about a contact or, without `contact_id`, about the customer.

    reason   a short code, such as left or opted_out
    channel  closed or opened is only their address on this channel; None: the person
    field    what was corrected
    """

    contact_id: ContactKey | None = None
    what: Literal["closed", "opened", "corrected", "added"]
    reason: Spoken | None = None
    channel: Channel | None = None
    field: Annotated[str, Spelled(r"[a-z_]{1,40}", "is no field: small letters and _")] | None = None


class ContactsChanged(Value):
    """Who may be written to has changed; the database knows how.

    changes  what people said, without names and addresses: the case remembers it, and tells a database that was
             restored from an older copy
    renewed  there is somebody, or an address, that is new: a step that reached nobody looks again
    """

    by: Spoken
    changes: Annotated[tuple[ContactChange, ...], Field(max_length=500)] = ()
    renewed: Annotated[bool, Field(strict=True)] = True


class ReplyReceived(Value):
    """A person of the customer's wrote to us. The case rests until somebody has handled it.

    `channel`: "page" when it was typed on the customer's page. `at`: when it came in. Automatic mail, such as an
    out-of-office note, is never told to a case.
    """

    reply_id: ReplyId
    channel: Channel | Literal["page"]
    at: Moment


class ReplyHandled(Value):
    """A person has read a reply and done what it asks for. `answer`: what they answer, which the case sends."""

    reply_id: ReplyId
    by: Spoken
    answer: AnswerId | None = None


class PaymentAnnounced(Value):
    """The customer says that the money has left: on `paid_on`, so much of it, by this method.

    What they typed beside it is in the database, under `ref`.
    """

    by: Person
    paid_on: Day | None = None
    amount: Amount | None = None
    method: Spoken | None = None
    ref: Code | None = None


class CallRequested(Value):
    """The customer asks to be called, at that time or as soon as the hours allow. `ref`: what they typed."""

    by: Person
    at: Moment | None = None
    ref: Code | None = None


class GraceGranted(Value):
    """What this invoice restricts is open again until that day, on which it is restricted again unless it is paid."""

    until: Day
    by: Person


Event = (
    PaymentReceived
    | CreditApplied
    | PaymentReversed
    | PromiseToPay
    | DisputeOpened
    | DisputeResolved
    | PaymentPlanAgreed
    | Pause
    | Resume
    | CallOutcome
    | InvoiceAmended
    | WriteOff
    | Cancel
    | PolicyMoved
    | DeliveryReport
    | ContactsChanged
    | ReplyReceived
    | ReplyHandled
    | PaymentAnnounced
    | CallRequested
    | GraceGranted
)

EVENTS: Mapping[str, type[Event]] = {
    "payment_received": PaymentReceived,
    "credit_applied": CreditApplied,
    "payment_reversed": PaymentReversed,
    "promise_to_pay": PromiseToPay,
    "dispute_opened": DisputeOpened,
    "dispute_resolved": DisputeResolved,
    "payment_plan_agreed": PaymentPlanAgreed,
    "pause": Pause,
    "resume": Resume,
    "call_outcome": CallOutcome,
    "invoice_amended": InvoiceAmended,
    "write_off": WriteOff,
    "cancel": Cancel,
    "policy_moved": PolicyMoved,
    "reply_handled": ReplyHandled,
    "payment_announced": PaymentAnnounced,
    "call_requested": CallRequested,
    "grace_granted": GraceGranted,
    "reply_received": ReplyReceived,
    "delivery_report": DeliveryReport,
    "contacts_changed": ContactsChanged,
}
"""Signal name to its one argument. Each has an update of the same name but the last three."""

MONEY = frozenset({"payment_received", "credit_applied", "payment_reversed"})
"""Events that count even for a case that has ended."""

PERSONAL_DECISIONS = frozenset(EVENTS) - {"reply_received", "delivery_report", "contacts_changed"}
"""What a person does and wants an answer to: these are updates too."""


def check_reason(reason: str) -> None:
    """Raise Refused for a reason that is no short code."""
    try:
        _REASON.check(_no_phone_number(reason))
    except ValueError as error:
        raise Refused("reason", str(error)) from None


def parse_event(name: str, arguments: list[object]) -> Event:
    """The event `name` with its one JSON object. Raises Refused naming the field."""
    model = EVENTS.get(name)
    if model is None:
        raise Refused("signal", f"there is no signal of this name; known are {', '.join(EVENTS)}")
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Refused("message", "must be one JSON object")
    try:
        event = model.model_validate(arguments[0])
    except ValidationError as error:
        refused = refusal_of(error)
        if error.errors(include_input=False)[0]["type"] == "extra_forbidden" and "." not in refused.field:
            fields = model.model_fields
            advice = did_you_mean(refused.field, fields, f"there are {', '.join(fields)}")
            refused = Refused(refused.field, f"{refused.reason}: {advice}")
        # A field that is none of ours was named by the sender: it may hold anything, of any length.
        raise Refused(_UNFIT_FOR_A_FIELD_NAME.sub("?", refused.field)[:60], refused.reason) from None
    except (RecursionError, OverflowError):
        raise Refused("message", "is nested too deeply or holds a number out of range") from None
    _check_days(event)
    return event


def _check_days(event: Event) -> None:
    days: dict[str, date | None] = {}
    match event:
        case PromiseToPay(date=day):
            days["date"] = day
        case PaymentPlanAgreed(instalments=instalments):
            days = {f"instalments.{n}.date": item.date for n, item in enumerate(instalments)}
        case Pause(until=day):
            days["until"] = day
        case InvoiceAmended(due_on=day):
            days["due_on"] = day
        case PaymentAnnounced(paid_on=day):
            days["paid_on"] = day
        case GraceGranted(until=day):
            days["until"] = day
        case CallOutcome(promise=promise) if promise:
            days["promise.date"] = promise.date
    for field, value in days.items():
        if value is not None:
            try:
                _sane_day(value)
            except ValueError as error:
                raise Refused(field, str(error)) from None
