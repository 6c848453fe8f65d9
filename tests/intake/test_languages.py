"""The languages of business by country."""

import pytest

from intake.languages import spoken_in


@pytest.mark.parametrize(
    ("country", "tags"),
    [
        ("BG", ["bg-BG"]),
        ("MX", ["es-MX"]),  # no law names it; it is so in fact
        ("US", ["en-US"]),
        ("BR", ["pt-BR"]),
        ("CH", ["de-CH", "fr-CH"]),  # Italian is official too, for one in seven
        ("KZ", ["ru-KZ", "kk-KZ"]),  # the more spoken first
        ("UA", ["uk-UA"]),  # not Russian, though many speak it
        ("TW", ["zh-Hant-TW", "nan-Hant-TW"]),  # the script is part of the language
        ("NZ", ["en-NZ"]),  # Maori is official, but few speak it
        ("IN", ["hi-IN"]),
        ("AQ", []),
    ],
)
def test_spoken_in(country: str, tags: list[str]) -> None:
    assert list(spoken_in(country)) == tags
