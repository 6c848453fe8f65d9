"""Where free help with debts is found: each file holds services with their source, and a bad one is refused."""

from pathlib import Path

import pytest

from dunwell.intake.debt_advice_files import FOLDER, debt_advice
from dunwell.intake.jurisdiction_files import known_codes

GOOD = """\
[[service]]
name = "Help"
url = "https://help.example"
source = "a book"
checked_on = 2026-11-28
certainty = "memory"
"""


def test_every_file_is_of_a_known_country_and_says_where_it_was_read() -> None:
    found = debt_advice(FOLDER)
    assert found.keys() <= known_codes() and len(found) > 5
    assert all(one.source and one.url.startswith("https://") for services in found.values() for one in services)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("https://", "http://"), "xx.toml: service 0.url"),
        (GOOD.replace("checked_on", "seen"), "xx.toml: service 0"),
        (GOOD.replace("[[service]]", "[[help]]"), "xx.toml: holds [[service]] tables"),
        ("[[service", "xx.toml"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "xx.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"xx\.toml") as refused:
        debt_advice(tmp_path)
    assert says in str(refused.value)


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "xx.toml").write_text(GOOD, encoding="utf-8")
    assert [one.name for one in debt_advice(tmp_path)["XX"]] == ["Help"]
