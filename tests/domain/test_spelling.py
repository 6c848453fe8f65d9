"""Slips of the finger are told from other words, and other numbers are never proposed."""

import pytest

from dunwell.domain.spelling import did_you_mean, hint, near_words, nearest, proposal

CHANNELS = ["email", "sms", "letter"]


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("emial", CHANNELS, "email"),
        ("EMAIL", CHANNELS, "email"),
        ("fax", CHANNELS, None),
        ("GMT+1", ["GMT+0", "GMT+2"], None),
        ("inv-16", ["INV-17"], None),
        ("inv-017", ["INV-17"], "INV-17"),
        ("anvoice", ["invoice"], "invoice"),
        ("emial" + "x" * 1_000_000, CHANNELS, None),
        ("A" * 60 + "7", ["A" * 60], None),  # a number beyond what is compared counts, too
        ("INB-17", [f"INV-{number}" for number in range(20)], "INV-17"),  # among many nearer by letters alone
    ],
)
def test_the_nearest_word(word: str, known: list[str], near: str | None) -> None:
    assert nearest(word, known) == near


def test_at_most_three_words_are_near() -> None:
    assert len(near_words("reminder", [f"reminder-{end}" for end in "abcde"])) == 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (did_you_mean("emial", CHANNELS), "did you mean 'email'?"),
        (did_you_mean("emial", CHANNELS, "see the docs"), "did you mean 'email'?"),
        (did_you_mean("fax", CHANNELS), "use one of email, letter, sms"),
        (did_you_mean("fax", CHANNELS, "see the docs"), "see the docs"),
        (did_you_mean("fax", CHANNELS, ""), ""),
        (hint("emial", CHANNELS), ": did you mean 'email'?"),
        (hint("fax", CHANNELS), ""),
        (proposal("inv-1", "inv-1b"), "did you mean inv-1 or inv-1b?"),
    ],
)
def test_the_advice_is_the_nearest_word_or_what_there_is(said: str, expected: str) -> None:
    assert said == expected
