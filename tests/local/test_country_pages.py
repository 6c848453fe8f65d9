"""The pages of the countries: they are those of today's files, and say what the files say."""

import re

import pytest

from dunwell.intake.jurisdiction_files import read_jurisdictions
from dunwell.local.country_pages import PAGES, pages

LAWS = read_jurisdictions()
MADE = pages(LAWS)


def test_there_is_a_page_of_every_country_a_list_and_no_other() -> None:
    assert {path.name for path in PAGES.iterdir()} == set(MADE) == {"README.md", *(f"{code}.md" for code in LAWS)}


@pytest.mark.parametrize("name", sorted(MADE))
def test_no_page_is_stale(name: str) -> None:
    assert (PAGES / name).read_text(encoding="utf-8") == MADE[name], "stale: make docs writes the pages anew"


@pytest.mark.parametrize("code", sorted(LAWS))
def test_a_page_names_every_source_and_what_is_missing(code: str) -> None:
    page, law = MADE[f"{code}.md"], LAWS[code]
    assert "This is no legal advice." in page
    for _, row in law.facts():
        assert row.source in page
        assert row.basis is None or row.basis in page
        assert row.note is None or row.note in page
    assert all(sentence in page for sentence in law.missing)
    assert ("No claim is made by this law" in page) is not law.complete


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("DE", "| 2023-07-01 | 2023-12-31 | 12.12 |"),
        ("DE", "| 2016-07-01 | 2022-12-31 | 8.12 |"),
        ("DE", "| 2026-07-01 | 2026-12-31 | 6.52 |"),
        ("FR", "| 2017-01-01 | 2017-12-31 | not known |"),
        ("RU", "| 2022-04-01 | 2022-10-01 | 0 |"),
        ("GB", "below 1000 GBP: 40 GBP; below 10000 GBP: 70 GBP; above: 100 GBP, for each invoice."),
        ("PL", "up to 5000 PLN: 40 EUR"),
        ("NL", "up to 2500 EUR: 15 % of the part of this band"),
        ("IE", "The rate of the due date is kept."),
        ("US", "No call for 7 days after a talk."),
    ],
)
def test_what_a_page_says(code: str, line: str) -> None:
    assert line in MADE[f"{code}.md"]


def test_no_page_holds_a_word_of_the_program_alone() -> None:
    for name, page in MADE.items():
        words = re.sub(r"https?://\S+|\([^)]*\)|\[[^\]]*\]", "", page)
        assert not re.search(r"\b(None|StrEnum|customers=|_at_|Decimal)\b(?!\.)", words), name
