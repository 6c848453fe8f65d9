"""A booking that a person undoes leaves the case as if that payment had never been counted."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.checkpoint import Sent
from dunwell.domain.events import parse_event
from dunwell.domain.payments import COUNTED_TWICE, WRONGLY_MATCHED
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import PromiseState, Stage
from tests.domain.test_case import NOW, a_case, answered, done, pay, tell

HALVES = [{"date": day, "amount": "600.00"} for day in ("2027-03-12", "2027-03-20")]


def undo(
    case: Case, payment_id: str = "p1", reason: str = WRONGLY_MATCHED, *, days: int = 0, **more: Any
) -> list[str]:
    return tell(case, "payment_reversed", days=days, payment_id=payment_id, reason=reason, **more)


def promise(case: Case, amount: str | None = None, date: str = "2027-03-17") -> None:
    tell(case, "promise_to_pay", date=date, amount=amount, promised_by="user")


def dispute(case: Case, amount: str | None = None) -> None:
    tell(case, "dispute_opened", reason="quality", opened_by="user", amount=amount, ref="n1")


def plan(case: Case) -> None:
    tell(case, "payment_plan_agreed", instalments=HALVES, by="a")


def thank(case: Case, message: str = "thank-you") -> None:
    """The last answer that is owed leaves, and it is this message."""
    step = case.outstanding.owed[-1]
    assert step.startswith(f"{message}~")
    carried = {"inv-1": step}
    sent = Sent(message_id=step, contact_id="c", channel=Channel.EMAIL, message=message, at=NOW, carried=carried)
    case.messages.append(sent)
    done(case, step)


def agreed(case: Case) -> dict[str, Any]:
    """What is agreed and waited for, and how much is paid."""
    said = case.agreements
    past = [(one.since, one.amount) for one in said.past_disputes]
    kept = ("promises", "dispute", "plan", "pause", "call", "awaited", "announced_payment", "missed")
    known = said.model_dump(mode="json", include=set(kept))
    if known["dispute"] is not None:
        del known["dispute"]["rest_paid"]  # it is about holds; those that the booking released do not come back
    return known | {"past": past, "paid": case.money.paid, "stage": case.stage, "asked": case.asked}


def _paused(case: Case) -> None:
    tell(case, "pause", reason="holiday", by="a", until="2027-03-30")


def _announced(case: Case) -> None:
    tell(case, "payment_announced", by="user")


def _called(case: Case) -> None:
    tell(case, "call_requested", by="user")


AGREED: dict[str, Callable[[Case], None]] = {
    "nothing": lambda case: None,
    "a dispute of all": dispute,
    "a dispute of a part": lambda case: dispute(case, "300.00"),
    "a promise of all": promise,
    "a promise of a part": lambda case: promise(case, "500.00"),
    "a plan": plan,
    "a pause": _paused,
    "an announced payment": _announced,
    "a call that they asked for": _called,
}


@pytest.mark.parametrize("reason", [WRONGLY_MATCHED, COUNTED_TWICE])
@pytest.mark.parametrize("amount", ["1.00", "500.00", "600.00", "900.00", "1200.00", "1300.00"])
@pytest.mark.parametrize("agree", AGREED.values(), ids=AGREED)
def test_what_the_payment_ended_stands_again(agree: Callable[[Case], None], amount: str, reason: str) -> None:
    case = a_case()
    done(case, "first-reminder")
    agree(case)
    before = agreed(case)
    pay(case, amount)
    undo(case, reason=reason)
    assert agreed(case) == before


@pytest.mark.parametrize("reason", ["returned", "chargeback"])
def test_what_a_payment_ended_that_the_bank_takes_back_stays_ended(reason: str) -> None:
    case = a_case()
    dispute(case, "300.00")
    promise(case, "500.00")
    pay(case, "1200.00")
    undo(case, reason=reason)
    assert (case.stage, case.agreements.dispute) == (Stage.SCHEDULED, None)
    assert case.agreements.promises[0].state is PromiseState.KEPT
    assert len(case.agreements.past_disputes) == 1


def test_the_dispute_is_the_same_and_waits_for_its_decision() -> None:
    case = a_case()
    dispute(case)
    before = case.agreements.dispute
    assert before is not None
    since, answer = before.since, before.answer
    pay(case, "1200.00", days=2)
    undo(case, days=5)
    after = case.agreements.dispute
    assert after is not None and case.stage is Stage.DISPUTED
    assert (after.since, after.answer, after.ref, after.reason) == (since, answer, "n1", "quality")
    assert case.agreements.past_disputes == []
    assert answered(case) == ["dispute-received"]  # it had not left when the payment came


def test_one_part_met_the_promise_and_another_settled() -> None:
    for first, second, state in (("500.00", "700.00", PromiseState.OPEN), ("400.00", "800.00", PromiseState.KEPT)):
        case = a_case()
        dispute(case, "200.00")
        promise(case, "500.00")
        pay(case, first, "p1")
        pay(case, second, "p2")
        assert case.stage is Stage.PAID
        undo(case, "p1" if state is PromiseState.KEPT else "p2")
        assert case.agreements.promises[0].state is PromiseState.KEPT  # the other part is enough for it
        assert case.agreements.dispute is not None


def test_the_part_that_met_the_promise_is_undone_and_the_other_is_too_small() -> None:
    case = a_case()
    promise(case, "500.00")
    pay(case, "500.00", "p1")
    pay(case, "300.00", "p2")
    undo(case, "p1")
    assert case.agreements.promise is not None
    assert case.agreements.promise.still_missing(case.money.paid) == 200


def test_a_part_of_a_payment_that_is_undone_is_missing_from_the_promise() -> None:
    for part, state in (("700.00", PromiseState.KEPT), ("701.00", PromiseState.OPEN)):
        case = a_case()
        promise(case, "500.00")
        pay(case, "1200.00")
        undo(case, amount=part, reversal_id="r1")
        assert case.agreements.promises[0].state is state


def test_another_payment_keeps_the_case_paid() -> None:
    case = a_case()
    dispute(case)
    pay(case, "1200.00", "p1")
    pay(case, "1200.00", "p2")
    undo(case, "p1")
    assert (case.stage, case.agreements.dispute) == (Stage.PAID, None)
    undo(case, "p2")
    assert case.stage is Stage.DISPUTED


def test_what_ended_by_money_that_had_come_stays_ended_when_another_booking_is_undone() -> None:
    case = a_case()
    dispute(case)
    pay(case, "1200.00", "p1")
    undo(case, "p1", "returned")
    pay(case, "1200.00", "p2")
    undo(case, "p2")
    assert (case.stage, case.agreements.dispute) == (Stage.SCHEDULED, None)


def test_what_was_agreed_since_counts() -> None:
    case = a_case()
    promise(case, "500.00")
    pay(case, "500.00")
    promise(case, "700.00", "2027-03-20")
    undo(case)
    assert [one.state for one in case.agreements.promises] == [PromiseState.REPLACED, PromiseState.OPEN]
    case = a_case()
    promise(case, "500.00")
    pay(case, "500.00")
    parts = [{"date": "2027-03-12", "amount": "700.00"}]
    tell(case, "payment_plan_agreed", instalments=parts, by="a")
    undo(case)
    assert (case.stage, case.agreements.promises[0].state) == (Stage.PLAN, PromiseState.REPLACED)


def test_a_dispute_opened_since_is_not_replaced_by_the_former_one() -> None:
    case = a_case()
    dispute(case, "300.00")
    pay(case, "600.00", "p1")
    pay(case, "600.00", "p2")
    undo(case, "p2", "returned")
    tell(case, "dispute_opened", reason="other", opened_by="user", amount="100.00")
    undo(case, "p1")
    assert case.agreements.dispute is not None and case.agreements.dispute.reason == "other"
    assert len(case.agreements.past_disputes) == 1


def test_the_rest_of_what_an_older_copy_of_a_case_knows_is_undone() -> None:
    case = a_case()
    promise(case)
    pay(case, "1200.00")
    facts = case.model_dump(mode="json")
    for name in ("ended_by_money", "counted", "corrects_after"):
        del facts[name]
    old = Case.model_validate(facts)
    assert undo(old) == ["reversed", "reopened"]
    assert Case.model_validate(case.model_dump(mode="json")) == case


# Time to pay ---------------------------------------------------------------------------------------------------


def test_a_day_that_passed_while_we_said_that_it_is_paid_is_no_broken_promise() -> None:
    case = a_case()
    promise(case, date="2027-03-12")
    pay(case, "1200.00", days=1)
    undo(case, days=10)  # on 20 March
    assert case.agreements.promise is not None
    assert str(case.agreements.promise.date) == "2027-03-27"


@pytest.mark.parametrize(("told", "until"), [(False, "2027-03-12"), (True, "2027-03-18")])
def test_a_day_to_come_is_later_only_for_whom_we_told_that_it_is_paid(told: bool, until: str) -> None:
    case = a_case()
    done(case, "first-reminder")
    promise(case, date="2027-03-12")
    pay(case, "1200.00")
    if told:
        thank(case)
    undo(case, days=1)
    assert case.agreements.promise is not None
    assert str(case.agreements.promise.date) == until


@pytest.mark.parametrize("other", [None, "600.00"], ids=["a plan that runs", "a plan that was over"])
def test_an_instalment_whose_day_passed_meanwhile_has_time_and_the_next_never_comes_before_it(other: Any) -> None:
    case = a_case()
    plan(case)
    pay(case, "600.00", days=1)
    if other:
        pay(case, other, "p2", days=1)
    undo(case, days=4)
    if other:
        undo(case, "p2", days=4)
    assert case.agreements.plan is not None
    assert (case.stage, case.agreements.plan.met) == (Stage.PLAN, 0)
    assert [str(part.date) for part in case.agreements.plan.instalments] == ["2027-03-21", "2027-03-21"]


# What they are told --------------------------------------------------------------------------------------------


def _thanked(message: str, amount: str) -> Case:
    case = a_case()
    done(case, "first-reminder")
    pay(case, amount)
    thank(case, message)
    return case


@pytest.mark.parametrize(("message", "amount"), [("thank-you", "1200.00"), ("part-received", "500.00")])
def test_whoever_was_thanked_is_told_of_the_mistake_once(message: str, amount: str) -> None:
    case = _thanked(message, amount)
    undo(case)
    assert answered(case) == ["booked-by-mistake"]
    undo(case)
    assert answered(case) == ["booked-by-mistake"]


@pytest.mark.parametrize("amount", ["1200.00", "500.00"])
def test_whoever_was_never_thanked_gets_no_thanks_for_a_payment_that_was_none(amount: str) -> None:
    case = a_case()
    done(case, "first-reminder")
    pay(case, amount)
    undo(case)
    assert "thank-you" not in answered(case) and "part-received" not in answered(case)


def test_nobody_is_told_of_a_mistake_of_the_bank_or_while_the_invoice_is_paid_all_the_same() -> None:
    case = _thanked("thank-you", "1200.00")
    undo(case, reason="returned")
    assert answered(case) == []
    case = _thanked("thank-you", "1200.00")
    pay(case, "1200.00", "p2")
    undo(case)
    assert answered(case) == []


# As if it had never come ---------------------------------------------------------------------------------------


def _happens(case: Case, happenings: Sequence[tuple[str, dict[str, Any]]]) -> None:
    for name, content in happenings:
        try:
            case.apply(parse_event(name, [content]), NOW + timedelta(hours=1))
        except Refused:
            continue


_AMOUNTS = st.sampled_from(
    ["100.00", "200.00", "300.00", "500.00", "600.00", "700.00", "1000.00", "1200.00", "1199.60"]
)


def _money(names: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    pays = st.builds(
        lambda name, amount: ("payment_received", {"payment_id": name, "amount": amount, "currency": "EUR"}),
        st.sampled_from(names),
        _AMOUNTS,
    )
    reasons = st.sampled_from(["returned", "chargeback", WRONGLY_MATCHED])
    goes = st.builds(
        lambda name, reason: ("payment_reversed", {"payment_id": name, "reason": reason}),
        st.sampled_from(names),
        reasons,
    )
    return st.one_of(pays, pays, goes)


_AGREES = st.one_of(
    st.builds(
        lambda amount: ("promise_to_pay", {"date": "2027-03-17", "amount": amount, "promised_by": "user"}), _AMOUNTS
    ),
    st.builds(lambda amount: ("dispute_opened", {"reason": "q", "opened_by": "u", "amount": amount}), _AMOUNTS),
    st.just(("dispute_opened", {"reason": "q", "opened_by": "u"})),
    st.just(("payment_plan_agreed", {"instalments": HALVES, "by": "a"})),
    st.just(("payment_announced", {"by": "user"})),
    st.just(("pause", {"reason": "holiday", "by": "a"})),
)


@settings(max_examples=200)
@given(
    before=st.lists(st.one_of(_AGREES, _AGREES, _money("ab")), max_size=6),
    wrong=_AMOUNTS,
    after=st.lists(_money("abcd"), max_size=5),
    tolerance=st.sampled_from([0, 50]),
)
def test_undone_equals_never_booked(before: Any, wrong: str, after: Any, tolerance: int) -> None:
    rules = a_case().rules.model_copy(update={"tolerance": tolerance})
    booked, spared = a_case(rules=rules), a_case(rules=rules)
    for case in (booked, spared):
        _happens(case, before)
    payment = {"payment_id": "wrong", "amount": wrong, "currency": "EUR"}
    _happens(booked, [("payment_received", payment)])
    for case in (booked, spared):
        _happens(case, after)
    _happens(booked, [("payment_reversed", {"payment_id": "wrong", "reason": WRONGLY_MATCHED})])
    assert agreed(booked) == agreed(spared)
