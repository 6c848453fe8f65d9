"""The console's forms: which fields an event has on a page, and how what was typed becomes the event's content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import Request

from dunwell.domain.events import OF_A_TALK
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Head, Role
from dunwell.intake.currencies import Currency
from dunwell.intake.typed_amounts import typed_amount
from dunwell.intake.typed_codes import code_typed
from dunwell.services.kind_questions import is_kind_question
from dunwell.services.submissions import Submission
from dunwell.web.console.formats import plain, sentence
from dunwell.web.posted_form import FORM_ID, form_id_of

MOST_INSTALMENTS = 6
"""Rows of the payment plan's form. A longer plan is agreed by command or API."""
SEEN = "seen"
"""The hidden field with the last timeline entry that the form's page showed."""

_SEEN_VALUE = "was."
"""Hidden fields of a form that corrects: `was.email` is the e-mail that its page showed."""
_MOST_NOTE = 4_000

Kind = Literal["text", "code", "amount", "date", "moment", "choice", "check", "note", "lines"]
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """A field of a form. `name` is the event's own, with dots into what it holds: `promise.date`.

    follows  what comes of an option, where that is not plain
    """

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    required: bool = False
    options: Options = ()
    follows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """A form. `name` is the event that it tells a case, or what it does with a customer or a contact.

    by     the field that holds who says so; "" where there is none
    grave  it ends the case, or no other form takes it back: shown as such
    corrects  it shows values that are there already: only those that somebody changes are changed
    """

    name: str
    title: str
    explains: str
    button: str
    fields: tuple[Field, ...]
    by: str = "by"
    grave: bool = False
    corrects: bool = False


def _choices(words: Sequence[str]) -> Options:
    return tuple((word, sentence(plain(word))) for word in words)


_DEBTORS = _choices([role.value for role in Role if role is not Role.ACCOUNT_MANAGER])
_WHO = Field("promised_by", "Who promised", "choice", "Their role; names stay in the note.", True, _DEBTORS)
_VIA = Field("via", "How", "choice", options=_choices(("phone", "e-mail", "letter", "meeting")))
_NOTE = Field("note", "Note", "note", "Free words, for colleagues. They stay in the database.")
_REASON = "A short code, such as hardship; spaces become hyphens. Free words belong in the note."


def _code(example: str) -> Field:
    """Return the field of a reason."""
    return Field(
        "reason", "Reason", "code", f"A short code, such as {example}; spaces become hyphens.", required=True
    )


_PROMISE = Form(
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
_ANNOUNCED = Form(
    "payment_announced",
    "They say it is paid",
    "Chasing waits some business days for the money, and a task asks to look for it.",
    "Record what they say",
    (
        Field("paid_on", "Paid on", "date"),
        Field("amount", "Amount", "amount", "Empty: all that is open."),
        Field("method", "Method", hint="Such as transfer or card."),
        Field("by", "Who says so", "choice", "Their role; names stay in the note.", True, _DEBTORS),
        _NOTE,
    ),
    by="",
)
_CALL_REQUEST = Form(
    "call_requested",
    "They ask for a call",
    "A task asks for the call; chasing waits until its day is over.",
    "Record the request",
    (
        Field("at", "Call at", "moment", "The customer's local time. Empty: as soon as possible."),
        Field("by", "Who asks", "choice", "Their role; names stay in the note.", True, _DEBTORS),
        _NOTE,
    ),
    by="",
)
_GRACE = Form(
    "grace_granted",
    "Grace",
    "What this invoice restricts is open again at once. A message names the day on which it is restricted again.",
    "Grant grace",
    (Field("until", "Until", "date", "The day on which it is restricted again.", True), _NOTE),
)
_PLAN = Form(
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
_DISPUTE = Form(
    "dispute_opened",
    "Dispute",
    "What is disputed is not asked for until the dispute is resolved.",
    "Record the dispute",
    (
        _code("wrong-quantity"),
        Field("amount", "Disputed amount", "amount", "Empty: the whole invoice."),
        Field("opened_by", "Who disputes it", "choice", required=True, options=_DEBTORS),
        _NOTE,
    ),
    by="",
)
_RESOLVE = Form(
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
_PAUSE = Form(
    "pause",
    "Pause",
    "Nothing is asked for until then. Payments still count.",
    "Pause this case",
    (
        Field("reason", "Reason", "code", _REASON, required=True),
        Field("until", "Until", "date", "Empty: until somebody resumes it."),
        _NOTE,
    ),
)
_RESUME = Form("resume", "Resume", "The ladder goes on from where it rests.", "Resume this case", (_NOTE,))
_PAYMENT = Form(
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
_REVERSAL = Form(
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
    grave=True,
)
_AMEND = Form(
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
_WRITE_OFF = Form(
    "write_off",
    "Write off",
    "Ends the case and releases its holds. A payment still counts as a recovery.",
    "Write it off",
    (_code("insolvent"), _NOTE),
    grave=True,
)
_CANCEL = Form(
    "cancel",
    "Cancel the invoice",
    "The invoice is no longer valid: nothing is owed, and what was paid becomes credit.",
    "Cancel the invoice",
    (_code("duplicate"), _NOTE),
    grave=True,
)

EVENT_FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        _PROMISE,
        _PLAN,
        _ANNOUNCED,
        _CALL_REQUEST,
        _GRACE,
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

_OUTCOMES: Mapping[str, str] = {
    "paid": "They say it is paid",
    "promise": "They promised a date",
    "written_promise_owed": "They will write when they pay",
    "dispute": "They object to the invoice",
    "no_answer": "Nobody answered",
    "wrong_number": "Wrong number",
    "refused": "They refuse to pay",
    "no_calls": "They want no more calls",
    "call_back": "Call back later",
    "reached": "Spoke with them, nothing agreed",
    "done": "Nobody has to call any more",
}

_FOLLOWS: Mapping[str, str] = {
    "paid": "Chasing waits some business days for the money.",
    "promise": "The ladder rests until that day.",
    "written_promise_owed": "Chasing waits until the next business day is over.",
    "dispute": "The invoice is in dispute: nothing of it is asked for until that is resolved.",
    "no_answer": "They are called again by the rule of the ladder, then it goes on.",
    "wrong_number": "The number is not called or texted any more. The step goes on to the next channel or person.",
    "refused": "The next step comes at once. Steps up to the due date keep their day, and a consequence always does.",
    "no_calls": "The number is not called any more, for any invoice. The ladder goes on in writing.",
    "call_back": "They are called at that time.",
    "reached": "The ladder goes on.",
    "done": "The call is off the list, and the ladder goes on.",
}
"""What each outcome does, for whoever records it."""

_TALK = Form(
    "call_outcome",
    "What came of it",
    "",
    "Save the outcome",
    (
        Field(
            "outcome",
            "Outcome",
            "choice",
            required=True,
            options=tuple((word, _OUTCOMES[word]) for word in (*OF_A_TALK, "done")),
            follows=_FOLLOWS,
        ),
        Field("promise.date", "They pay on", "date"),
        Field("promise.amount", "Amount", "amount", "Empty: all that is open."),
        Field("call_back_at", "Call back at", "moment", "The customer's local time."),
        Field("reason_code", "Reason", "code", "A short code, such as wrong-quantity; spaces become hyphens."),
        _NOTE,
    ),
)
_APPROVAL = Form(
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
        Field("reason_code", "Reason", "code", _REASON),
        _NOTE,
    ),
)
_DECISION = Form(
    "call_outcome",
    "Close the task",
    "Say so once you have done what it asks for.",
    "It is done",
    (_NOTE,),
)


_KIND = Form(
    "customer_kind",
    "What the customer is",
    "It counts for all of their invoices from now on, and can be corrected on the customer's page.",
    "Save the answer",
    (
        Field(
            "kind",
            "What they are",
            "choice",
            required=True,
            options=(
                (DebtorKind.BUSINESS.value, "A business"),
                (DebtorKind.CONSUMER.value, "A consumer: a private person who owes for private ends"),
                (DebtorKind.PUBLIC.value, "A public body"),
            ),
        ),
    ),
)


_FIND = Form(
    "call_outcome",
    "They were reached in another way",
    "Say so once they know of the invoice, or nobody has to reach them any more. "
    "With a number that you save above, this is a call.",
    "It is done",
    (_NOTE,),
)


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known, as a form that corrects shows it."""
    return {name: str(value) for name, value in values.items() if value is not None}


def task_form(kind: str, task_id: str = "", *, to_find: bool = False) -> Form:
    """Return the form for the outcome of a task of this kind. to_find: nobody can be called or visited yet."""
    if is_kind_question(task_id):
        return _KIND
    if to_find:
        return _FIND
    return {"approval": _APPROVAL, "decision": _DECISION}.get(kind, _TALK)


_PLACES = (
    Field("email", "E-mail"),
    Field("phone", "Phone", hint="With the country code, such as +49 30 1234."),
    Field("post", "Postal address", "lines", "As on an envelope, line by line."),
)
CUSTOMER_FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            "pause",
            "Pause this customer",
            "All open invoices rest, and those still to come. Payments still count.",
            "Pause the customer",
            (
                Field("reason", "Reason", "code", _REASON, required=True),
                Field("until", "Until", "date", "Empty: until somebody resumes."),
            ),
        ),
        Form(
            "revoke-links",
            "Revoke the links of this customer",
            "Links in messages already sent open nothing any more. Later messages have links of their own.",
            "Revoke the links",
            (Field("reason", "Reason", "code", _REASON, required=True),),
        ),
        Form("resume", "Resume this customer", "An invoice that was paused by itself stays paused.", "Resume", ()),
        Form(
            "contacts",
            "Add a contact",
            "They are written to about every invoice of this customer, until somebody closes them.",
            "Add the contact",
            (
                Field("role", "Role", "choice", required=True, options=_choices([role.value for role in Role])),
                Field("name", "Name", required=True),
                *_PLACES,
            ),
        ),
        Form(
            "set",
            "Correct the customer",
            "A correction stands until the billing system says something new.",
            "Save the correction",
            (
                Field("name", "Name"),
                Field("country", "Country", hint="Two letters, such as DE."),
                Field("language", "Language", hint="Such as de or pt-BR."),
                Field("time_zone", "Time zone", hint="Such as Europe/Berlin."),
                Field("kind", "What they are", "choice", options=_choices([kind.value for kind in DebtorKind])),
            ),
            corrects=True,
        ),
    )
}
CONTACT_FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            "set",
            "Correct",
            "An address that is emptied is taken away.",
            "Save the correction",
            (Field("name", "Name"), *_PLACES),
            corrects=True,
        ),
        Form(
            "close",
            "Do not write any more",
            "Whatever records say, until somebody opens it again.",
            "Close the contact",
            (_code("left-company"),),
        ),
        Form(
            "stop-calls",
            "No more calls",
            "They are still written to. Calls to them go to somebody else, or are called off.",
            "End the calls",
            (),
        ),
        Form(
            "allow-calls",
            "Call again",
            "They wanted no more calls, and have asked for them now.",
            "Allow calls",
            (),
        ),
        Form(
            "revoke-links",
            "Revoke their links",
            "Links in messages already sent to them open nothing any more. Later messages have links of their own.",
            "Revoke the links",
            (_code("forwarded"),),
        ),
        Form(
            "open",
            "Write again",
            "Also after a bounce or a wrong number. What they stopped themselves stays closed, calls included.",
            "Open the contact",
            (),
        ),
    )
}
CREDIT_FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            "apply",
            "Apply to an invoice",
            "",
            "Apply the credit",
            (
                Field("to_invoice", "Invoice", "choice", required=True),
                Field("amount", "Amount", "amount", "Empty: what is open, if there is enough."),
            ),
        ),
        Form(
            "return",
            "Paid back",
            "Your bank sends the money; this records that it did.",
            "Record the return",
            (Field("amount", "Amount", "amount", "Empty: all of it."),),
        ),
    )
}


@dataclass
class Filled:
    """A form as a page shows it: with what was typed, and what was refused about which field.

    form_id  new for each page; the same again is the same sending
    seen     the number of the last timeline entry that the page shows
    was      of a form that corrects: the values that the page showed first
    """

    form: Form
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    form_id: str = field(default_factory=lambda: uuid4().hex)
    seen: int = 0
    news: Sequence[Any] = ()
    choices: Mapping[str, Options] = field(default_factory=dict)
    was: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, form: Form, known: Mapping[str, str]) -> "Filled":
        """Return a form that shows the values as they are."""
        was = {one.name: known.get(one.name, "") for one in form.fields} if form.corrects else {}
        return cls(form, known, was=was)

    @classmethod
    def sent(cls, form: Form, typed: Mapping[str, str]) -> "Filled":
        """Return a form as it came in."""
        names = [one.name for one in form.fields]
        was = {name: lines(typed[_SEEN_VALUE + name]) for name in names if _SEEN_VALUE + name in typed}
        return cls(form, typed, was=was)

    @property
    def corrected(self) -> dict[str, str]:
        """The values of a form that corrects which differ from those that its page showed."""
        typed = {one.name: lines(self.values[one.name]) for one in self.form.fields if one.name in self.values}
        return {name: text for name, text in typed.items() if text != self.was.get(name)}

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def options(self, one: Field) -> Options:
        """Return the choices of a field; where the page gave none of its own, the field's."""
        return self.choices.get(one.name, one.options)

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    @property
    def elsewhere(self) -> Mapping[str, str]:
        """The refusals that are about no field of the form."""
        names = {one.name for one in self.form.fields}
        return {name: reason for name, reason in self.errors.items() if name not in names}

    def overtaken(self, changed: Mapping[str, str], now: Mapping[str, str]) -> "Filled":
        """Return a form that corrects, with what somebody else changed in the same fields meanwhile.

        What was typed stays; what was not touched, and what the form compares with, is as it is `now`.
        """
        errors = {name: f"is {value or 'empty'} by now: somebody else changed it" for name, value in changed.items()}
        return replace(
            Filled.of(self.form, {**now, **self.corrected}), errors=errors, was=Filled.of(self.form, now).was
        )

    def refused(self, refused: Refused) -> "Filled":
        """Return the form with a refusal beside its field; that of `date` may be `promise.date`."""
        names = [one.name for one in self.form.fields]
        inner = [name for name in names if name.endswith(f".{refused.field}")]
        name = inner[0] if refused.field not in names and len(inner) == 1 else refused.field
        return replace(self, errors={name: refused.reason})


def lines(text: str) -> str:
    """Return text with the line ends of the database; browsers send others."""
    return text.replace("\r\n", "\n")


def submission_of(request: Request, principal: Principal, typed: Mapping[str, str]) -> Submission:
    """Return which sending of which form this is."""
    said = {name: text for name, text in typed.items() if name not in {FORM_ID, SEEN}}
    return Submission.of(principal.label, form_id_of(typed), request.url.path, said)


def content_of(form: Form, typed: Mapping[str, str], zone: str, currency: Currency) -> dict[str, Any]:
    """Return the event's content: fields that were filled in, in the shape of the event. Raises Refused.

    zone      the customer's time zone: local times are typed in it
    currency  of the amounts
    """
    content: dict[str, Any] = {}
    for one in form.fields:
        text = typed.get(one.name, "")
        if one.kind == "note" or not text:
            continue
        _put(content, one.name.split("."), _value(one, text, zone, currency))
    if "instalments" in content:
        content["instalments"] = [row for _, row in sorted(content["instalments"].items())]
    return content


def note_of(typed: Mapping[str, str]) -> str | None:
    """Return the note that was typed; None for none. Raises Refused for one that is too long."""
    text = typed.get("note", "")
    if len(text) > _MOST_NOTE:
        raise Refused("note", f"is longer than {_MOST_NOTE} characters: shorten it")
    return text or None


def _value(one: Field, text: str, zone: str, currency: Currency) -> Any:
    if one.kind == "check":
        return True
    if one.kind == "code":
        return code_typed(text)
    if one.kind == "amount":
        return str(typed_amount(one.name, text, currency))
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
