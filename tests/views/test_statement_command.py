"""The commands `statement` and `statement-layout`, up to the booking."""

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dunwell.commands.statements import statement, statement_layout
from dunwell.domain.refusal import Refused
from tests.builders import an_invoice, sample_deps
from tests.databases import opened
from tests.intake.statements import ACCOUNT, camt, camt_entry
from tests.services.conftest import ServiceHarness

Run = Callable[..., Any]
TABLE = "Buchungstag;Zweck;Betrag\n02.03.2026;INV-2027-0417;1.200,00\n"
COLUMNS = ("--map", "Buchungstag=booked_on", "--map", "Zweck=text", "--map", "Betrag=amount")


@pytest.fixture
def run(blank_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The commands, on a database with an invoice of 1,200 euros."""
    url = f"sqlite:///{tmp_path}/town.sqlite"
    shutil.copy(blank_file, tmp_path / "town.sqlite")
    database = opened(url)
    ServiceHarness(sample_deps(database)).open(an_invoice(number="INV-2027-0417", amount=Decimal("1200.00")))
    database.close()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)  # away from a .env of the developer
    app = typer.Typer()
    app.command("statement")(statement)
    app.command("statement-layout")(statement_layout)
    return lambda *words: CliRunner().invoke(app, [str(one) for one in words])


def test_a_preview_is_the_default(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "march.xml"
    file.write_bytes(
        camt(camt_entry("1200.00", "INV-2027-0417", day="2026-03-02"), camt_entry(sign="DBIT", day="2026-03-02"))
    )
    shown = run("statement", file)
    assert shown.exit_code == 0
    assert "inv-1=1200.00" in shown.stdout and "nothing is booked: add --book" in shown.stdout
    told = json.loads(run("statement", file, "--json").stdout)
    assert (told["booked"], [line["verdict"] for line in told["lines"]]) == (False, ["book", "outgoing"])


def test_a_damaged_file_ends_with_1_and_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "march.xml"
    file.write_bytes(camt(camt_entry("1x")))
    shown = run("statement", file)
    assert (shown.exit_code, "problem: entry 1: Amt" in shown.stderr) == (1, True)
    assert run("statement", file, "--accept-partial").exit_code == 0


def test_a_layout_is_said_once_and_reads_every_file_of_that_bank(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_text(TABLE, encoding="utf-8")
    made = run("statement-layout", "sk", "--account", ACCOUNT, *COLUMNS, "--dialect", "decimal-comma,day-first")
    assert made.exit_code == 0
    assert "Betrag=amount" in run("statement-layout").stdout
    assert json.loads(run("statement-layout", "sk", "--json").stdout)["sk"]["decimals"] == "decimal-comma"
    told = json.loads(run("statement", file, "--layout", "sk", "--json").stdout)
    assert [(line["verdict"], line["entry"]["amount"]) for line in told["lines"]] == [("book", "1200.00")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statement", "nowhere.xml"), "cannot be read"),
        (("statement", "x.csv"), "none of camt"),
        (("statement", "x.csv", "--layout", "nobody"), "is not known"),
        (("statement-layout", "sk", *COLUMNS), "--account: is missing"),
        (("statement-layout", "sk", "--account", ACCOUNT, "--map", "Betrag"), "is not COLUMN=FIELD"),
        (("statement-layout", "sk", "--account", ACCOUNT, "--map", "Betrag=amount"), "booking day"),
    ],
)
def test_what_cannot_be_done_is_refused(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "x.csv").write_text(TABLE, encoding="utf-8")
    refused = run(*words).exception
    assert isinstance(refused, Refused) and said in str(refused)
