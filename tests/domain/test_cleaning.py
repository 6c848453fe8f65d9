"""Text from outside: what nobody can see is left out, what people write is kept."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.cleaning import clean, isolated, one_line, printable, reordering


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("Ada\u202egnp.exe", "Adagnp.exe"),  # an override
        ("A\u2066B\u2069C\u200e\u200f\u061c", "ABC"),  # isolates and marks
        ("INV\u200b-1\ufeff\u2060\u00ad", "INV-1"),  # zero width, and a soft hyphen
        ("\x1b[31mred\x07\x9b0m", "[31mred0m"),  # a terminal's commands
        ("a\ud800b", "ab"),  # half a character
        ("a\r\nb\rc\td\u2028e", "a\nb\nc\td\ne"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),  # Persian spelling
        ("क\u094d\u200dष", "क\u094d\u200dष"),  # Hindi spelling
        ("A\u200dB", "AB"),
        ("Łukasz Ñandú № 7 — 株式会社", "Łukasz Ñandú № 7 — 株式会社"),
    ],
)
def test_f3_what_nobody_sees_is_left_out_and_what_people_write_is_kept(given_text: str, kept: str) -> None:
    assert clean(given_text) == kept


def test_f3_one_line_is_one_line() -> None:
    assert one_line("  Acme\r\n\tBcc: x\u2029y \x85 z ") == "Acme Bcc: x y z"


@given(st.text())
def test_f3_nothing_that_is_cleaned_reorders_or_commands(text: str) -> None:
    seen = clean(text)
    assert reordering(seen) is None
    assert clean(seen) == seen
    assert not any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in seen)


def test_c8_a_name_written_from_right_to_left_stands_apart() -> None:
    assert isolated("דוד כהן") == "\u2068דוד כהן\u2069"
    assert isolated("David Cohen") == "David Cohen"


def test_a_refused_value_is_shown_escaped_and_shortened() -> None:
    assert printable("a\x00\u202eb ü") == "a\\x00\\u202eb ü"
    assert printable("x" * 61) == "x" * 60 + "…"
    assert printable("abc", 2) == "ab…"
