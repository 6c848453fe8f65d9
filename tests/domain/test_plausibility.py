"""Slips that are refused before a case takes them."""

from typing import Any

import pytest

from dunwell.domain.events import parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.refusal import Refused
from tests.domain.test_case import NOW, a_case, pay


@pytest.mark.parametrize(
    ("day", "why"),
    [("2027-12-31", "reversed_at: lies more than 3 days ahead"), ("2020-01-01", "reversed_at: lies before")],
)
def test_money_goes_back_after_it_came_and_not_in_the_future(day: str, why: str) -> None:
    case = a_case()
    pay(case, "200.00")
    case.money.keep_receipts(parse_event("pause", [{"reason": "x", "by": "agent"}]), NOW)
    facts: dict[str, Any] = {"payment_id": "p1", "reason": "R01", "reversed_at": f"{day}T00:00:00+00:00"}
    with pytest.raises(Refused, match=why):
        admit(case, parse_event("payment_reversed", [facts]), NOW)
