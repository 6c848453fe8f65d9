"""The command `figures`: for people, as JSON and as a file."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dunwell.commands.figures import figures
from dunwell.domain.figures.period import AsOf
from dunwell.domain.refusal import Refused
from dunwell.views import figures as view
from tests.databases import opened
from tests.views.recount import FIRST, settle, town

LATER = FIRST.replace(month=6)


@pytest.fixture
def run(blank_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command, on a small town."""
    url = f"sqlite:///{tmp_path}/town.sqlite"
    shutil.copy(blank_file, tmp_path / "town.sqlite")
    database = opened(url)
    with database.writing() as session:
        settle(session, town(40))
    database.close()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)  # away from a .env of the developer
    app = typer.Typer()
    app.command()(figures)
    return lambda *words: CliRunner().invoke(app, [str(one) for one in words])


def test_people_programs_and_spreadsheets_get_the_same_numbers(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("--as-of", LATER, "--json", "--csv", "figures.csv")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    database = opened(f"sqlite:///{tmp_path}/town.sqlite")
    with database.reading() as session:
        assert found == view.figures(session, AsOf.end_of(LATER))
    database.close()
    with (tmp_path / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = {tuple(row[1:5]): row[5] for row in csv.reader(file)}
    shown = run("--as-of", LATER).stdout
    for one in found["figures"]:
        assert rows[one["currency"], "", "", "dso"] == (one["dso"] or "")
        assert view.headline(one) in shown


def test_one_currency_is_shown_however_it_is_written(run: Callable[..., Any]) -> None:
    found = json.loads(run("--as-of", LATER, "--currency", "eur", "--json").stdout)
    assert [one["currency"] for one in found["figures"]] == ["EUR"]


@pytest.mark.parametrize(
    ("words", "field"),
    [(("--currency", "XXX"), "currency"), (("--as-of", "soon"), "as_of"), (("--as-of", "2098-01-01"), "as_of")],
)
def test_what_cannot_be_is_refused(run: Callable[..., Any], words: tuple[str, ...], field: str) -> None:
    error = run(*words).exception
    assert isinstance(error, Refused) and error.field == field


def test_a_file_that_cannot_be_written_is_said(run: Callable[..., Any]) -> None:
    error = run("--csv", "no/such/folder.csv").exception
    assert "no/such/folder.csv cannot be written" in str(error)
