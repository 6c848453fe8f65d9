"""Amounts as people of any country type them into a field."""

from decimal import Decimal

import pytest

from dunwell.domain.refusal import Refused
from dunwell.intake.currencies import Currency
from dunwell.intake.typed_amounts import sought_amount, typed_amount

EURO = Currency("EUR", 2)


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
    assert typed_amount("amount", text, EURO) == sought_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["1.200", "1,200"])
def test_an_amount_of_two_meanings_is_refused_with_both(text: str) -> None:
    with pytest.raises(Refused, match=r"may be 1200\.00 or 1\.20: write one of these"):
        typed_amount("amount", text, EURO)
    assert sought_amount(text) == Decimal("1200")


@pytest.mark.parametrize("text", ["", "soon", "12,34,56", "1e3", "NaN", "1" * 30])
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert sought_amount(text) is None
    with pytest.raises(Refused, match="is not an amount"):
        typed_amount("amount", text, EURO)


@pytest.mark.parametrize(
    "text", ["500 USD", "$500", "US$ 500,00", "£500", "500 chf", "500 kr", "500 THB", "EUR 500 USD"]
)
def test_an_amount_in_another_currency_is_refused(text: str) -> None:
    with pytest.raises(
        Refused, match="is not in EUR, the currency of this field: write what it is in EUR"
    ) as refused:
        typed_amount("amount", text, EURO)
    assert refused.value.field == "amount" and repr(text) in refused.value.reason
    assert sought_amount(text) == Decimal(500)  # whoever looks for an amount may write any currency


@pytest.mark.parametrize("text", ["about 500", "500 pieces"])
def test_an_amount_among_other_words_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"is not an amount: write it as 1200\.00 or 1200,00, in EUR"):
        typed_amount("amount", text, EURO)


@pytest.mark.parametrize(
    ("text", "code"),
    [("500 $", "CAD"), ("$500", "MXN"), ("500 kr", "NOK"), ("500 ₪", "ILS"), ("500 лв", "BGN"), ("R$ 500", "BRL"),
     ("500 zł", "PLN"), ("Rp 500", "IDR"), ("500 euros", "EUR"), ("500 ₽", "RUB")],
)  # fmt: skip
def test_each_currency_has_signs_of_its_own(text: str, code: str) -> None:
    assert typed_amount("amount", text, Currency(code, 2)) == 500
