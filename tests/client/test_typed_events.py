"""Amounts that somebody types behind a command, before an event is sent."""

from typing import Any

import pytest

from dunwell.client.typed_events import with_amounts
from dunwell.domain.refusal import Refused
from dunwell.intake.currencies import Currency

EURO = Currency("EUR", 2)


@pytest.mark.parametrize(
    ("typed", "read", "digits"),
    [
        ("238,01", "238.01", 2),
        ("1.200,00", "1200.00", 2),
        ("1,200.00", "1200.00", 2),
        ("1 200,00", "1200.00", 2),
        ("238.01", "238.01", 2),
        ("1200", "1200", 2),
        ("1.200", "1.200", 3),  # a program writes the three digits of a dinar
        ("1200,5", "1200.5", 3),
    ],
)
def test_commands_take_amounts_as_clerks_type_them(typed: str, read: str, digits: int) -> None:
    for name in ("amount", "new_amount"):
        assert with_amounts({name: typed, "by": "1,5"}, Currency("EUR", digits)) == {name: read, "by": "1,5"}


def test_amounts_of_instalments_and_of_the_promise_of_a_call_are_read_too() -> None:
    content: dict[str, Any] = {
        "instalments": [{"date": "2027-04-01", "amount": "600,50"}, {"date": "2027-05-01", "amount": "1.000,00"}],
        "promise": {"date": "2027-04-01", "amount": "5,00"},
    }
    read = with_amounts(content, EURO)
    assert [one["amount"] for one in read["instalments"]] == ["600.50", "1000.00"]
    assert read["promise"] == {"date": "2027-04-01", "amount": "5.00"}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"amount": "1.200"}, "amount"),
        ({"new_amount": "1,200"}, "new_amount"),
        ({"instalments": [{"date": "2027-04-01", "amount": "1.200"}]}, "amount"),
    ],
)
def test_an_amount_of_two_meanings_is_refused_with_what_to_write(content: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=r"may be 1200\.00 or 1\.20: write one of these") as refused:
        with_amounts(content, EURO)
    assert refused.value.field == field


@pytest.mark.parametrize("text", ["soon", "12,34,56", "1e3", "NaN"])
def test_what_is_no_amount_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(Refused, match=r"is not an amount: write it as 1200\.00 or 1200,00"):
        with_amounts({"amount": text}, EURO)


@pytest.mark.parametrize(
    "content",
    [
        {"amount": "500 USD"},
        {"new_amount": "$500.00"},
        {"instalments": [{"date": "2027-04-01", "amount": "USD 500"}]},
        {"promise": {"date": "2027-04-01", "amount": "500 US$"}},
    ],
)
def test_an_amount_in_another_currency_is_refused_with_its_field_and_what_to_write(content: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"is not in EUR, .*: write what it is in EUR") as refused:
        with_amounts(content, EURO)
    assert refused.value.field in {"amount", "new_amount"} and "500" in refused.value.reason


def test_a_payment_that_names_its_currency_has_its_amount_in_it() -> None:
    paid = {"amount": "500,00 USD", "currency": "USD"}
    assert with_amounts(paid, EURO) == {"amount": "500.00", "currency": "USD"}
    with pytest.raises(Refused, match="is not in USD"):
        with_amounts(paid | {"amount": "500 EUR"}, EURO)
    assert with_amounts({"amount": "500.00", "currency": ["EUR"]}, EURO)["amount"] == "500.00"
