"""What was agreed with the customer."""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.agreements import Plan
from dunwell.domain.events import Instalment

DAYS = [date(2027, 4, day) for day in (1, 11, 21)]


@pytest.mark.parametrize(
    ("paid", "asked", "amounts", "comes"),
    [
        ("0", "300", [100, 100, 100], (0, 100)),
        ("40", "260", [100, 100, 100], (0, 60)),
        ("0", "150", [100, 50, 0], (0, 100)),
        ("100", "50", [100, 50, 0], (1, 50)),
        ("0", "30", [30, 0, 0], (0, 30)),
        ("250", "50", [100, 100, 100], (2, 50)),
        ("150", "0", [100, 50, 0], None),
    ],
)
def test_the_instalment_that_comes_is_the_first_that_the_money_does_not_cover(
    paid: str, asked: str, amounts: list[int], comes: tuple[int, int] | None
) -> None:
    plan = Plan(instalments=[Instalment(date=day, amount=Decimal(100)) for day in DAYS], by="agent")
    plan.met = int(Decimal(paid) // 100)
    assert plan.amounts(Decimal(paid), Decimal(asked)) == amounts
    found = plan.coming(Decimal(paid), Decimal(asked))
    assert ((DAYS.index(found.date), int(found.amount)) if found else None) == comes
