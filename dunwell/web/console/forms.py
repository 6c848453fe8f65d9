"""The console's forms: which fields an event has on a page, and how what was typed becomes the event's content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import Request

from dunwell.domain.events import OF_A_TALK
from dunwell.domain.principals import Right, right_for
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Head, Role
from dunwell.web.console.formats import plain, sentence
from dunwell.web.request_body import Problem, read_body

MOST_INSTALMENTS = 6
"""Rows of the payment plan's form. A longer plan is agreed by command or API."""
FORM_ID, SEEN = "form_id", "seen"
"""Hidden fields: the id of this one sending of a form, and the last timeline entry that its page showed."""

_MOST_FIELDS = 200
_MOST_NOTE = 4_000

Kind = Literal["text", "amount", "date", "moment", "choice", "check", "note"]
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """A field of a form. `name` is the event's own, with dots into what it holds: `promise.date`."""

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    required: bool = False
    options: Options = ()


@dataclass(frozen=True)
class EventForm:
    """The form by which a person tells a case an event.

    by     the event's field that holds who says so; "" where the event has none
    fixed  fields that the page sets
    grave  it ends the case or cannot be undone by the next form: shown as such
    """

    event: str
    title: str
    explains: str
    button: str
    fields: tuple[Field, ...]
    by: str = "by"
    grave: bool = False

    @property
    def right(self) -> Right:
        return right_for(self.event)


def _choices(words: Sequence[str]) -> Options:
    return tuple((word, sentence(plain(word))) for word in words)


_DEBTORS = _choices([role.value for role in Role if role is not Role.ACCOUNT_MANAGER])
_WHO = Field("promised_by", "Who promised", "choice", "Their role; names stay in the note.", True, _DEBTORS)
_VIA = Field("via", "How", "choice", options=_choices(("phone", "e-mail", "letter", "meeting")))
_NOTE = Field("note", "Note", "note", "Free words, for colleagues. They stay in the database.")
_REASON = "A short code, such as hardship. Free words belong in the note."

_PROMISE = EventForm(
    "promise_to_pay",
    "Promise to pay",
    "The ladder rests until the day has passed; they are reminded the business day before.",
    "Record the promise",
    (
        Field("date", "They pay on", "date", required=True),
        Field("amount", "Amount", "amount", "Empty: all that is open."),
        _WHO,
        _VIA,
        _NOTE,
    ),
    by="",
)
_PLAN = EventForm(
    "payment_plan_agreed",
    "Payment plan",
    "Instalments for all that is open; the last one closes the sum.",
    "Record the plan",
    (
        *(
            one
            for row in range(MOST_INSTALMENTS)
            for one in (
                Field(f"instalments.{row}.date", f"Instalment {row + 1}: day", "date", required=row == 0),
                Field(f"instalments.{row}.amount", f"Instalment {row + 1}: amount", "amount", required=row == 0),
            )
        ),
        _NOTE,
    ),
)
_DISPUTE = EventForm(
    "dispute_opened",
    "Dispute",
    "What is disputed is not asked for until the dispute is resolved.",
    "Record the dispute",
    (
        Field("reason", "Reason", hint="A short code, such as wrong-quantity.", required=True),
        Field("amount", "Disputed amount", "amount", "Empty: the whole invoice."),
        Field("opened_by", "Who disputes it", "choice", required=True, options=_DEBTORS),
        _NOTE,
    ),
    by="",
)
_RESOLVE = EventForm(
    "dispute_resolved",
    "Resolve the dispute",
    "Upheld: they were right. Rejected: the invoice stands. Adjusted: it has a new amount.",
    "Resolve",
    (
        Field(
            "outcome",
            "Outcome",
            "choice",
            required=True,
            options=(
                ("upheld", "Upheld: they were right"),
                ("rejected", "Rejected: the invoice stands"),
                ("adjusted", "Adjusted to the new amount"),
            ),
        ),
        Field("new_amount", "New amount", "amount", "Only when adjusted."),
        Field("confirm", "It comes on top of what was taken off before", "check"),
        _NOTE,
    ),
)
_PAUSE = EventForm(
    "pause",
    "Pause",
    "Nothing is asked for until then. Payments still count.",
    "Pause this case",
    (
        Field("reason", "Reason", hint=_REASON, required=True),
        Field("until", "Until", "date", "Empty: until somebody resumes it."),
        _NOTE,
    ),
)
_RESUME = EventForm("resume", "Resume", "The ladder goes on from where it rests.", "Resume this case", (_NOTE,))
_PAYMENT = EventForm(
    "payment_received",
    "Payment",
    "Counts once by its id. What settles the invoice ends the case at once.",
    "Record the payment",
    (
        Field("payment_id", "Payment id", hint="The bank's or provider's id.", required=True),
        Field("amount", "Amount", "amount", required=True),
        Field("received_at", "Received", "moment", "The customer's local time. Empty: now."),
        Field("method", "Method", hint="Such as transfer or card."),
        Field(
            "designation",
            "Paid for",
            "choice",
            "Only if the customer named it.",
            options=_choices([head.value for head in Head]),
        ),
        Field("confirm", "It is older than the import, and was not counted then", "check"),
        _NOTE,
    ),
    by="",
)
_REVERSAL = EventForm(
    "payment_reversed",
    "Reverse a payment",
    "A returned debit or a chargeback. A paid case opens again.",
    "Take it back",
    (
        Field("payment_id", "Payment id", required=True),
        Field("reason", "Reason", hint="Such as returned or chargeback.", required=True),
        Field("amount", "Amount", "amount", "Empty: all that is left of it."),
        Field("reversal_id", "Id of this reversal", hint="Needed from the second part on."),
        _NOTE,
    ),
    by="",
    grave=True,
)
_AMEND = EventForm(
    "invoice_amended",
    "Amend the invoice",
    "A later due date begins the ladder anew.",
    "Amend",
    (
        Field("amount", "New amount", "amount"),
        Field("due_on", "New due date", "date"),
        _NOTE,
    ),
)
_WRITE_OFF = EventForm(
    "write_off",
    "Write off",
    "Ends the case and releases its holds. A payment still counts as a recovery.",
    "Write it off",
    (Field("reason", "Reason", hint="A short code, such as insolvent.", required=True), _NOTE),
    grave=True,
)
_CANCEL = EventForm(
    "cancel",
    "Cancel the invoice",
    "The invoice is no longer valid: nothing is owed, and what was paid becomes credit.",
    "Cancel the invoice",
    (Field("reason", "Reason", hint="A short code, such as duplicate.", required=True), _NOTE),
    grave=True,
)

EVENT_FORMS: Mapping[str, EventForm] = {
    form.event: form
    for form in (
        _PROMISE,
        _PLAN,
        _DISPUTE,
        _RESOLVE,
        _PAUSE,
        _RESUME,
        _PAYMENT,
        _REVERSAL,
        _AMEND,
        _WRITE_OFF,
        _CANCEL,
    )
}

_TALK = EventForm(
    "call_outcome",
    "What came of it",
    "",
    "Save the outcome",
    (
        Field("outcome", "Outcome", "choice", required=True, options=_choices((*OF_A_TALK, "done"))),
        Field("promise.date", "They pay on", "date"),
        Field("promise.amount", "Amount", "amount", "Empty: all that is open."),
        Field("call_back_at", "Call back at", "moment", "The customer's local time."),
        Field("reason_code", "Reason", hint="A short code, such as wrong-quantity."),
        _NOTE,
    ),
)
_APPROVAL = EventForm(
    "call_outcome",
    "Decide",
    "",
    "Save the decision",
    (
        Field(
            "outcome",
            "Decision",
            "choice",
            required=True,
            options=(("approved", "Approve: the step is done"), ("declined", "Decline: the step is left out")),
        ),
        Field("reason_code", "Reason", hint=_REASON),
        _NOTE,
    ),
)
_DECISION = EventForm(
    "call_outcome",
    "Close the task",
    "Say so once you have done what it asks for.",
    "It is done",
    (_NOTE,),
)


def task_form(kind: str) -> EventForm:
    """Return the form for the outcome of a task of this kind."""
    return {"approval": _APPROVAL, "decision": _DECISION}.get(kind, _TALK)


@dataclass
class Filled:
    """A form as a page shows it: with what was typed, and what was refused about which field.

    form_id  new for each page; the same again is the same sending
    seen     the number of the last timeline entry that the page shows
    """

    form: EventForm
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    form_id: str = field(default_factory=lambda: uuid4().hex)
    seen: int = 0
    news: Sequence[Any] = ()

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    @property
    def elsewhere(self) -> Mapping[str, str]:
        """The refusals that are about no field of the form."""
        names = {one.name for one in self.form.fields}
        return {name: reason for name, reason in self.errors.items() if name not in names}

    def refused(self, refused: Refused) -> "Filled":
        """Return the form with a refusal beside its field."""
        return Filled(self.form, self.values, {refused.field: refused.reason}, self.form_id, self.seen)


async def read_form(request: Request) -> dict[str, str]:
    """Return the texts of a posted form, without surrounding spaces. Raises Problem 400, 408 or 413."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError, too
        raise Problem(400, "The form cannot be read: go back, and send it again.") from None
    return {name: value.strip() for name, value in pairs}


def content_of(form: EventForm, typed: Mapping[str, str], zone: str) -> dict[str, Any]:
    """Return the event's content: fields that were filled in, in the shape of the event. Raises Refused.

    zone  the customer's time zone: local times are typed in it
    """
    content: dict[str, Any] = {}
    for one in form.fields:
        text = typed.get(one.name, "")
        if one.kind == "note" or not text:
            continue
        _put(content, one.name.split("."), _value(one, text, zone))
    if "instalments" in content:
        content["instalments"] = [row for _, row in sorted(content["instalments"].items())]
    return content


def note_of(typed: Mapping[str, str]) -> str | None:
    """Return the note that was typed; None for none. Raises Refused for one that is too long."""
    text = typed.get("note", "")
    if len(text) > _MOST_NOTE:
        raise Refused("note", f"is longer than {_MOST_NOTE} characters: shorten it")
    return text or None


def _value(one: Field, text: str, zone: str) -> Any:
    if one.kind == "check":
        return True
    if one.kind == "moment":
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(one.name, "is not a time: write 2027-03-24T10:00") from None
        return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).isoformat()
    return text


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *outer, last = path
    for name in outer:
        content = content.setdefault(name, {})
    content[last] = value
