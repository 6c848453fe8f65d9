"""The frame of the pages for customers: words of each language, isolated facts, no script, one style sheet."""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.texts.page_words import PAGES
from dunwell.web.customer.rendering import HEADERS, Writer
from tests.builders import the_catalogue
from tests.web.conftest import Site

CATALOGUE = the_catalogue()


@pytest.mark.parametrize("language", CATALOGUE.languages)
def test_every_word_can_be_said_with_its_facts_alone(language: str) -> None:
    writer = Writer(CATALOGUE, language)
    for name, facts in PAGES.items():
        said = writer.say(name, **dict.fromkeys(facts, "<x>"))
        assert "{" not in said and said.count("<bdi>&lt;x&gt;</bdi>") == len(facts), name


@pytest.mark.parametrize("language", [one for one in CATALOGUE.languages if one != "en"])
def test_no_sentence_is_left_in_english(language: str) -> None:
    ours, english = CATALOGUE.pages(language), CATALOGUE.pages("en")
    assert [name for name, text in ours.items() if text == english[name] and len(text.split()) > 3] == []


def test_days_and_amounts_are_written_as_the_language_does() -> None:
    spanish, german = Writer(CATALOGUE, "es"), Writer(CATALOGUE, "de")
    assert spanish.day(date(2027, 4, 9)) == "9 de abril de 2027"
    assert german.money(Decimal("1200"), "EUR") == "1.200,00\N{NO-BREAK SPACE}€"


async def test_the_style_sheet_is_served_and_no_script_is_allowed(site: Site) -> None:
    answer = await site.http.get("/i/static/customer.css")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/css")
    assert "script-src" not in HEADERS["Content-Security-Policy"] and "default-src 'none'" in str(HEADERS)
