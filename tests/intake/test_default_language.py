"""The languages of business by country."""

import pytest

from dunwell.domain.invoice import UNDETERMINED
from dunwell.intake.default_language import languages_of, missing
from tests.builders import a_customer, the_catalogue


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
        ("NZ", ["en-NZ", "mi-NZ"]),  # Maori is official by law, but few speak it
        ("SN", ["wo-SN", "fr-SN"]),  # few speak the official language of Senegal, and it is that of business
        ("ML", ["fr-ML"]),
        ("IN", ["hi-IN"]),
        ("AQ", []),
    ],
)
def test_spoken_in(country: str, tags: list[str]) -> None:
    assert list(languages_of(country)) == tags


@pytest.mark.parametrize(
    ("named", "country", "ladder", "says"),
    [
        ("hu", "DE", "en", "no messages are in 'hu': in 'en' instead"),
        ("hu", "HU", "es", "no messages are in 'hu': in 'es' instead"),  # the ladder's language
        (UNDETERMINED, "HU", "en", "no messages are in 'hu-HU': in 'en' instead"),
        (UNDETERMINED, "CH", "en", None),
        (UNDETERMINED, "AQ", "en", None),  # nobody knows what would be right
        (UNDETERMINED, "MX", "en", None),
        ("en-GB", "DE", "es", None),
        ("pt-PT", "PT", "en", None),
    ],
)
def test_c6_what_is_told_where_no_messages_are_in_the_customers_language(
    named: str, country: str, ladder: str, says: str | None
) -> None:
    assert missing(a_customer(language=named, country=country), ladder, the_catalogue().spoken) == says
