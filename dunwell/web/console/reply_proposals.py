"""What a reply seems to say, as forms that a clerk sends with one press, and may change before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dunwell.domain.clerk_answer import Phrase
from dunwell.domain.contact import Contact
from dunwell.domain.reply_terms import ReplyLine
from dunwell.domain.terms import Role
from dunwell.views.facts import Facts
from dunwell.web.console.forms import CONTACT_FORMS, EVENT_FORMS, Filled, Form

_OFFERED = ("promise_to_pay", "payment_announced", "dispute_opened", "payment_plan_agreed", "call_requested", "pause")
PROPOSED: Mapping[str, Form] = {name: EVENT_FORMS[name] for name in _OFFERED}
"""The events that a reply may tell a case."""

WRONG_PERSON = CONTACT_FORMS["close"]

Values = Mapping[str, str]


@dataclass(frozen=True)
class Proposed:
    """A form, filled in by what the reply says. `words`: the sentence it was read from; None: it says no such thing.

    closes  the contact that this form closes, in place of telling a case
    """

    filled: Filled
    words: str | None = None
    closes: str | None = None
    opened: bool = False


def proposed(reply: Facts, writer: Contact | None, seen: int) -> list[Proposed]:
    """Return the forms for a reply: first those that it proposes, filled in, then the others, empty."""
    role = writer.role.value if writer is not None and writer.role is not Role.ACCOUNT_MANAGER else ""
    always = {"promised_by": role, "opened_by": role, "by": role}
    found = [one for read in reply["proposals"] if (one := _of(read, always, writer, seen)) is not None]
    there = {one.filled.form.name for one in found if one.closes is None}
    rest = [Proposed(Filled(form, always, seen=seen)) for name, form in PROPOSED.items() if name not in there]
    return found + rest


def suggested(proposals: Sequence[Facts]) -> set[str]:
    """Return the phrases that answer what the reply says; a clerk may choose others."""
    lines = {ReplyLine(one["line"]) for one in proposals}
    return {Phrase.THANKS.value} | {phrase.value for line, phrase in _ANSWERS.items() if line in lines}


def _of(read: Facts, always: Values, writer: Contact | None, seen: int) -> Proposed | None:
    line = ReplyLine(read["line"])
    if line is ReplyLine.WRONG_PERSON and writer is not None:
        filled = Filled(WRONG_PERSON, {"reason": line.value})
        return Proposed(filled, read["words"], closes=writer.contact_id, opened=True)
    name, values_of = _FORMS.get(line, ("", _nothing))
    form = PROPOSED.get(name)
    if form is None:
        return None
    values = {field: str(value) for field, value in values_of(read).items() if value is not None}
    return Proposed(Filled(form, {**always, **values}, seen=seen), read["words"], opened=True)


def _nothing(read: Facts) -> dict[str, Any]:
    return {}


_FORMS: Mapping[ReplyLine, tuple[str, Callable[[Facts], dict[str, Any]]]] = {
    ReplyLine.PROMISE: ("promise_to_pay", lambda read: {"date": read["day"], "amount": read["amount"]}),
    ReplyLine.PAID: ("payment_announced", lambda read: {"paid_on": read["day"], "amount": read["amount"]}),
    ReplyLine.DISPUTE: ("dispute_opened", lambda read: {"amount": read["amount"]}),
    ReplyLine.CHARGE_UNFAIR: ("dispute_opened", lambda read: {"reason": "charge-unfair", "amount": read["amount"]}),
    ReplyLine.INSTALMENTS: (
        "payment_plan_agreed",
        lambda read: {"instalments.0.date": read["day"], "instalments.0.amount": read["amount"]},
    ),
    ReplyLine.CALL: ("call_requested", _nothing),
    ReplyLine.OUT_OF_OFFICE: ("pause", lambda read: {"reason": "out-of-office", "until": read["day"]}),
    ReplyLine.HARDSHIP: ("pause", lambda read: {"reason": "hardship", "until": read["day"]}),
}
"""Which form a line proposes, with what it fills in."""

_ANSWERS: Mapping[ReplyLine, Phrase] = {
    ReplyLine.NO_INVOICE: Phrase.COPY,
    ReplyLine.PAID: Phrase.LOOK,
    ReplyLine.DISPUTE: Phrase.LOOK,
    ReplyLine.CHARGE_UNFAIR: Phrase.LOOK,
    ReplyLine.CUSTOMERS_OWE_US: Phrase.DATE,
    ReplyLine.ACCOUNTANT_LEFT: Phrase.DATE,
    ReplyLine.APPROVAL_MISSING: Phrase.DATE,
    ReplyLine.ONE_MORE_THING: Phrase.LOOK,
    ReplyLine.PESTERED: Phrase.SORRY,
}
