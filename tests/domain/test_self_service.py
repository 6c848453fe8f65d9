"""What a customer may agree alone: the days of a promise, and instalments within the policy's rules."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.money import Money
from dunwell.domain.policy import PlanRules, PolicyRef, PromiseRules, Reactions, Rules
from dunwell.domain.self_service import Every, counts, plan, promise_days, shares
from tests.builders import a_ladder, at

NOW, TODAY = at("2027-03-24 09:00"), date(2027, 3, 24)
RULES = PlanRules(most=4, max_days=90, least=Decimal(250))


def a_case(**changes: Any) -> Case:
    facts: dict[str, Any] = {
        "invoice_id": "inv-1",
        "customer_id": "acme",
        "policy": PolicyRef(name="p", version=1),
        "rules": Rules(promises=PromiseRules(limit=1, max_days=14), reactions=Reactions()),
        "issued_on": date(2027, 2, 1),
        "due_on": date(2027, 3, 1),
        "money": Money(currency="EUR", digits=2, amount=Decimal("1200.00")),
    }
    return Case(**facts | changes)


def told(*events: tuple[str, dict[str, Any]]) -> Case:
    case = a_case()
    for name, content in events:
        case.apply(parse_event(name, [content]), NOW)
    return case


PROMISE = ("promise_to_pay", {"date": "2027-03-30", "promised_by": "accounts_payable"})
PLAN = ("payment_plan_agreed", {"instalments": [{"date": "2027-04-01", "amount": "1200.00"}], "by": "agent"})
PART = ("dispute_opened", {"reason": "price", "opened_by": "user", "amount": "100.00"})
WHOLE = ("dispute_opened", {"reason": "price", "opened_by": "user"})
PAID = ("payment_received", {"payment_id": "p", "amount": "1200.00", "currency": "EUR"})


@pytest.mark.parametrize(
    ("events", "promises", "parts"),
    [
        ((), True, (2, 3, 4)),
        ((PROMISE,), False, (2, 3, 4)),  # the policy takes one promise
        ((PLAN,), False, ()),
        ((PART,), True, ()),  # what is in dispute may not be owed
        ((WHOLE,), False, ()),
        ((PAID,), False, ()),
    ],
    ids=["nothing", "promised", "plan", "part", "whole", "paid"],
)
def test_what_is_offered(events: tuple[Any, ...], promises: bool, parts: tuple[int, ...]) -> None:
    case = told(*events)
    assert (promise_days(case, TODAY) is not None, counts(case, RULES)) == (promises, parts)


def test_a_promise_that_is_offered_is_one_that_the_case_takes() -> None:
    days = promise_days(a_case(), TODAY)
    assert days is not None
    for day in days:
        content = {"date": f"{day}", "promised_by": "link of user.1"}
        assert told(("promise_to_pay", content)).agreements.promise is not None


def test_no_further_plan_alone_after_one_that_was_not_kept() -> None:
    case = told(PLAN)
    case.instalment_due(at("2027-04-05 09:00"))
    assert counts(case, RULES) == ()


@pytest.mark.parametrize(
    ("rules", "parts"),
    [
        (PlanRules(), ()),
        (PlanRules(most=3), (2, 3)),
        (PlanRules(most=6, least=Decimal(300)), (2, 3, 4)),
        (PlanRules(most=6, least=Decimal(1000)), ()),
    ],
)
def test_the_policy_s_rules(rules: PlanRules, parts: tuple[int, ...]) -> None:
    assert counts(a_case(), rules) == parts


@pytest.mark.parametrize(
    ("amount", "count", "digits", "found"),
    [
        ("1200.00", 3, 2, ["400.00", "400.00", "400.00"]),
        ("1000.00", 3, 2, ["333.33", "333.33", "333.34"]),
        ("1000", 3, 0, ["333", "333", "334"]),
        ("0.05", 2, 2, ["0.02", "0.03"]),
    ],
)
def test_shares_add_up(amount: str, count: int, digits: int, found: list[str]) -> None:
    parts = shares(Decimal(amount), count, digits)
    assert [str(one) for one in parts] == found and sum(parts) == Decimal(amount)


@pytest.mark.parametrize(
    ("first", "every", "days"),
    [
        (date(2027, 1, 31), Every.MONTH, ["2027-01-31", "2027-02-28", "2027-03-31"]),
        (date(2027, 12, 30), Every.MONTH, ["2027-12-30", "2028-01-30", "2028-02-29"]),
        (date(2027, 3, 24), Every.WEEK, ["2027-03-24", "2027-03-31", "2027-04-07"]),
        (date(2027, 3, 24), Every.FORTNIGHT, ["2027-03-24", "2027-04-07", "2027-04-21"]),
    ],
)
def test_the_days_of_a_plan(first: date, every: Every, days: list[str]) -> None:
    assert [f"{part.on}" for part in plan([Decimal(1)] * 3, first, every)] == days


LADDER = """\
name = "own"
version = 1
{plans}
[reactions]
{reactions}
[[step]]
id = "one"
when = "due + 1 day"
to = ["user"]
by = ["email"]
message = "reminder-first"
"""


def test_a_ladder_says_what_may_be_agreed_alone() -> None:
    text = LADDER.format(plans='[plans]\nmost = 3\nleast = "50.00"', reactions='plan_agreed = "plan-agreed"')
    assert a_ladder(text).plans == PlanRules(most=3, max_days=90, least=Decimal("50.00"))
    assert a_ladder(LADDER.format(plans="", reactions="")).plans == PlanRules()


@pytest.mark.parametrize(
    ("plans", "reactions", "says"),
    [
        ("[plans]\nmost = 3", "", "most grants plans, but [reactions] has no plan_agreed"),
        ("[plans]\nmost = 1", 'plan_agreed = "plan-agreed"', "most 1 is no plan"),
        ("[plans]\nmost = 25", 'plan_agreed = "plan-agreed"', "most must be a whole number from 0 to 24"),
        ("[plans]\nmaximum = 3", 'plan_agreed = "plan-agreed"', "maximum is unknown"),
        ("plans = 3", "", "plans must be a table"),
    ],
)
def test_a_ladder_that_grants_nonsense_is_refused(plans: str, reactions: str, says: str) -> None:
    with pytest.raises(ValueError, match="policies/own") as refused:
        a_ladder(LADDER.format(plans=plans, reactions=reactions))
    assert says in str(refused.value)
