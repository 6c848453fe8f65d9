"""What a case waits for, for every kind of thing it can wait for."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.next_action import (
    DATES,
    INSTALMENT_DUE,
    PAUSE_OVER,
    PROMISE_DUE,
    answer_message,
    is_wanted,
    next_action,
)
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Stage
from tests.builders import at, the_ladders
from tests.domain.test_case import PLAN, a_case, pay, tell

BERLIN = BusinessCalendar(ZoneInfo("Europe/Berlin"), holidays={date(2027, 3, 29): "Easter Monday"})
NOW = at("2027-03-10 09:00")  # a Wednesday, 10:00 in Berlin

Change = Callable[[Case], object]


def _done(step: str, when: str = "2027-03-02 09:00", **facts: Any) -> Change:
    return lambda case: case.take(StepOutcome(step=step, status="done", at=at(when), **facts))


def _tell(name: str, **content: Any) -> Change:
    return lambda case: tell(case, name, **content)


def _no_answers(case: Case) -> None:
    case.outstanding.owed.clear()


def _blocked(until: str) -> Change:
    return lambda case: case.take(StepOutcome(step="restrict", status="blocked", at=NOW, until=at(until)))


_PROMISE = _tell("promise_to_pay", date="2027-03-19", promised_by="user")  # a Friday
_DISPUTE = _tell("dispute_opened", reason="price", opened_by="user")
_PAUSE = _tell("pause", reason="holiday", by="agent-7", until="2027-04-01")
_PLAN = _tell("payment_plan_agreed", instalments=[PLAN[0], {"date": "2027-03-29", "amount": "800.00"}], by="a")
_PAID, _WRITES, _REFUSES = (
    _tell("call_outcome", task_id="t", outcome=outcome, by="agent-7")
    for outcome in ("paid", "written_promise_owed", "refused")
)
_REMINDED = _done("first-reminder")


@pytest.mark.parametrize(
    ("changes", "now", "step", "moment"),
    [
        # the ladder: due + 1 business day at 10:00 in Berlin
        pytest.param([], "2027-02-20 12:00", "first-reminder", "2027-03-02 09:00", id="before it is due"),
        pytest.param([], "2027-03-10 09:00", "first-reminder", "2027-03-10 09:00", id="late: at once"),
        pytest.param([], "2027-03-13 12:00", "first-reminder", "2027-03-15 08:00", id="late on a Saturday: Monday"),
        pytest.param([_REMINDED], "2027-03-10 09:00", "second-reminder", "2027-03-16 09:00", id="two weeks later"),
        # answers come before everything but a pause, and wait for an open hour only
        pytest.param(
            [_REMINDED, _PROMISE], "2027-03-10 09:00", "promise-confirmed~1", "2027-03-10 09:00", id="answer"
        ),
        pytest.param(
            [_REMINDED, _PROMISE], "2027-03-10 20:00", "promise-confirmed~1", "2027-03-11 08:00", id="answer at night"
        ),
        pytest.param([_REMINDED, _PROMISE, _PAUSE], "2027-03-10 09:00", PAUSE_OVER, "2027-03-31 22:00", id="paused"),
        pytest.param(
            [_REMINDED, lambda case: pay(case, "1200.00")],
            "2027-03-10 09:00",
            "thank-you~1",
            "2027-03-10 09:00",
            id="paid: thanks",
        ),
        # agreed days: the end of the grace day after a business day, at the debtor's midnight
        pytest.param(
            [_PROMISE, _no_answers],
            "2027-03-10 09:00",
            PROMISE_DUE,
            "2027-03-22 23:00",
            id="a promise, 1 day of grace",
        ),
        pytest.param(
            [_PLAN, _no_answers],
            "2027-03-10 09:00",
            INSTALMENT_DUE,
            "2027-03-23 23:00",
            id="first instalment, on a Saturday",
        ),
        pytest.param(
            [
                _PLAN,
                lambda case: pay(case, "400.00"),
                _no_answers,
            ],
            "2027-03-10 09:00",
            INSTALMENT_DUE,
            "2027-03-31 22:00",
            id="second instalment, on Easter Monday",
        ),
        pytest.param(
            [
                _PROMISE,
                lambda case: case.take(
                    StepOutcome(step="promise-confirmed~1", status="delayed", at=NOW, until=at("2027-03-23 09:00"))
                ),
            ],
            "2027-03-10 09:00",
            PROMISE_DUE,
            "2027-03-22 23:00",
            id="an answer that waits longer than the promise",
        ),
        # announced in a talk on Wednesday: two business days for the money, one for a date in writing
        pytest.param(
            [_REMINDED, _PAID], "2027-03-10 09:00", "@payment-wait", "2027-03-12 23:00", id="money on its way"
        ),
        pytest.param(
            [_REMINDED, _WRITES], "2027-03-10 09:00", "@written-promise", "2027-03-11 23:00", id="a date in writing"
        ),
        pytest.param(
            [_REMINDED, _WRITES, lambda case: case.wait_over(at("2027-03-11 23:00"))],
            "2027-03-11 23:00",
            "second-reminder",
            "2027-03-12 08:00",
            id="no date came: at once",
        ),
        pytest.param(
            [_REMINDED, _PAID, lambda case: case.wait_over(at("2027-03-12 23:00"))],
            "2027-03-12 23:00",
            "second-reminder",
            "2027-03-19 09:00",  # two and a half days of rest are three
            id="no money came: where it stood",
        ),
        pytest.param(
            [_REMINDED, _REFUSES], "2027-03-10 09:00", "second-reminder", "2027-03-10 09:00", id="refused: at once"
        ),
        pytest.param(
            [_done("first-reminder", "2027-03-10 08:30"), _REFUSES],
            "2027-03-10 09:00",
            "second-reminder",
            "2027-03-11 08:30",
            id="refused: after the gap",
        ),
        pytest.param([_REFUSES], "2027-02-24 09:00", "first-reminder", "2027-03-02 08:00", id="refused before due"),
        pytest.param(
            [_REMINDED, _done("second-reminder", "2027-03-09 09:00"), _REFUSES],
            "2027-03-10 09:00",
            "restrict",
            "2027-03-15 09:00",
            id="refused: the consequence keeps its day",
        ),
        # a message that bounced goes before the ladder, not before an agreed day
        pytest.param(
            [_REMINDED, lambda case: case.reach_further("first-reminder")],
            "2027-03-10 09:00",
            "first-reminder",
            "2027-03-10 09:00",
            id="reach further",
        ),
        pytest.param(
            [_REMINDED, lambda case: case.reach_further("first-reminder"), _PROMISE, _no_answers],
            "2027-03-10 09:00",
            PROMISE_DUE,
            "2027-03-22 23:00",
            id="a promise spares the second try",
        ),
        # held back
        pytest.param(
            [_REMINDED, _done("second-reminder", "2027-03-16 09:00"), _blocked("2027-03-29 09:00")],
            "2027-03-22 09:00",
            "restrict",
            "2027-03-30 07:00",  # the 29th is Easter Monday, and summer time has begun
            id="blocked",
        ),
        pytest.param(
            [_REMINDED, lambda case: pay(case, "100.00"), _done("part-received~1", "2027-03-16 08:30")],
            "2027-03-16 08:45",
            "second-reminder",
            "2027-03-17 08:30",
            id="a day after an answer",
        ),
        # a part in dispute does not stop the ladder
        pytest.param(
            [_tell("dispute_opened", reason="r", opened_by="u", amount="500.00"), _no_answers],
            "2027-02-20 12:00",
            "first-reminder",
            "2027-03-02 09:00",
            id="partly disputed",
        ),
    ],
)
def test_what_comes_next(changes: list[Change], now: str, step: str, moment: str) -> None:
    case = a_case()
    for change in changes:
        change(case)
    action = next_action(case, the_ladders()["gentle-saas"], BERLIN, at(now))
    assert action is not None
    assert (action.step, action.at) == (step, at(moment))
    assert action.why


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([_DISPUTE, _no_answers], id="all disputed: a person decides"),
        pytest.param([_tell("pause", reason="r", by="a")], id="paused without an end"),
        pytest.param([_tell("write_off", reason="r", by="a")], id="written off"),
        pytest.param([_PAUSE, _tell("cancel", reason="r", by="a")], id="cancelled while paused"),
        pytest.param([_done("hand-over", ends=Stage.HANDED_OVER)], id="handed over"),
        pytest.param([lambda case: pay(case, "1200.00")], id="paid before anybody was asked"),
        pytest.param(
            [_done(step.id) for step in the_ladders()["gentle-saas"].steps], id="the ladder has come to its end"
        ),
    ],
)
def test_a_case_that_waits_for_nothing(changes: list[Change]) -> None:
    case = a_case()
    for change in changes:
        change(case)
    assert next_action(case, the_ladders()["gentle-saas"], BERLIN, NOW) is None


@pytest.mark.parametrize("step", ["@answer~17", "promise-confirmed~1"])
def test_why_an_answer_comes_next_says_more_than_its_name(step: str) -> None:
    case = a_case()
    case.outstanding.owed.append(step)
    action = next_action(case, the_ladders()["gentle-saas"], BERLIN, NOW)
    assert action is not None and action.step == step
    assert action.name not in action.why


def _with_reminders(case: Case) -> None:
    reactions = case.rules.reactions.model_copy(
        update={"promise_due": "promise-due", "instalment_due": "instalment-due"}
    )
    case.rules = case.rules.model_copy(update={"reactions": reactions})


_EVE = ("promise-due~2027-03-19", "2027-03-18 08:00")
_PROMISE_OVER = (PROMISE_DUE, "2027-03-22 23:00")


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        pytest.param([_PROMISE], "2027-03-10 09:00", _EVE, id="the morning before"),
        pytest.param(
            [_PROMISE], "2027-03-18 12:00", ("promise-due~2027-03-19", "2027-03-18 12:00"), id="late, same day"
        ),
        pytest.param([_PROMISE], "2027-03-18 16:30", _PROMISE_OVER, id="closed for the day: too late"),
        pytest.param([_PROMISE], "2027-03-19 09:00", _PROMISE_OVER, id="an outage over the eve: too late"),
        pytest.param([_PROMISE, _done("promise-due~2027-03-19")], "2027-03-18 12:00", _PROMISE_OVER, id="only once"),
        pytest.param(
            [_tell("promise_to_pay", date="2027-03-11", promised_by="user")],
            "2027-03-10 09:00",
            (PROMISE_DUE, "2027-03-12 23:00"),
            id="promised for tomorrow: said a moment ago",
        ),
        pytest.param([_PLAN], "2027-03-10 09:00", ("instalment-due~2027-03-20", "2027-03-19 08:00"), id="first part"),
        pytest.param(
            [_PLAN, lambda case: pay(case, "400.00")],
            "2027-03-24 09:00",
            ("instalment-due~2027-03-29", "2027-03-26 08:00"),
            id="second part, on Easter Monday: the Friday before",
        ),
        pytest.param([_PROMISE, _PAUSE], "2027-03-10 09:00", (PAUSE_OVER, "2027-03-31 22:00"), id="paused: silent"),
    ],
)
def test_a_friendly_word_on_the_eve_of_an_agreed_day(
    changes: list[Change], now: str, expected: tuple[str, str]
) -> None:
    case = a_case()
    for change in (_with_reminders, *changes, _no_answers):
        change(case)
    action = next_action(case, the_ladders()["gentle-saas"], BERLIN, at(now))
    assert action is not None
    assert (action.step, action.at) == (expected[0], at(expected[1]))


@pytest.mark.parametrize(
    ("changes", "step", "asks", "wanted"),
    [
        pytest.param([], "first-reminder", True, True, id="a step of the ladder"),
        pytest.param([], "first-reminder", False, True, id="a step that asks for nothing"),
        pytest.param([_PROMISE], "first-reminder", False, False, id="promised: the ladder rests"),
        pytest.param([_PROMISE], "promise-confirmed~1", False, True, id="an answer"),
        pytest.param([_PROMISE], "promise-due~2027-03-19", True, True, id="the reminder of this promise"),
        pytest.param([_PROMISE], "promise-due~2027-03-18", True, False, id="of another one"),
        pytest.param([_PROMISE, _PAUSE], "promise-due~2027-03-19", True, False, id="paused since"),
        pytest.param([_PROMISE, _DISPUTE], "promise-due~2027-03-19", True, False, id="disputed since"),
        pytest.param(
            [_PROMISE, lambda case: pay(case, "1200.00")], "promise-due~2027-03-19", True, False, id="paid since"
        ),
        pytest.param([lambda case: pay(case, "1200.00")], "thank-you~1", False, True, id="thanks"),
        pytest.param([lambda case: pay(case, "1200.00")], "promise-broken~1", True, False, id="asks after payment"),
    ],
)
def test_what_may_still_leave(changes: list[Change], step: str, asks: bool, wanted: bool) -> None:
    case = a_case()
    for change in (_with_reminders, *changes):
        change(case)
    assert is_wanted(case, step, asks=asks) is wanted


def test_reaching_further_rests_after_trouble_like_every_step() -> None:
    """Otherwise it would be tried again at once, for ever."""
    case = a_case()
    _REMINDED(case)
    case.reach_further("first-reminder")
    case.outstanding.blocked_until = at("2027-03-10 10:00")
    action = next_action(case, the_ladders()["gentle-saas"], BERLIN, NOW)
    assert action is not None
    assert (action.step, action.at) == ("first-reminder", at("2027-03-10 10:00"))


def test_a_broken_promise_brings_the_next_letter_at_once_but_no_consequence() -> None:
    policy, case = the_ladders()["gentle-saas"], a_case()
    _REMINDED(case)
    for change in (_PROMISE, _no_answers):
        change(case)
    broken = at("2027-03-13 09:00")
    case.promise_due(broken)
    _no_answers(case)
    letter = next_action(case, policy, BERLIN, broken)
    assert letter is not None
    assert (letter.step, letter.at) == ("second-reminder", at("2027-03-15 08:00"))  # the next open hour
    _done("second-reminder", "2027-03-15 08:00")(case)
    consequence = next_action(case, policy, BERLIN, letter.at)
    assert consequence is not None
    assert consequence.at - letter.at > timedelta(days=3)


def test_a_refusal_in_the_next_round_hurries_no_letter_into_the_gap_after_the_last_round() -> None:
    case, policy = a_case(), the_ladders()["gentle-saas"].model_copy(update={"gap_days": 4})
    for change in (
        _done("first-reminder", "2027-03-10 09:00"),
        _tell("invoice_amended", due_on="2027-03-11", by="b"),
    ):
        change(case)
    _REFUSES(case)
    action = next_action(case, policy, BERLIN, at("2027-03-10 10:00"))
    assert action is not None
    assert (case.progress.round, action.step, action.at) == (2, "first-reminder", at("2027-03-15 08:00"))


@pytest.mark.parametrize("now", [NOW, at("2027-03-13 03:00"), at("2027-03-29 10:00")])
def test_no_message_is_planned_into_a_closed_hour(now: datetime) -> None:
    for change in (_PROMISE, _REMINDED, lambda case: case.reach_further("first-reminder")):
        case = a_case()
        change(case)
        action = next_action(case, the_ladders()["gentle-saas"], BERLIN, now)
        assert action is not None
        assert action.step in DATES or (BERLIN.is_open(action.at) and action.at >= now)


def test_a_broken_promise_is_not_confirmed_any_more() -> None:
    """The confirmation waited until the promise was over; now only the broken word is spoken of."""
    case = a_case()
    for change in (_REMINDED, _PROMISE):
        change(case)
    case.promise_due(at("2027-03-22 23:00"))
    assert [answer_message(step) for step in case.outstanding.owed] == ["promise-broken"]


@pytest.mark.parametrize(
    ("step", "message"), [("thank-you~1", "thank-you"), ("first-reminder", None), (PROMISE_DUE, None)]
)
def test_an_answers_step_names_its_message(step: str, message: str | None) -> None:
    assert answer_message(step) == message
