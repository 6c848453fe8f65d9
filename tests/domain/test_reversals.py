"""A payment that is taken back in part, and the head that a payment was for."""

from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Head, PromiseState, Stage
from tests.domain.test_case import NOW, a_case, pay, tell


def back(case: Case, amount: str | None = None, reversal_id: str | None = None, payment_id: str = "p1") -> list[str]:
    return tell(case, "payment_reversed", payment_id=payment_id, reason="R01", amount=amount, reversal_id=reversal_id)


def standing(case: Case) -> tuple[str, str, str]:
    return str(case.open_amount), str(case.credit), str(case.money.taken_back("p1"))


def test_the_rest_of_the_payment_goes_on_counting() -> None:
    case = a_case()
    pay(case, "200.00")
    assert back(case, "50.00") == ["reversed"]
    assert standing(case) == ("1050.00", "0.00", "50.00")
    assert case.money.payments == {"p1": Decimal("150.00")}
    assert pay(case, "200.00") == []  # the provider tells the payment again
    assert standing(case) == ("1050.00", "0.00", "50.00")


@pytest.mark.parametrize(
    ("reason", "by", "said"),
    [
        ("returned", None, "200.00 EUR taken back by the bank (returned)"),
        ("wrongly-matched", "user-1", "200.00 EUR taken back by user-1 (its match with this invoice was undone)"),
        (
            "counted-twice",
            "stripe",
            "200.00 EUR taken back by stripe (it stood in for a payment that was reported later)",
        ),
        ("refund", None, "200.00 EUR taken back (refund)"),
    ],
)
def test_it_is_said_who_takes_a_payment_back_and_why(reason: str, by: str | None, said: str) -> None:
    case = a_case()
    pay(case, "200.00")
    event = {"payment_id": "p1", "reason": reason} | ({"by": by} if by else {})
    assert [one.reason for one in case.apply(parse_event("payment_reversed", [event]), NOW)] == [said]


def test_parts_told_twice_count_once_and_several_have_ids() -> None:
    case = a_case()
    pay(case, "200.00")
    for _ in range(2):
        back(case, "50.00")
        back(case, "50.00", "r2")
        back(case, "20.00", "r3")
    assert standing(case) == ("1120.00", "0.00", "120.00")
    with pytest.raises(Refused, match="reversal_id: is known with another amount"):
        back(case, "10.00")
    with pytest.raises(Refused, match="reversal_id: is known with another amount"):
        back(case, "10.00", "r3")
    assert standing(case) == ("1120.00", "0.00", "120.00")


def test_all_that_is_left_goes_without_an_amount_or_with_the_last_part() -> None:
    for last in (None, "150.00"):
        case = a_case()
        pay(case, "200.00")
        back(case, "50.00", "r1")
        back(case, last, "r2")
        assert (standing(case), case.money.reversed_payments) == (("1200.00", "0.00", "200.00"), ["p1"])
        assert back(case) == back(case, last, "r2") == back(case, "50.00", "r1") == []
        with pytest.raises(Refused, match=r"amount: is more than the 0.00 EUR that are left"):
            back(case, "1.00", "r4")
        with pytest.raises(Refused, match="was reversed"):
            pay(case, "200.00")


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("200.01", "amount: is more than the 200.00 EUR that are left of this payment"),
        ("0.001", "amount: is finer than EUR allows"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(amount: str, says: str) -> None:
    case = a_case()
    pay(case, "200.00")
    before = case.model_dump()
    with pytest.raises(Refused, match=says):
        back(case, amount)
    assert case.model_dump() == before


def test_a_part_opens_a_paid_case_again_for_that_part() -> None:
    case = a_case()
    pay(case, "1200.00")
    assert back(case, "300.00") == ["reversed", "reopened"]
    assert (case.stage, standing(case)) == (Stage.SCHEDULED, ("300.00", "0.00", "300.00"))
    assert pay(case, "300.00", "p2")[-1] == "ended"


def test_a_part_that_was_paid_too_much_opens_nothing() -> None:
    case = a_case()
    pay(case, "1250.00")
    assert back(case, "30.00") == ["reversed"]
    assert (case.stage, standing(case)) == (Stage.PAID, ("0.00", "20.00", "30.00"))
    assert back(case, "50.00", "r2") == ["reversed", "reopened"]
    assert standing(case) == ("30.00", "0.00", "80.00")


def test_a_part_of_an_earlier_payment_is_not_missing_from_a_promise() -> None:
    case = a_case()
    pay(case, "200.00")
    tell(case, "promise_to_pay", date="2027-03-17", promised_by="user", amount="500.00")
    back(case, "50.00", "r1")
    back(case, "60.00", "r2")
    assert pay(case, "500.00", "p2") == ["payment", "promise_kept"]
    assert case.agreements.promises[-1].state is PromiseState.KEPT


def test_a_part_of_an_instalment_is_missing_from_the_plan() -> None:
    case = a_case()
    halves = [{"date": day, "amount": "600.00"} for day in ("2027-03-12", "2027-03-20")]
    tell(case, "payment_plan_agreed", instalments=halves, by="a")
    pay(case, "600.00")
    assert case.agreements.plan is not None and case.agreements.plan.met == 1
    back(case, "100.00")
    assert case.agreements.plan.met == 0
    pay(case, "100.00", "p2")
    assert case.agreements.plan.met == 1


def test_a_part_taken_back_before_a_person_confirmed_the_payment() -> None:
    case = a_case()
    case.money.imported_at = NOW
    old: dict[str, Any] = {
        "payment_id": "p1",
        "amount": "200.00",
        "currency": "EUR",
        "received_at": "2027-03-01T09:00:00Z",
    }
    assert tell(case, "payment_received", **old) == ["check"]
    assert back(case, "50.00", "r1") == ["reversed"]
    assert case.money.paid == 0
    with pytest.raises(Refused, match=r"amount: is no more than the 50.00 EUR taken back"):
        tell(case, "payment_received", **old | {"amount": "50.00"}, confirm=True)
    assert tell(case, "payment_received", **old, confirm=True) == ["payment"]
    assert (str(case.money.paid), case.money.receipts[0].amount) == ("150.00", Decimal("200.00"))
    assert back(case, "50.00", "r1") == []


def test_all_of_it_in_parts_before_a_person_confirmed_the_payment() -> None:
    case = a_case()
    case.money.imported_at = NOW
    old: dict[str, Any] = {
        "payment_id": "p1",
        "amount": "200.00",
        "currency": "EUR",
        "received_at": "2027-03-01T09:00:00Z",
    }
    tell(case, "payment_received", **old)
    back(case, "50.00", "r1")
    back(case, "150.00", "r2")
    assert (case.money.questioned, case.money.reversed_payments) == ({}, ["p1"])


def test_the_head_that_the_customer_named_is_kept_and_not_changed_by_a_repetition() -> None:
    case = a_case()
    payment: dict[str, Any] = {"payment_id": "p1", "amount": "200.00", "currency": "EUR"}
    tell(case, "payment_received", **payment, designation="principal")
    assert tell(case, "payment_received", **payment) == []
    assert tell(case, "payment_received", **payment, designation="principal") == []
    with pytest.raises(Refused, match="designation: this payment is known already, for principal"):
        tell(case, "payment_received", **payment, designation="interest")
    assert [receipt.designation for receipt in case.money.receipts] == [Head.PRINCIPAL]
