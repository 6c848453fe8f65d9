"""When money that two formats tell is the same: what is equal, what contradicts, and what is in doubt."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.bank_entry import BankEntry, Direction
from dunwell.domain.retelling import Booking, Likeness, compare

ADA, BOB = "DE75512108001245126199", "DE02500105170137075030"
SAME, DOUBT, OTHER = Likeness.SAME, Likeness.DOUBT, Likeness.OTHER


def an_entry(**changes: Any) -> BankEntry:
    facts: dict[str, Any] = {
        "account": "DE02120300000000202051",
        "booked_on": date(2027, 3, 1),
        "amount": Decimal("100.00"),
        "currency": "EUR",
        "direction": Direction.IN,
    }
    return BankEntry(**facts | changes)


def judged(one: dict[str, Any], other: dict[str, Any]) -> Likeness:
    here, there = Booking((an_entry(**one),)), Booking((an_entry(**other),))
    assert compare(here, there) == compare(there, here)
    return compare(here, there).likeness


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ({}, {}, SAME),
        ({"payer_name": "Ada"}, {}, SAME),
        ({"text": "INV-12"}, {"text": "thanks"}, SAME),
        # names
        ({"payer_name": "Monat GmbH"}, {"payer_name": "MONAT"}, SAME),
        ({"payer_name": "Hans Müller"}, {"payer_name": "MUELLER, HANS"}, SAME),
        ({"payer_name": "Hausverwaltung Rücklauf"}, {"payer_name": "HAUSVERWALTUNG RUECK"}, SAME),
        ({"payer_name": "Hans Müller"}, {"payer_name": "Petra Müller"}, OTHER),
        ({"payer_name": "Monat GmbH"}, {"payer_name": "Sammel e.K."}, OTHER),
        # accounts
        ({"payer_iban": ADA}, {"payer_iban": ADA}, SAME),
        ({"payer_iban": ADA}, {"payer_iban": BOB}, OTHER),
        ({"payer_iban": ADA}, {"payer_iban": "1245126199"}, SAME),
        # what is written
        ({"text": "INV-12"}, {"text": "INV-13"}, OTHER),
        ({"text": "RE-2026-1090"}, {"text": "SVWZ+RE-2026-10 90 EREF+77"}, SAME),
        ({"text": "RE-1 of 01.03.2027"}, {"text": "RE-1 of 2027-03-01"}, SAME),
        ({"text": "RE-1 of 01.03.2027"}, {"text": "RE-2 of 01.03.2027"}, OTHER),
        ({"references": ("RF18539007547034",)}, {"text": "RF18 5390 0754 7034"}, SAME),
        # ids
        ({"end_to_end_id": "E1"}, {"end_to_end_id": "E2"}, OTHER),
        ({"end_to_end_id": "E1", "payer_name": "Ada AG"}, {"end_to_end_id": "E2", "payer_name": "Ada AG"}, OTHER),
        ({"end_to_end_id": "E1", "reference": "B1"}, {"end_to_end_id": "E2", "reference": "B1"}, DOUBT),
        ({"reference": "B1"}, {"reference": "B2"}, SAME),
        # one says yes, and another no
        ({"end_to_end_id": "1", "payer_iban": ADA}, {"end_to_end_id": "1", "payer_iban": BOB}, DOUBT),
        ({"text": "INV-1", "payer_name": "Ada AG"}, {"text": "INV-2", "payer_name": "ADA"}, DOUBT),
        ({"text": "INV-1", "payer_name": "Ada AG"}, {"text": "INV-1", "payer_name": "Beta AG"}, DOUBT),
    ],
)
def test_money_is_the_same_unless_something_contradicts(
    one: dict[str, Any], other: dict[str, Any], likeness: Likeness
) -> None:
    assert judged(one, other) is likeness


def test_a_batch_and_a_sum_that_read_otherwise_are_in_doubt() -> None:
    parts = Booking(
        tuple(
            an_entry(amount=Decimal(50), batch="b", batch_amount=Decimal(100), text=text) for text in ("R-1", "R-2")
        )
    )
    assert compare(parts, Booking((an_entry(text="file 4711"),))).likeness is DOUBT
    assert compare(parts, Booking((an_entry(text="collective"),))).likeness is SAME
    unequal = tuple(an_entry(amount=Decimal(one), batch="c", batch_amount=Decimal(100)) for one in (40, 60))
    assert compare(parts, Booking(unequal)).likeness is OTHER
