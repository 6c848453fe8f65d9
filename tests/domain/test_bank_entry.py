"""The identity of a bank entry: the same in every file that tells it, and another for every other movement."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from dunwell.domain.bank_entry import BankEntry, Direction, identify
from dunwell.domain.incoming import of_bank_entry


def entry(**facts: Any) -> BankEntry:
    """A movement of 1,200 euros that came in."""
    usual = {"account": "DE02120300000000202051", "booked_on": date(2027, 3, 1), "amount": Decimal("1200.00")}
    return BankEntry(**usual | {"currency": "EUR", "direction": Direction.IN, "text": "INV-1"} | facts)


def test_the_same_movement_has_the_same_identity_in_another_file() -> None:
    (first,), (_, again) = identify([entry()]), identify([entry(text="INV-2"), entry(amount=Decimal("1200"))])
    assert again.identity == first.identity
    assert of_bank_entry(again).payment_id() == f"bank-{first.identity}"


def test_a_bank_may_write_more_about_an_entry_that_it_gave_a_reference() -> None:
    (first,) = identify([entry(reference="A1")])
    (again,) = identify([entry(reference="A1", text="INV-1, thank you")])
    assert again.identity == first.identity


@pytest.mark.parametrize(
    "facts",
    [
        {"account": "DE75512108001245126199"},
        {"booked_on": date(2027, 3, 2)},
        {"amount": Decimal("1200.01")},
        {"currency": "CHF"},
        {"direction": Direction.OUT},
        {"reversal": True},
        {"pending": True},
        {"reference": "A1"},
        {"text": "INV-2"},
        {"end_to_end_id": "E2E-2"},
        {"references": ("RF18539007547034",)},
        {"batch": "b1"},
    ],
)
def test_whatever_tells_two_movements_apart_is_part_of_the_identity(facts: dict[str, Any]) -> None:
    (one,), (other,) = identify([entry()]), identify([entry(**facts)])
    assert one.identity != other.identity


def test_two_payments_alike_on_one_day_are_two_even_under_one_reference() -> None:
    same = entry(reference="COLLECTIVE")
    one, other = identify([same, same])
    assert one.identity != other.identity
    assert identify([same]) == (one,), "the first of them is the first of them in every file"


@pytest.mark.parametrize(
    "facts",
    [
        {"amount": Decimal(0)},
        {"amount": Decimal("-1")},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
        {"currency": "euro"},
        {"account": ""},
        {"instructed_amount": Decimal(5)},
    ],
)
def test_what_is_no_movement_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        entry(**facts)
