"""Ladders: what the shipped ones do, and why a bad one is refused."""

import copy
import tomllib
from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.channels import Channel
from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.policy import Policy, Trait, When
from dunwell.domain.terms import Late, Level, Role, Stage
from dunwell.intake.jurisdiction_files import read_jurisdictions

POLICIES = Path(__file__).parents[2] / "policies"

ASKING = Trait(asks=True)
MESSAGES: Mapping[str, Trait] = {
    **dict.fromkeys(
        ("restored", "nothing-to-pay", "thank-you", "promise-confirmed", "dispute-received", "plan-agreed"), Trait()
    ),
    **dict.fromkeys(("before-due", "due-today", "reminder-first", "reminder-second", "part-received"), ASKING),
    **dict.fromkeys(("promise-broken", "dispute-closed", "instalment-missed"), ASKING),
    **dict.fromkeys(("milestone-invoice", "milestone-reminder", "courtesy-visit", "meeting-request"), ASKING),
    **dict.fromkeys(("promise-due", "instalment-due"), ASKING),
    "welcome-memo": Trait(),
    "accessory-request": Trait(accessory=True),
    "grace-confirmed": Trait(announces=True),
    **dict.fromkeys(("final-warning", "formal-complaint"), Trait(asks=True, announces=True)),
    "restricted": Trait(states="restricted"),
    "suspended": Trait(states="suspended"),
    "handover-notice": Trait(asks=True, states="handed_over"),
}

LADDER = """
name = "trial"
version = 3

[[step]]
id = "first"
when = "due + 1 business day at 10:00"
to = ["accounts_payable", "user"]
by = ["email", "sms"]
message = "reminder-first"

[[step]]
id = "second"
when = "first + 14 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "final-warning"
announces = ["restrict"]

[[step]]
id = "restrict"
when = "second + 4 business days"
needs = "2 delivered warnings, 3 days apart"
to = ["user"]
by = ["email"]
message = "restricted"
access = "restricted"
late = "shift"
"""

LAWS = read_jurisdictions()
STEP_KEYS = (
    *("when", "to", "by", "message", "late", "access", "needs", "announces", "stage", "ends"),
    *("copies", "once", "approval", "interest", "lump_sum", "fee", "interest_notice"),
)

Edit = Callable[[dict[str, Any]], object]


def ladder(edit: Edit | None = None) -> dict[str, Any]:
    data = copy.deepcopy(tomllib.loads(LADDER))
    if edit is not None:
        edit(data)
    return data


def step(position: int, **changes: object) -> Edit:
    """Change keys of one step; None takes the key away."""

    def edit(data: dict[str, Any]) -> None:
        for key, value in changes.items():
            if value is None:
                del data["step"][position][key]
            else:
                data["step"][position][key] = value

    return edit


def top(**changes: object) -> Edit:
    return lambda data: data.update(changes)


def add(**keys: object) -> Edit:
    return lambda data: data["step"].append(keys)


def refusal(data: Mapping[str, object], file: str = "policies/trial.toml") -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(data, file, MESSAGES, LAWS)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


def load(name: str) -> Policy:
    path = POLICIES / f"{name}.toml"
    return parse_policy(tomllib.loads(path.read_text()), str(path), MESSAGES)


def test_a_letter_is_a_channel_and_a_warning_in_writing() -> None:
    data = ladder(step(0, by=["letter"]))
    step(1, by=["email", "letter"])(data)
    policy = parse_policy(data, "policies/trial.toml", MESSAGES)
    assert [one.by for one in policy.steps[:2]] == [(Channel.LETTER,), (Channel.EMAIL, Channel.LETTER)]
    assert policy.steps[0].written and policy.steps[1].warning


def test_reads_a_ladder() -> None:
    policy = parse_policy(ladder(), "policies/trial.toml", MESSAGES)
    first, second, restrict = policy.steps
    assert (policy.name, policy.version, policy.window) == ("trial", 3, (time(9), time(17)))
    assert first.when == When(anchor="due", offset=1, unit="business_days", at=time(10))
    assert first.to == (Role.ACCOUNTS_PAYABLE, Role.USER)
    assert first.by == (Channel.EMAIL, Channel.SMS)
    assert (first.late, restrict.late) == (Late.SEND, Late.SHIFT)
    assert first.warning and second.warning and not restrict.warning
    assert restrict.needs is not None
    assert (restrict.needs.delivered_warnings, restrict.needs.days) == (2, 3)
    assert [one.days_after_due for one in policy.steps] == [1, 15, 19]
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def under(country: str, position: int, **changes: object) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        top(jurisdictions=[country])(data)
        step(position, **changes)(data)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        pytest.param(under("GE", 1, lump_sum=True), "jurisdictions names 'GE', whose law has no file", id="GE"),
        pytest.param(
            under("AR", 1, interest="statutory"),
            "jurisdictions names 'AR', whose law is not complete, so it",
            id="AR",
        ),
        pytest.param(
            under("FR", 1, fee="5.00 EUR"),
            "step second: fee is refused by the law of FR: no fee for a reminder may be asked for (art. L111-8 CPCE)",
            id="a fee in France",
        ),
        pytest.param(
            under("DE", 0, fee="0.50 EUR"),
            "step first: fee is refused by the law of DE: the first reminder is free",
            id="a fee for the first reminder in Germany",
        ),
        pytest.param(
            under("DE", 1, fee="2.50 EUR"),
            "step second: fee is refused by the law of DE: 2.50 EUR is more than 0.76 EUR, the most that it allows",
            id="too high a fee in Germany",
        ),
        pytest.param(
            under("CH", 1, lump_sum=True),
            "step second: lump_sum is refused by the law of CH, which gives none",
            id="CH",
        ),
    ],
)
def test_what_the_law_of_a_named_country_forbids_is_refused(edit: Edit, says: str) -> None:
    (problem,) = refusal(ladder(edit))
    assert says in problem


def test_grace_is_granted_where_a_step_restricts_and_a_message_names_the_day() -> None:
    data = ladder(top(grace={}, replies={"manager_after_days": 5}, reactions={"grace_granted": "grace-confirmed"}))
    policy = parse_policy(data, "policies/trial.toml", MESSAGES, LAWS)
    assert (policy.grace.days, policy.grace.times, policy.replies.manager_after_days) == (3, 1, 5)
    assert parse_policy(ladder(), "policies/trial.toml", MESSAGES, LAWS).grace.times == 0
    del data["step"][2:]
    del data["step"][1]["announces"]
    data["step"][1]["message"] = "reminder-second"
    with pytest.raises(PolicyError, match="lifts what no step restricts: leave it out"):
        parse_policy(data, "policies/trial.toml", MESSAGES, LAWS)


def test_reads_what_a_step_claims_beside_the_invoice() -> None:
    data = ladder(top(jurisdictions=["DE"], pay_days=10, accessory="bill", accessory_floor="5.00"))
    step(0, interest_notice=True)(data)
    step(1, interest="statutory", lump_sum=True, fee="0.70 EUR")(data)
    policy = parse_policy(data, "policies/trial.toml", MESSAGES, LAWS)
    first, second, restrict = policy.steps
    assert (policy.jurisdictions, policy.pay_days) == (("DE",), 10)
    assert (policy.accessory, policy.accessory_floor) == ("bill", Decimal("5.00"))
    data |= {"accessory": "ask_once", "reactions": {"accessory_left": "accessory-request"}}
    policy = parse_policy(data, "policies/trial.toml", MESSAGES, LAWS)
    assert (policy.accessory, policy.reactions.accessory_left) == ("ask_once", "accessory-request")
    assert (first.claims, first.interest_notice, restrict.claims) == (False, True, False)
    assert (second.interest, second.lump_sum, str(second.fee)) == ("statutory", True, "0.70 EUR")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("due", When(anchor="due")),
        ("due at 12:00", When(anchor="due", at=time(12))),
        ("due - 3 business days at 10:00", When(anchor="due", offset=-3, unit="business_days", at=time(10))),
        ("issued + 1 day", When(anchor="issued", offset=1)),
        ("second-reminder + 14 days", When(anchor="second-reminder", offset=14)),
        ("first-call + 26 hours", When(anchor="first-call", offset=26, unit="hours")),
    ],
)
def test_reads_a_moment_and_writes_it_back(text: str, expected: When) -> None:
    assert When.read(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("next Tuesday", "not understood: write", id="free text"),
        pytest.param("due + 1 week", "not understood: write", id="an unknown unit"),
        pytest.param("due + one day", "not understood: write", id="a number in letters"),
        pytest.param("due at 25:00", "no time of day", id="no such hour"),
        pytest.param("due + 9999 days", "too far away", id="beyond two years"),
        pytest.param("issued - 1 day", "before its anchor", id="before the invoice"),
        pytest.param("due + 4 hours", "hours count from a step", id="a date has no hour"),
        pytest.param("call + 4 hours at 10:00", "hours count from a step", id="hours and a clock time"),
    ],
)
def test_refuses_a_moment_it_cannot_keep(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        When.read(text)


# One row a fault: what is changed in the good ladder, and the line that must come back, step included.
REFUSALS: list[tuple[str, Edit, str]] = [
    # the head of the file
    (
        "one bracket",
        top(step={"id": "first"}),
        "trial.toml: step must be written [[step]], with two brackets",
    ),
    ("a channel", step(0, channel="email"), "step first: channel is unknown: that is said with 'by'"),
    ("weekends", top(weekends=True), "weekends is unknown: leave it out, people are never contacted on weekends"),
    ("a wild guess", step(0, to=["customer"]), "to 'customer' is unknown: use accounts_payable or user or"),
    ("no guess", top(colour="red"), "colour is unknown: the keys here are name, version,"),
    ("unknown key", top(windw="09:00-17:00"), "trial.toml: windw is unknown: did you mean 'window'?"),
    ("no name", lambda data: data.pop("name"), 'trial.toml: name is missing: write name = "trial"'),
    ("another name", top(name="trail"), "trial.toml: name 'trail' differs from the file's name"),
    ("a name with spaces", top(name="My Ladder"), "trial.toml: name 'My Ladder' may hold"),
    ("no version", lambda data: data.pop("version"), "trial.toml: version is missing"),
    ("version nought", top(version=0), "trial.toml: version must be a whole number from 1"),
    ("version in quotes", top(version="1"), "trial.toml: version must be a whole number from 1"),
    ("version true", top(version=True), "trial.toml: version must be a whole number from 1"),
    (
        "no warnings",
        top(warnings_before_restriction=0),
        "warnings_before_restriction must be a whole number from 1",
    ),
    ("no gap", top(gap_days=0), "gap_days must be a whole number from 1"),
    ("window too early", top(window="07:00-17:00"), "window '07:00-17:00' leaves the hours"),
    ("window too late", top(window="09:00-21:30"), "window '09:00-21:30' leaves the hours"),
    ("window upside down", top(window="17:00-09:00"), "window '17:00-09:00' is too short"),
    ("window in words", top(window="in the morning"), "window 'in the morning' is not understood"),
    ("window no time", top(window="09:00-17:75"), "window '17:75' is no time of day"),
    ("a hold on access", top(hold="restricted"), "hold 'restricted' is unknown: use work"),
    ("e-mail sent blindly", top(unknown_email="again"), "unknown_email 'again' is unknown"),
    ("floor as a float", top(floor=99.5), "floor must be a positive amount in quotes"),
    ("floor below nought", top(floor="-1"), "floor must be a positive amount in quotes"),
    ("restriction floor as a float", top(restriction_floor=9.5), "restriction_floor must be a positive amount"),
    ("tolerance below nought", top(tolerance=-1), "tolerance"),
    ("tolerance as an amount", top(tolerance="0.50"), "tolerance"),
    ("floor no number", top(floor="NaN"), "floor must be a positive amount in quotes"),
    ("language in words", top(language="English!"), "language 'English!' is no language tag"),
    ("promises no table", top(promises=3), "promises must be a table"),
    ("calls no table", top(calls=3), "calls must be a table"),
    ("tries too often", top(calls={"attempts": 8}), "attempts must be a whole number from 1 to 7"),
    ("no such wait", top(calls={"retry": "soon"}), "retry 'soon' is not understood: write \"3 hours\""),
    ("waits too long", top(calls={"retry": "73 hours"}), "retry '73 hours' is no sensible wait: 1 to 72 hours"),
    ("no call key", top(calls={"atempts": 3}), "atempts is unknown"),
    ("unknown promise rule", top(promises={"limits": 2}), "limits is unknown: did you mean 'limit'?"),
    ("endless promises", top(promises={"max_days": 900}), "max_days must be a whole number from 1 to 90"),
    ("reactions no table", top(reactions="paid"), "reactions must be a table"),
    ("unknown event", top(reactions={"payed": "thank-you"}), "payed is unknown: did you mean 'paid'?"),
    (
        "unknown reaction",
        top(reactions={"paid": "thankyou"}),
        "paid 'thankyou' is in no catalogue: did you mean",
    ),
    (
        "asking after payment",
        top(reactions={"paid": "reminder-first"}),
        "paid 'reminder-first' asks for payment",
    ),
    (
        "asking the restored",
        top(reactions={"restored": "due-today"}),
        "restored 'due-today' asks for payment",
    ),
    (
        "asking the promiser",
        top(reactions={"promise_made": "due-today"}),
        "promise_made 'due-today' asks for",
    ),
    ("a threat as answer", top(reactions={"promise_broken": "final-warning"}), "speaks of a consequence"),
    ("no steps", top(step=[]), "trial.toml: step is missing"),
    ("steps no tables", top(step="first"), "trial.toml: step is missing"),
    # one step
    ("unknown step key", step(0, mesage="x"), "step first: mesage is unknown: did you mean 'message'?"),
    ("no id", step(2, id=None), "step 3: id is missing"),
    ("a reserved id", step(0, id="due"), "step due: id 'due' cannot be used"),
    ("a number as id", step(0, id=7), "step 1: id must be a text in quotes, not 7"),
    ("the same id twice", step(1, id="first"), "step first: id is used by a step above too"),
    ("no when", step(0, when=None), 'step first: when is missing: write "due + 1 business day at 10:00"'),
    (
        "bad grammar",
        step(0, when="tomorrow, please"),
        "step first: when 'tomorrow, please' is not understood",
    ),
    (
        "unknown anchor",
        step(1, when="frist + 1 day"),
        "'frist', which is not due, issued or a step above: did you mean 'first'?",
    ),
    ("anchor below", step(0, when="second + 1 day"), "step first: when counts from 'second', a step below"),
    ("anchor itself", step(0, when="first + 1 day"), "step first: when counts from itself"),
    ("at night", step(0, when="due + 1 day at 18:00"), "step first: when at 18:00 is outside the window"),
    ("unknown role", step(0, to=["acounts_payable"]), "did you mean 'accounts_payable'?"),
    ("unknown channel", step(0, by=["fax"]), "step first: by 'fax' is unknown: use email or sms or whatsapp or call"),
    ("a channel twice", step(0, by=["email", "email"]), "step first: by names 'email' more than once"),
    ("roles no list", step(0, to="user"), "step first: to must be a list of texts"),
    (
        "unknown message",
        step(0, message="reminder-frist"),
        "message 'reminder-frist' is in no catalogue: did you",
    ),
    (
        "unknown lateness",
        step(0, late="later"),
        "step first: late 'later' is unknown: use send or skip or shift",
    ),
    ("unknown level", step(2, access="closed"), "step restrict: access 'closed' is unknown"),
    ("nobody to tell", step(0, to=None), "step first: to is missing: a contact needs to, by and message"),
    ("no way to tell", step(0, by=None), "step first: by is missing: a contact needs"),
    ("nothing to tell", step(0, message=None), "step first: message is missing: a contact needs"),
    (
        "does nothing",
        add(id="idle", when="restrict + 1 day"),
        "step idle: message is missing, and nothing else",
    ),
    ("two changes at once", step(2, stage="legal"), "step restrict: access and stage on one step"),
    (
        "another stage",
        add(id="x", when="restrict + 1 day", stage="paid"),
        "stage 'paid' is unknown: use legal",
    ),
    (
        "another end",
        add(id="x", when="restrict + 1 day", ends="paid"),
        "ends 'paid' is unknown: use handed_over",
    ),
    (
        "needs in words",
        step(2, needs="some warnings"),
        "step restrict: needs 'some warnings' is not understood",
    ),
    ("needs at once", step(2, needs="2 delivered warnings, 0 days apart"), "is not understood"),
    (
        "needs for nothing",
        step(0, needs="1 delivered warning, 1 day apart"),
        "step first: needs guards nothing",
    ),
    # the order of steps
    (
        "before the step above",
        step(1, when="due + 1 day at 09:00"),
        'step second: when "due + 1 day at 09:00" comes',
    ),
    (
        "issued below due",
        step(1, when="issued + 30 days"),
        "step second: when counts from issued below 'first'",
    ),
    (
        "below the end",
        lambda data: (data["step"].insert(2, {"id": "close", "when": "second + 1 day", "ends": "written_off"}),),
        "step restrict: stands below 'close', which ends the case",
    ),
    (
        "an end that skips",
        add(id="x", when="restrict + 1 day", ends="written_off", late="skip"),
        "step x: late must",
    ),
    # no restriction without proof
    ("proof not asked", step(2, needs=None), 'step restrict: needs is missing: write needs = "2 delivered'),
    (
        "proof too small",
        step(2, needs="1 delivered warning, 3 days apart"),
        "needs only 1 delivered warning, but",
    ),
    ("proof never met", step(2, needs="3 delivered warnings, 3 days apart"), "but only 2 stand above it"),
    (
        "proof too far",
        step(2, needs="2 delivered warnings, 9 days apart"),
        "needs 9 days after the last warning",
    ),
    ("a call is not written", step(0, by=["call"]), "access 'restricted' after 1 written warning past due"),
    (
        "our own people",
        step(0, to=["account_manager"]),
        "access 'restricted' after 1 written warning past due",
    ),
    (
        "a warning before due",
        step(0, when="due at 10:00"),
        "access 'restricted' after 1 written warning past due",
    ),
    ("a warning from issue", step(0, when="issued"), "access 'restricted' after 0 written warnings past due"),
    (
        "thanks are no warning",
        step(0, message="thank-you"),
        "access 'restricted' after 1 written warning past due",
    ),
    ("more warnings wanted", top(warnings_before_restriction=3), "after 2 written warnings past due, but"),
    ("a warning that skips", step(0, late="skip"), 'step first: late must not be "skip": it is a warning'),
    ("a threat that skips", step(1, late="skip"), 'step second: late must not be "skip": it is a warning'),
    (
        "without a word",
        step(2, message=None, to=None, by=None),
        "access 'restricted' without a word about it",
    ),
    ("with another word", step(2, message="reminder-second"), "access 'restricted' without a word about it"),
    # copies, once, approval
    ("a copy to nobody known", top(copies=["boss"]), "trial.toml: copies 'boss' is unknown: use accounts_payable"),
    ("a copy to whom it goes", step(0, copies=["user"]), "step first: copies names 'user', who is in to already"),
    (
        "a copy to our own whom it goes to",
        step(0, to=["accounts_payable", "account_manager"], copies=["account_manager"]),
        "step first: copies names 'account_manager', who is in to already",
    ),
    ("a copy of a call", step(0, by=["call"], copies=["manager"]), "step first: copies has nothing to copy here"),
    (
        "a copy of our own letter",
        step(0, to=["account_manager"], copies=["manager"]),
        "step first: copies has nothing to copy",
    ),
    ("once a year", step(0, once="year"), "step first: once 'year' is unknown: write once = \"customer\""),
    ("a request told once", step(0, once="customer"), "step first: once would leave out a request"),
    ("a consequence told once", step(2, once="customer"), "step restrict: once would leave out a request or a cons"),
    (
        "nothing told once",
        add(id="x", when="restrict + 1 day", access="suspended", once="customer"),
        "step x: once needs a message",
    ),
    ("approval in quotes", step(2, approval="true"), "step restrict: approval must be true or false"),
    ("approval for nothing", step(0, approval=True), "step first: approval guards nothing here"),
    (
        "approval that cannot be waited for",
        step(2, approval=True, late="skip"),
        'step restrict: late must not be "skip" with approval',
    ),
    # interest, fixed sums and fees
    ("another interest", step(1, interest="8.5"), "step second: interest '8.5' is unknown: write interest = \"stat"),
    ("a fee as a number", step(1, fee=5), "step second: fee must be a text in quotes, not 5"),
    ("a fee of nothing", step(1, fee="0.00 EUR"), "step second: fee '0.00 EUR' is not understood: write an amount"),
    ("a fee without a currency", step(1, fee="5.00"), "step second: fee '5.00' is not understood: write an amount"),
    ("a fee without a law", step(1, fee="5.00 EUR"), "step second: fee depends on a country's law: name it at the"),
    ("a country by name", top(jurisdictions=["Germany"]), "jurisdictions 'Germany' is no country code: write two"),
    (
        "asking once without a message",
        top(accessory="ask_once", accessory_floor="5.00"),
        'accessory = "ask_once" needs the message that asks: add accessory_left = "accessory-request"',
    ),
    (
        "asking once for a few cents",
        top(accessory="ask_once", reactions={"accessory_left": "accessory-request"}),
        'accessory = "ask_once" needs accessory_floor',
    ),
    (
        "asking once for what nothing claims",
        top(accessory="ask_once", accessory_floor="5.00", reactions={"accessory_left": "accessory-request"}),
        'accessory = "ask_once" asks for what no step claims',
    ),
    (
        "asking once where the law is not known",
        top(accessory="ask_once", jurisdictions=["AU"]),
        "jurisdictions names 'AU', whose law is not complete, so it claims nothing",
    ),
    (
        "a message about what is left that is never sent",
        top(reactions={"accessory_left": "accessory-request"}),
        'accessory_left is never sent with accessory = "waive"',
    ),
    (
        "another message about what is left",
        top(reactions={"accessory_left": "thank-you"}),
        "accessory_left 'thank-you' does not ask for what is left once the invoice is paid",
    ),
    (
        "a message about what is left at another moment",
        top(reactions={"paid": "accessory-request"}),
        "paid 'accessory-request' asks for what is left once the invoice is paid: only the reaction accessory_left",
    ),
    (
        "a message about what is left in a step",
        step(0, message="accessory-request"),
        "step first: message 'accessory-request' asks for what is left once the invoice is paid",
    ),
    # grace
    (
        "grace without a message that names the day",
        top(grace={"days": 3}),
        "[grace] needs the message that names the day on which the restriction comes back: add grace_granted",
    ),
    (
        "grace with a message that names no day",
        top(grace={"days": 3}, reactions={"grace_granted": "thank-you"}),
        "grace_granted 'thank-you' does not say that the restriction comes back",
    ),
    (
        "a message about grace that is never sent",
        top(reactions={"grace_granted": "grace-confirmed"}),
        "grace_granted is never sent without [grace]",
    ),
    (
        "a message about grace at another moment",
        top(reactions={"paid": "grace-confirmed"}),
        "paid 'grace-confirmed' speaks of a consequence, and a reaction has none",
    ),
    (
        "grace without end",
        top(grace={"days": 60}, reactions={"grace_granted": "grace-confirmed"}),
        "days must be a whole number from 1 to 14, not 60",
    ),
    (
        "grace as often as they like",
        top(grace={"times": 99}, reactions={"grace_granted": "grace-confirmed"}),
        "times must be a whole number from 1 to 5, not 99",
    ),
    ("grace by another word", top(grace={"day": 3}), "day is unknown: did you mean 'days'?"),
    (
        "a manager who never hears",
        top(replies={"manager_after_days": 0}),
        "manager_after_days must be a whole number",
    ),
    ("an accessory rule", top(accessory="chase"), "accessory 'chase' is unknown"),
    ("an accessory floor", top(accessory_floor="-1"), "accessory_floor"),
    ("a pay day", top(pay_days=0), "pay_days must be a whole number from 1 to 30, not 0"),
    ("claimed where nothing is asked", step(2, interest="statutory"), "step restrict: interest belongs on a written"),
    (
        "claimed on the phone",
        add(id="x", when="second + 1 day", to=["user"], by=["call"], message="reminder-first", lump_sum=True),
        "step x: lump_sum belongs on a written step to the customer whose message asks",
    ),
    (
        "claimed on the due date",
        step(0, when="due", interest="statutory"),
        "step first: claims more than the invoice before it is late: count from due, a day or more after it",
    ),
    (
        "noticed on the due date",
        step(0, when="due", interest_notice=True),
        "step first: claims more than the invoice before it is late",
    ),
    (
        "noticed and never claimed",
        step(0, interest_notice=True),
        "step first: interest_notice says that interest acc",
    ),
    (
        "noticed when it is claimed",
        step(1, interest_notice=True, interest="statutory"),
        "step second: interest_notice and interest on one step: what is claimed already needs no notice",
    ),
    # no empty threats
    (
        "announces nothing",
        step(1, announces=None),
        "step second: message 'final-warning' announces a consequence",
    ),
    (
        "not in the message",
        step(1, message="reminder-second"),
        "announces needs a message that says so, and 'rem",
    ),
    (
        "announces air",
        step(1, announces=["restict"]),
        "'restict', which is no step below it: did you mean 'restrict'",
    ),
    (
        "announces the past",
        step(1, announces=["first"]),
        "step second: announces 'first', which is no step below",
    ),
    ("an empty threat", step(2, access="work", message="thank-you", needs=None), "which takes nothing away"),
    (
        "unannounced",
        step(1, announces=None, message="reminder-second"),
        "step restrict: restricted comes unannounced",
    ),
    ("announced by phone", step(1, by=["call"]), "step restrict: restricted comes unannounced"),
    ("announced to us", step(1, to=["account_manager"]), "step restrict: restricted comes unannounced"),
    (
        "handed over unannounced",
        add(id="x", when="restrict + 1 day", ends="handed_over"),
        "step x: handed_over comes",
    ),
    (
        "in court unannounced",
        add(id="x", when="restrict + 1 day", stage="legal"),
        "step x: legal comes unannounced",
    ),
    (
        "says what is not done",
        step(2, access="suspended"),
        "'restricted' says that restricted has happened, but the",
    ),
    ("says what is not so", step(0, message="restricted"), "has happened, but the step changes nothing"),
]


@pytest.mark.parametrize(("edit", "line"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refuses_with_file_step_and_reason(edit: Edit, line: str) -> None:
    lines = refusal(ladder(edit))
    assert all(one.startswith("policies/trial.toml: ") for one in lines)
    assert any(line in one for one in lines), lines


def test_copies_of_the_head_go_with_every_written_step_but_not_to_whom_it_goes() -> None:
    data = ladder(top(copies=["account_manager", "user"]))
    data["step"][1]["copies"] = ["manager"]
    data["step"].insert(1, {"id": "call", "when": "first + 3 days", "to": ["user"], "by": ["call"]})
    data["step"][1]["message"] = "reminder-first"
    policy = parse_policy(data, "policies/trial.toml", MESSAGES)
    ours, user = Role.ACCOUNT_MANAGER, Role.USER
    copies = {one.id: one.copies for one in policy.steps}
    assert copies == {
        "first": (ours,),
        "call": (),
        "second": (Role.MANAGER, ours, user),
        "restrict": (ours,),
    }


def test_a_consequence_waits_for_the_due_date() -> None:
    data = ladder(step(2, when="due at 12:00"))
    data["step"].reverse()
    data["step"][1]["when"], data["step"][2]["when"] = "due + 1 day", "due + 2 days"
    assert any("step restrict: restricted must come after the due date" in line for line in refusal(data))


def test_names_every_fault_of_a_file_at_once() -> None:
    data = ladder(top(gap_days=0, colour="red"))
    data["step"][0]["to"] = ["boss"]
    data["step"][2]["needs"] = "two"
    lines = refusal(data)
    for fault in (
        "gap_days must",
        "colour is unknown",
        "step first: to 'boss'",
        "step restrict: needs 'two'",
    ):
        assert any(fault in line for line in lines), fault


def test_one_fault_gives_one_line() -> None:
    assert len(refusal(ladder(step(0, message="reminder-frist")))) == 1
    assert len(refusal(ladder(step(0, when="soon")))) == 1
    assert len(refusal(ladder(step(0, when="due + 3 weeks")))) == 1


def test_a_floor_leaves_out_what_goes_to_court_and_the_threat_of_it() -> None:
    policy = load("gradual-pressure")
    small, enough = Decimal("99.99"), Decimal("100.00")
    assert [one.id for one in policy.steps if not policy.applies(one, small)] == ["complaint", "hand-over"]
    assert all(policy.applies(one, enough) for one in policy.steps)


@pytest.mark.parametrize("name", sorted(path.stem for path in POLICIES.glob("*.toml")))
def test_a13_below_its_floors_no_shipped_ladder_takes_a_consequence_or_threatens_one(name: str) -> None:
    policy = load(name)
    left = [step for step in policy.steps if policy.applies(step, Decimal("0.51"))]
    assert not any(step.consequence or step.announces for step in left)
    assert any(step.asks for step in left)


def test_a13_a_restriction_has_a_floor_of_its_own() -> None:
    policy = parse_policy(ladder(top(restriction_floor="30.00", tolerance=0)), "policies/trial.toml", MESSAGES)
    assert policy.tolerance == 0
    assert not policy.applies(policy.step("restrict"), Decimal("29.99"))
    assert policy.applies(policy.step("restrict"), Decimal("30.00"))


def test_a_warning_that_a_floor_leaves_out_proves_nothing() -> None:
    data = ladder(top(floor="50"))
    data["step"][0] |= {"message": "formal-complaint", "announces": ["court"]}
    data["step"].append({"id": "court", "when": "restrict + 1 day", "stage": "legal"})
    assert any("after 1 written warning past due" in line for line in refusal(data))


def test_stopping_the_next_milestone_needs_no_warning() -> None:
    data = ladder()
    data["step"].insert(0, {"id": "stop", "when": "due + 1 business day at 09:00", "access": "work"})
    assert parse_policy(data, "policies/trial.toml", MESSAGES).step("stop").access is Level.WORK


def test_a_step_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="policy trial version 3 has no step 'fourth'"):
        parse_policy(ladder(), "policies/trial.toml", MESSAGES).step("fourth")


@pytest.mark.parametrize("name", sorted(path.stem for path in POLICIES.glob("*.toml")))
def test_every_shipped_ladder_is_sound(name: str) -> None:
    policy = load(name)
    assert policy.steps[-1].ends in {Stage.HANDED_OVER, Stage.WRITTEN_OFF}
    assert all(Role.ACCOUNT_MANAGER in one.copies for one in policy.steps if one.copied)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_gentle_saas_warns_payer_and_users_twice_before_it_restricts() -> None:
    policy = load("gentle-saas")
    restrict = policy.step("restrict")
    above = policy.steps[: policy.steps.index(restrict)]
    assert [set(one.to) for one in above if one.warning] == [{Role.ACCOUNTS_PAYABLE, Role.USER}] * 2
    assert set(restrict.to) == {Role.ACCOUNTS_PAYABLE, Role.USER}
    assert Role.ACCOUNT_MANAGER in restrict.copies
    assert restrict.does == "restricted"


def test_gradual_pressure_has_seven_steps_with_calls_at_an_hour() -> None:
    policy = load("gradual-pressure")
    calls = [one for one in policy.steps if one.by == (Channel.CALL,)]
    assert (len(policy.steps), len(calls)) == (7, 4)
    assert all(one.when.at for one in calls)
    assert 20 <= (policy.steps[-1].days_after_due or 0) <= 24


def test_freelance_milestones_stops_work_from_the_start() -> None:
    policy = load("freelance-milestones")
    assert policy.hold is Level.WORK
    assert policy.steps[0].when.anchor == "issued"


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("due + 1 day")
_anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(key=st.sampled_from([*Policy.model_fields, "step"]), value=_anything)
def test_whatever_the_file_says_it_is_read_or_refused(key: str, value: object) -> None:
    data = ladder() | {key: value}
    try:
        parse_policy(data, "policies/trial.toml", MESSAGES)
    except PolicyError as error:
        assert error.problems


@given(position=st.integers(0, 2), key=st.sampled_from(["id", *STEP_KEYS]), value=_anything)
def test_whatever_a_step_says_it_is_read_or_refused(position: int, key: str, value: object) -> None:
    data = ladder()
    data["step"][position][key] = value
    try:
        parse_policy(data, "policies/trial.toml", MESSAGES)
    except PolicyError as error:
        assert error.problems
