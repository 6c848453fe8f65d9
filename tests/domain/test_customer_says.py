"""What the customer says: replies that wait for a person, announced payments, requested calls, and grace."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain import grace
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.next_action import (
    CALL_OVER,
    PAUSE_OVER,
    PAYMENT_WAIT_OVER,
    PROMISE_DUE,
    REPLY_DUE,
    is_wanted,
    next_action,
)
from dunwell.domain.policy import GraceRules, PromiseRules, Rules
from dunwell.domain.questions import open_questions
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Level, Stage
from tests.builders import at, the_ladders
from tests.domain.test_case import EVENTS, NOW, REACTIONS, STANDINGS, a_case, answered, done, pay, tell
from tests.domain.test_next_action import BERLIN

GENTLE = the_ladders()["gentle-saas"]


def reply(case: Case, reply_id: str = "r0", when: str = "2027-03-10T09:00:00Z") -> list[str]:
    return tell(case, "reply_received", reply_id=reply_id, channel="email", at=when)


def handle(case: Case, reply_id: str = "r0", *, days: int = 0, **more: Any) -> list[str]:
    return tell(case, "reply_handled", days=days, reply_id=reply_id, by="agent-7", **more)


def coming(case: Case, now: datetime = NOW, calendar: BusinessCalendar = BERLIN) -> tuple[str, datetime] | None:
    action = next_action(case, GENTLE, calendar, now)
    return (action.step, action.at) if action else None


# Replies -------------------------------------------------------------------------------------------------


def test_a_case_rests_until_every_reply_is_handled() -> None:
    case = STANDINGS["chasing"]()
    assert reply(case) == ["reply"]
    assert reply(case, "r1") == ["reply"]
    assert (case.stage, case.resting, case.rests_because) == (Stage.PAUSED, True, "a reply waits for a person")
    assert handle(case) == ["reply_handled"]
    assert case.resting
    assert handle(case, "r1") == ["reply_handled"]
    assert (case.stage, case.resting) == (Stage.CHASING, False)


def test_a_reply_is_known_once_and_handled_once() -> None:
    case = STANDINGS["replied"]()
    assert reply(case) == []
    handle(case)
    before = case.model_dump()
    assert handle(case) == []
    assert reply(case) == []  # told again late: it stays handled
    assert case.model_dump() == before


def test_neither_ends_the_rest_of_the_other() -> None:
    case = STANDINGS["paused"]()
    reply(case)
    assert case.rests_because == "the case is paused"
    tell(case, "resume", by="agent-7")
    assert (case.stage, case.rests_because) == (Stage.PAUSED, "a reply waits for a person")
    tell(case, "pause", reason="holiday", by="agent-7")
    handle(case)
    assert (case.stage, len(case.agreements.pauses)) == (Stage.PAUSED, 1)


def test_money_counts_and_ends_the_case_while_a_reply_waits() -> None:
    case = STANDINGS["replied"]()
    assert pay(case, "1000.00") == ["payment", "ended"]
    assert (case.stage, answered(case)) == (Stage.PAID, ["thank-you"])
    assert handle(case) == ["reply_handled"]


def test_the_rest_moves_the_ladder_and_a_reminder_keeps_its_gap_from_it() -> None:
    case = STANDINGS["replied"]()
    handle(case, days=5)
    assert case.progress.shift == 5 * 86_400
    assert case.outstanding.last_answer_at == NOW + timedelta(days=5)


@pytest.mark.parametrize("standing", ["chasing", "promised", "plan", "disputed", "lifted"])
def test_nothing_is_wanted_while_a_reply_waits(standing: str) -> None:
    case = STANDINGS[standing]()
    reply(case)
    reply(case, "r1")
    assert not is_wanted(case, "second-reminder", asks=True)
    assert not is_wanted(case, grace.GRACE_OVER, asks=True)
    handle(case, answer="a1")
    assert coming(case) == (REPLY_DUE, at("2027-03-12 09:00"))
    handle(case, "r1")
    assert coming(case) == ("@answer~a1", NOW)


def test_a_person_s_answer_outlives_a_payment_that_the_bank_takes_back() -> None:
    """Paid, answered, reopened before the answer left."""
    case = STANDINGS["chasing"]()
    reply(case)
    pay(case, "1200.00", "p9")
    handle(case, answer="a1")
    assert case.outstanding.owed[0] == "@answer~a1"
    assert "reopened" in tell(case, "payment_reversed", payment_id="p9", reason="returned")
    assert case.outstanding.owed == ["@answer~a1"]


def test_a_person_s_answer_outlives_a_dispute_that_ends_the_case() -> None:
    case = STANDINGS["chasing"]()
    tell(case, "dispute_opened", reason="price", opened_by="agent-7")
    reply(case)
    handle(case, answer="a1")
    tell(case, "dispute_resolved", outcome="upheld", by="agent-7")
    assert case.ended is not None
    assert case.outstanding.owed[0] == "@answer~a1"


def test_an_answer_leaves_before_all_else_in_a_pause_too() -> None:
    case = STANDINGS["promised"]()
    reply(case)
    reply(case, "r1")
    handle(case, answer="a1")
    handle(case, "r1", answer="a2")
    tell(case, "pause", reason="holiday", by="a", until="2027-04-01")
    assert case.outstanding.owed == ["@answer~a1", "@answer~a2", "promise-confirmed~1"]
    assert coming(case) == ("@answer~a1", NOW)
    done(case, "@answer~a1")
    assert coming(case) == ("@answer~a2", NOW)
    done(case, "@answer~a2")
    assert coming(case) == (PAUSE_OVER, at("2027-03-31 22:00"))


@pytest.mark.parametrize(
    ("received", "first", "second"),
    [
        # two business days, by the hour; then each week
        ("2027-03-10T09:00:00Z", "2027-03-12 09:00", "2027-03-19 09:00"),
        ("2027-03-05T12:00:00Z", "2027-03-09 12:00", "2027-03-16 12:00"),  # over a week-end
        ("2027-03-09T22:30:00Z", "2027-03-12 08:00", "2027-03-19 08:00"),  # at night: when the office opens
    ],
)
def test_when_a_manager_hears_of_it(received: str, first: str, second: str) -> None:
    case = STANDINGS["chasing"]()
    reply(case, when=received)
    assert coming(case, NOW) == (REPLY_DUE, at(first))
    assert open_questions(case, GENTLE, BERLIN) == []
    assert [said.kind for said in case.reply_due(at(first))] == ["escalated"]
    (question,) = open_questions(case, GENTLE, BERLIN)
    assert (question.task_id, question.escalated_at) == ("r0.reply", at(first))
    assert coming(case, at(first)) == (REPLY_DUE, at(second))
    handle(case, days=3)
    assert open_questions(case, GENTLE, BERLIN) == []


def test_a_pause_that_ends_first_ends_while_a_reply_waits() -> None:
    case = STANDINGS["replied"]()
    tell(case, "pause", reason="holiday", by="a", until="2027-03-11")
    assert coming(case) == (PAUSE_OVER, at("2027-03-10 23:00"))


@pytest.mark.parametrize(
    ("handled_after", "judged"),
    [
        # promised for Monday the 15th, judged at the end of Tuesday
        (2, "2027-03-16 23:00"),  # it was handled in time
        (6, "2027-03-16 23:00"),
        (8, "2027-03-19 23:00"),  # the day passed while their question lay here
    ],
)
def test_a_day_that_passes_while_a_reply_waits_is_judged_a_business_day_after(
    handled_after: int, judged: str
) -> None:
    case = STANDINGS["promised"]()
    case.outstanding.owed.clear()
    reply(case)
    handle(case, days=handled_after)
    assert coming(case, NOW + timedelta(days=handled_after)) == (PROMISE_DUE, at(judged))


# Announced payments ---------------------------------------------------------------------------------------


def test_an_announced_payment_is_waited_for_as_one_told_in_a_call() -> None:
    case, called = STANDINGS["chasing"](), STANDINGS["chasing"]()
    assert tell(case, "payment_announced", by="link of acme.user.1", amount="900.00") == ["announced", "awaited"]
    tell(called, "call_outcome", task_id="t", outcome="paid", by="a")
    assert coming(case) == coming(called) == (PAYMENT_WAIT_OVER, at("2027-03-12 23:00"))


def test_it_is_waited_for_as_often_as_a_promise_would_be_and_not_longer_by_saying_it_twice() -> None:
    case = STANDINGS["chasing"]()
    says: dict[str, Any] = {"by": "user", "paid_on": "2027-03-09"}
    assert tell(case, "payment_announced", **says) == ["announced", "awaited"]
    assert tell(case, "payment_announced", days=1, **says) == ["announced"]
    assert case.agreements.awaited is not None
    assert case.agreements.awaited.since == NOW
    case.wait_over(NOW + timedelta(days=3))
    assert tell(case, "payment_announced", days=4, **says) == ["announced", "awaited"]
    case.wait_over(NOW + timedelta(days=7))
    assert tell(case, "payment_announced", days=8, **says) == ["announced", "call"]
    assert not case.resting


def test_what_is_agreed_goes_before_what_is_announced() -> None:
    case = STANDINGS["promised"]()
    assert tell(case, "payment_announced", by="user") == ["announced"]
    assert (case.stage, case.agreements.awaited) == (Stage.PROMISED, None)


def test_it_is_waited_for_when_it_stands_in_a_reply() -> None:
    case = STANDINGS["replied"]()
    tell(case, "payment_announced", by="accounts_payable")
    handle(case)
    assert (case.stage, case.rests_because) == (Stage.CHASING, "chasing waits for the payment they announced")


# Requested calls --------------------------------------------------------------------------------------------


def test_chasing_waits_for_the_call_until_its_day_is_over() -> None:
    case = STANDINGS["chasing"]()
    assert tell(case, "call_requested", by="user", at="2027-03-12T10:00:00Z") == ["call", "awaited"]
    assert coming(case) == (CALL_OVER, at("2027-03-12 23:00"))
    assert [said.kind for said in case.call_over(NOW + timedelta(days=2))] == ["call_missing"]
    assert (case.resting, case.progress.shift) == (False, 2 * 86_400)


def test_the_hour_of_a_call_is_said_in_utc_whatever_its_offset() -> None:
    case = STANDINGS["chasing"]()
    wanted = parse_event("call_requested", [{"by": "user", "at": "2027-03-12T10:00:00+14:00"}])
    (said, _) = case.apply(wanted, NOW)
    assert said.reason == "user asks to be called at 2027-03-11 20:00 UTC"


@pytest.mark.parametrize(
    ("outcome", "more", "waits"),
    [
        ("reached", {}, False),
        ("done", {}, False),
        ("refused", {}, False),
        ("no_answer", {}, True),  # another attempt comes
        ("call_back", {"call_back_at": "2027-03-15T10:00:00Z"}, True),
        ("promise", {"promise": {"date": "2027-03-15"}}, False),
    ],
)
def test_the_outcome_of_the_call_ends_the_wait(outcome: str, more: dict[str, Any], waits: bool) -> None:
    case = STANDINGS["calling"]()
    tell(case, "call_outcome", task_id="another", outcome="reached", by="agent-7")
    assert case.agreements.call is not None
    tell(case, "call_outcome", task_id=case.agreements.call.task, outcome=outcome, by="agent-7", **more)
    assert (case.agreements.call is not None) == waits
    if outcome == "call_back":
        assert coming(case) == (CALL_OVER, at("2027-03-15 23:00"))


def test_the_same_request_again_changes_nothing_and_another_hour_moves_the_call() -> None:
    case = STANDINGS["calling"]()
    before = case.model_dump()
    assert tell(case, "call_requested", by="agent-7") == []
    assert case.model_dump() == before
    tell(case, "call_requested", by="agent-7", at="2027-03-11T10:00:00Z")
    assert case.agreements.call is not None
    assert (case.agreements.calls_requested, case.agreements.call.task) == (1, "inv-1.call-asked.1")


def test_calls_are_waited_for_as_often_as_a_promise_would_be() -> None:
    case = STANDINGS["chasing"]()
    for day in (0, 2):
        tell(case, "call_requested", days=day, by="user")
        case.call_over(NOW + timedelta(days=day + 1))
    assert tell(case, "call_requested", days=4, by="user") == ["call", "call"]
    assert not case.resting


# Grace --------------------------------------------------------------------------------------------------------


def grant(case: Case, until: str = "2027-03-12", *, days: int = 0) -> list[str]:
    return tell(case, "grace_granted", days=days, until=until, by="restriction page")


def returned(case: Case, when: datetime) -> list[str]:
    outcome = StepOutcome(step=grace.GRACE_OVER, status="done", at=when, threat=True, returned="restrict")
    return [said.kind for said in case.take(outcome)]


def test_grace_lifts_the_restriction_and_the_ladder_rests() -> None:
    case = STANDINGS["restricted"]()
    assert grace.latest_day(case, NOW) == date(2027, 3, 13)
    assert grant(case) == ["grace"]
    assert (case.own_holds, case.reduces_access, case.resting, answered(case)) == (
        [],
        False,
        True,
        ["grace-confirmed"],
    )
    assert grace.latest_day(case, NOW) is None
    assert grant(case) == []  # a double click


def test_it_returns_on_its_day_and_never_before_that_was_named() -> None:
    case = STANDINGS["restricted"]()
    grant(case)
    assert coming(case) == ("grace-confirmed~1", NOW)
    done(case, "grace-confirmed~1")
    assert coming(case) == (grace.GRACE_OVER, at("2027-03-12 08:00"))
    assert returned(case, at("2027-03-12 08:00")) == ["grace"]
    assert case.progress.returned == {"restrict": 1}
    assert not case.resting


@pytest.mark.parametrize(
    ("until", "confirmed_at", "returns"),
    [
        ("2027-03-12", "2027-03-10 09:00", "2027-03-12"),
        ("2027-03-13", "2027-03-10 09:00", "2027-03-15"),  # a Saturday: nobody is restricted before Monday
        ("2027-03-11", "2027-03-11 09:00", "2027-03-12"),  # confirmed late: a business day to act on it
        ("2027-03-11", "2027-03-12 15:00", "2027-03-15"),
    ],
)
def test_the_day_that_is_named_is_the_day_on_which_it_returns(until: str, confirmed_at: str, returns: str) -> None:
    case = STANDINGS["restricted"]()
    grant(case, until)
    running = case.agreements.grace
    assert running is not None
    assert grace.returns_on(running, BERLIN, at(confirmed_at)).isoformat() == returns
    case.take(StepOutcome(step="grace-confirmed~1", status="done", at=at(confirmed_at)))
    action = next_action(case, GENTLE, BERLIN, at(confirmed_at))
    assert action is not None
    assert (action.step, action.at.date().isoformat()) == (grace.GRACE_OVER, returns)


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("promise", PROMISE_DUE),
        ("dispute", None),
        ("announced", PAYMENT_WAIT_OVER),
        ("reply", REPLY_DUE),
        ("pause", PAUSE_OVER),
    ],
)
def test_it_does_not_return_while_something_else_keeps_the_ladder_at_rest(event: str, step: str | None) -> None:
    case = STANDINGS["lifted"]()
    name, content = EVENTS[event]
    tell(case, name, **content)
    case.outstanding.owed.clear()
    action = next_action(case, GENTLE, BERLIN, NOW + timedelta(days=30))
    assert (action and action.step) == step
    assert not is_wanted(case, grace.GRACE_OVER, asks=True)


def test_after_another_rest_there_is_a_business_day_before_it_returns() -> None:
    case = STANDINGS["lifted"]()
    done(case, "grace-confirmed~1")
    tell(case, "dispute_opened", reason="price", opened_by="user")
    tell(case, "dispute_resolved", days=8, outcome="rejected", by="a")  # Thursday the 18th
    case.outstanding.owed.clear()
    assert coming(case, NOW + timedelta(days=8)) == (grace.GRACE_OVER, at("2027-03-19 08:00"))


@pytest.mark.parametrize("event", ["paid_in_full", "shrunk", "cancel", "write_off"])
def test_an_end_ends_grace_for_good(event: str) -> None:
    case = STANDINGS["lifted"]()
    name, content = EVENTS[event]
    tell(case, name, **content)
    assert case.agreements.grace is None
    assert returned(case, NOW) == []  # the step was on its way
    assert (case.ended is not None, case.progress.returned) == (True, {})


def test_a_later_due_date_ends_grace_and_needs_other_warnings() -> None:
    case = STANDINGS["lifted"]()
    tell(case, "invoice_amended", due_on="2027-04-15", by="billing")
    assert (case.agreements.grace, case.progress.round, case.progress.consequences) == (None, 2, [])


def test_a_declined_return_is_announced_again_before_it_comes() -> None:
    case = STANDINGS["lifted"]()
    case.progress.announced["restrict"] = "first-reminder"
    case.take(StepOutcome(step=grace.GRACE_OVER, status="failed", at=NOW, until=NOW, why="its policy is missing"))
    tell(case, "call_outcome", task_id=case.stuck_task(grace.GRACE_OVER), outcome="declined", by="manager-1")
    assert case.agreements.grace is None
    assert set(case.progress.redo) == {"first-reminder", "restrict"}


def test_a_return_that_is_left_out_is_announced_again_before_it_comes() -> None:
    case = STANDINGS["lifted"]()
    case.progress.announced["restrict"] = "first-reminder"
    (said,) = case.take(StepOutcome(step=grace.GRACE_OVER, status="skipped", at=NOW + timedelta(days=2)))
    assert "too little is open" in said.reason
    assert (case.agreements.grace, case.resting, case.progress.returned) == (None, False, {})
    assert set(case.progress.redo) == {"first-reminder", "restrict"}


@pytest.mark.parametrize(
    ("rules", "holds", "until", "field"),
    [
        (GraceRules(), [Level.RESTRICTED], "2027-03-12", "grace"),  # the policy grants none
        (GraceRules(days=3, times=1), [], "2027-03-12", "stage"),
        (GraceRules(days=3, times=1), [Level.WORK], "2027-03-12", "stage"),  # no access is reduced
        (GraceRules(days=3, times=1), [Level.SUSPENDED], "2027-03-14", "until"),
        (GraceRules(days=3, times=1), [Level.SUSPENDED], "2027-03-10", "until"),
    ],
)
def test_what_grace_is_refused_for(rules: GraceRules, holds: list[Level], until: str, field: str) -> None:
    case = a_case(rules=Rules(promises=PromiseRules(), reactions=REACTIONS, grace=rules), holds=holds)
    with pytest.raises(Refused) as refused:
        grant(case, until)
    assert refused.value.field == field


def test_grace_is_granted_as_often_as_the_policy_says() -> None:
    case = STANDINGS["lifted"]()
    returned(case, NOW + timedelta(days=2))
    with pytest.raises(Refused, match="this would be grace 2; the policy grants 1"):
        grant(case, "2027-03-14", days=3)
