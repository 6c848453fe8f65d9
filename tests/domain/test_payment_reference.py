"""Our payment reference: its form, its check digits, and how it is found in what a payer wrote."""

import pytest

from dunwell.domain.payment_reference import MOST, found_in, grouped, reference_for

OURS = "RF96C6B80S6PQA"
"""Of the invoice A-1; its check digits were computed by another program."""


def test_the_same_invoices_have_the_same_reference_in_any_order() -> None:
    assert reference_for(["A-1"]) == OURS
    assert reference_for(["B", "A"]) == reference_for(["A", "B", "A"]) != reference_for(["A"])
    assert reference_for(["A-1"], attempt=1) != OURS


def test_thousands_of_references_differ_and_keep_to_the_length() -> None:
    made = {reference_for([f"INV-{number}"]) for number in range(5_000)}
    assert len(made) == 5_000
    assert {len(one) for one in made} == {MOST}


def test_check_digits_are_those_of_the_standard() -> None:
    """ISO 7064 says: with the first four characters at the end, letters as numbers, the rest by 97 is 1."""
    for number in range(200):
        reference = reference_for([str(number)])
        moved = reference[4:] + reference[:4]
        assert int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


@pytest.mark.parametrize(
    "text",
    [
        OURS,
        grouped(OURS),
        "rf96 c6b8 0s6p qa",
        "Payment RF96 C6B8 0S6P QA, thank you",
        "Rechnung A-1/RF96C6B80S6PQA/vielen Dank",
        "EREF+NOTPROVIDED SVWZ+RF96C6B\r\n80S6PQA",  # a bank breaks lines anywhere
        "RF-96-C6B8.0S6P_QA",
        "RF96C6B80S6PQA RF96C6B80S6PQA",
    ],
)
def test_it_is_found_however_it_was_written(text: str) -> None:
    assert found_in(text) == (OURS,)


def test_several_are_found_in_their_order() -> None:
    other = reference_for(["A-2"])
    assert found_in(f"{other} and {OURS}") == (other, OURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RF96C6B80S6PQB",  # one character misread
        "RF69C6B80S6PQA",  # two of them exchanged
        "96C6B80S6PQA",
        "RF96C6B80S6PQ",
        "RF18539007547034",  # a creditor reference of somebody else, of another length
    ],
)
def test_what_is_none_is_not_found(text: str) -> None:
    assert OURS not in found_in(text)


def test_every_exchange_of_neighbours_is_noticed() -> None:
    for at in range(2, MOST - 1):
        exchanged = OURS[:at] + OURS[at + 1] + OURS[at] + OURS[at + 2 :]
        assert exchanged == OURS or exchanged not in found_in(exchanged)
