"""Amounts as people of any country type them into a field."""

from decimal import Decimal

import pytest

from dunwell.domain.refusal import Refused
from dunwell.intake.typed_amounts import sought_amount, typed_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1200", "1200"),
        ("1.200,00", "1200.00"),
        ("1,200.00", "1200.00"),
        ("1200,00", "1200.00"),
        ("238,01", "238.01"),
        ("500,5", "500.5"),
        ("1 200,00", "1200.00"),
        ("1.234.567", "1234567"),
        ("€ 1.000,00", "1000.00"),
        ("1000 EUR", "1000"),
    ],
)
def test_an_amount_is_read_as_people_of_any_country_type_it(text: str, amount: str) -> None:
    assert typed_amount("amount", text) == sought_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["1.200", "1,200"])
def test_an_amount_of_two_meanings_is_refused_with_both(text: str) -> None:
    with pytest.raises(Refused, match=r"may be 1200\.00 or 1\.20: write one of these"):
        typed_amount("amount", text)
    assert sought_amount(text) == Decimal("1200")


@pytest.mark.parametrize("text", ["", "soon", "12,34,56", "1e3", "NaN", "1" * 30])
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert sought_amount(text) is None
    with pytest.raises(Refused, match="is not an amount"):
        typed_amount("amount", text)
