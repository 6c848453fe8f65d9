"""`starter.py rates` as staff use it: no Temporal server, a database that several machines share."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import starter
from dunwell.commands import rates
from dunwell.store.database import Database

TODAY = date(2026, 11, 28)
ECB = (
    "DATE,TIME PERIOD,Level (FM.B.U2.EUR.4F.KR.MRR_FR.LEV)\n2026-06-17,17 Jun 2026,2.4\n2026-09-16,16 Sep 2026,2.65\n"
)


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def run(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.delenv("SENDER_COUNTRY", raising=False)
    monkeypatch.setattr(rates, "_today", lambda: TODAY)

    def run_it(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as end:
            starter.main(["rates", *arguments])
        printed = capsys.readouterr()
        return Said(int(end.value.code or 0), printed.out, printed.err)

    return run_it


def the(facts: list[dict[str, Any]], **about: str) -> dict[str, Any]:
    return next(one for one in facts if about.items() <= one.items())


def test_what_is_known_until_when(run: Run) -> None:
    facts = run("--json").json
    ecb = the(facts["series"], series="ecb-mro")
    assert (ecb["known_until"], ecb["rate"], ecb["imports"]) == ("2026-10-01", "2.65", [])
    germany = the(facts["countries"], country="DE")
    assert (germany["known_through"], germany["complete"], germany["missing"]) == ("2026-12-31", True, [])
    # A half-year that began when its base was known is known whole; a rate by the day is not.
    assert the(facts["countries"], country="IT")["known_through"] == "2026-12-31"
    assert the(facts["countries"], country="RU")["known_through"] == "2026-10-01"
    assert the(facts["countries"], country="CH")["known_through"] is None
    sweden = the(facts["countries"], country="SE")
    assert (sweden["complete"], sweden["missing"][0][:18]) == (False, "the reference rate")
    table = run().out
    assert "ecb-mro" in table
    assert "Sweden" in table


def test_values_and_confirmation(run: Run) -> None:
    lump = "lump_sum.business+public.2016-01-01"
    before = the(run("values", "AT", "--json").json, field=lump)
    assert (before["certainty"], before["sure"], before["confirmed_by"]) == ("memory", False, None)
    done = run("confirm", "AT", "lump_sum", "--by", "legal", "--source", "RIS, § 458 UGB")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"at.{lump}: basis § 458 UGB, amount 40, currency EUR: confirmed by legal")
    after = the(run("values", "at", "--json").json, field=lump)
    assert (after["sure"], after["confirmed_by"], after["source"]) == (True, "legal", "RIS, § 458 UGB")
    austria = the(run("--json").json["countries"], country="AT")
    assert lump not in [one["field"] for one in austria["unconfirmed"]]
    assert [one["field"] for one in austria["confirmed"]] == [lump]
    assert "legal" in run("values", "AT").out
    assert "legal" in run().out


def test_the_name_that_a_claim_gives_may_be_confirmed_as_it_is(run: Run) -> None:
    assert run("confirm", "at.lump_sum.business+public.2016-01-01", "--by", "legal", "--source", "RIS").code == 0
    assert run("confirm", "it-legal-rate.2026-01-01", "--by", "legal", "--source", "GU").out == (
        "it-legal-rate.2026-01-01: 1.60 % from 2026-01-01: confirmed by legal\n"
    )
    nothing = run("confirm", "AT", "--by", "legal", "--source", "RIS")
    assert nothing.code == 2
    assert "FIELD is missing" in nothing.err


def test_check(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = run("check")
    assert (nothing.code, nothing.out) == (0, "all rates are known for today: no law is in use\n")
    monkeypatch.setenv("SENDER_COUNTRY", "DE")
    assert run("check").out == "all rates are known for today: DE\n"
    monkeypatch.setattr(rates, "_today", lambda: date(2027, 1, 1))
    stale = run("check")
    assert (stale.code, stale.out) == (1, "")
    assert stale.err == (
        "DE (SENDER_COUNTRY): de-base is known until 2026-12-31 only; "
        "bring newer rates by `starter.py rates import de-base FILE`\n"
    )
    assert run("check", "--json").json["stale"][0]["series"] == "de-base"


def test_check_all(run: Run) -> None:
    found = run("check", "--all", "--json")
    assert found.code == 1
    assert {(one["country"], one["series"]) for one in found.json["stale"]} == {
        ("FR", "fr-legal-rate-professional"),
        ("PL", "nbp-reference"),
        ("RU", "cbr-key-rate"),
        ("SE", "se-reference"),
    }


def test_an_import_shows_the_difference_first(run: Run) -> None:
    Path("ecb.csv").write_text(ECB + "2026-11-04,04 Nov 2026,2.90\n")
    shown = run("import", "ecb-mro", "ecb.csv", "--known-until", "2026-11-27", "--json").json
    assert shown["applied"] is False
    assert shown["differences"] == [
        {"day": "2026-10-02", "before": None, "after": "2.65"},
        {"day": "2026-11-04", "before": None, "after": "2.90"},
    ]
    assert "nothing is stored: add --apply --by ROLE" in run("import", "ecb-mro", "ecb.csv").out
    assert the(run("--json").json["series"], series="ecb-mro")["imports"] == []
    nobody = run("import", "ecb-mro", "ecb.csv", "--apply")
    assert (nobody.code, nobody.err) == (1, "refused: --by: is missing: say who imports the rates, a role or an id\n")
    done = run("import", "ecb-mro", "ecb.csv", "--known-until", "2026-11-27", "--apply", "--by", "treasury")
    assert (done.code, done.out.splitlines()[-1]) == (0, "stored: ecb-mro through 2026-11-27, by treasury")
    ecb = the(run("--json").json["series"], series="ecb-mro")
    assert (ecb["known_until"], ecb["rate"]) == ("2026-11-27", "2.90")
    assert {name: ecb["imports"][0][name] for name in ("first", "last", "by", "source")} == {
        "first": "2026-06-17",
        "last": "2026-11-27",
        "by": "treasury",
        "source": "ecb.csv",
    }
    again = run("import", "ecb-mro", "ecb.csv", "--known-until", "2026-11-27")
    assert again.out.startswith("ecb-mro: the file says what is known, through 2026-11-27")


def test_an_import_makes_a_stale_rate_known(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDER_COUNTRY", "RU")
    assert run("check").code == 1
    Path("cbr.csv").write_text("date;rate\n27.07.2026;14,00\n26.10.2026;13,50\n")
    run("import", "cbr-key-rate", "cbr.csv", "--known-until", "2026-11-28", "--apply", "--by", "treasury")
    assert run("check").code == 0


def test_a_file_of_another_series_is_not_taken_by_mistake(run: Run) -> None:
    Path("deposit.csv").write_text("2026-06-17,2.25\n2026-09-16,2.50\n")
    refused = run("import", "ecb-mro", "deposit.csv", "--apply", "--by", "ops")
    assert refused.code == 1
    assert refused.err == (
        "refused: FILE: has other rates than those known, 2 of them: is it this series? If so, add --replace\n"
    )
    assert the(run("--json").json["series"], series="ecb-mro")["imports"] == []
    assert run("import", "ecb-mro", "deposit.csv", "--apply", "--by", "ops", "--replace").code == 0


def test_a_wrong_import_is_withdrawn(run: Run) -> None:
    Path("deposit.csv").write_text("2026-06-17,2.25\n2026-09-16,2.50\n")
    before = the(run("--json").json["series"], series="ecb-mro")
    run("import", "ecb-mro", "deposit.csv", "--apply", "--by", "ops", "--replace")
    assert the(run("--json").json["series"], series="ecb-mro")["imports"][0]["number"] == 1
    done = run("withdraw", "ecb-mro", "--by", "treasury")
    assert (done.code, done.err) == (0, "")
    assert "2026-09-16" in done.out and "2.50 %" in done.out and "2.65 %" in done.out
    assert done.out.splitlines()[-1].startswith(
        "withdrawn: import 1 of ecb-mro, 2026-06-17 to 2026-09-16, by treasury"
    )
    assert the(run("--json").json["series"], series="ecb-mro") == before
    again = run("withdraw", "ecb-mro", "--by", "treasury")
    assert again.err == "refused: SERIES: 'ecb-mro' has no such import: there are none (starter.py rates --json)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "ecb-mor", "good.csv"), "refused: SERIES: 'ecb-mor' is no series: did you mean 'ecb-mro'?"),
        (("import", "ecb-mro", "none.csv"), "refused: FILE: none.csv cannot be read: No such file"),
        (("import", "ecb-mro", "bad.csv"), "refused: FILE: bad.csv line 2: 'soon' is no day"),
        (("import", "ecb-mro", "far.csv"), "refused: FILE: speaks of 2030-01-01, which is more than a year ahead"),
        (("import", "ecb-mro", "good.csv", "--by", "a@b.example", "--apply"), "refused: by: must be a role"),
        (("values", "SG"), "refused: COUNTRY: 'SG' is no country and no series here"),
        (("confirm", "SG", "x", "--by", "legal", "--source", "none"), "refused: COUNTRY: 'SG' is no country"),
    ],
)
def test_refusals(run: Run, arguments: tuple[str, ...], said: str) -> None:
    Path("good.csv").write_text("2026-09-16,2.65\n")
    Path("bad.csv").write_text("2026-09-16,2.65\nsoon,3\n")
    Path("far.csv").write_text("2030-01-01,2.65\n")
    found = run(*arguments)
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith(said)


def test_a_day_that_is_none_is_a_wrong_command_line(run: Run) -> None:
    Path("good.csv").write_text("2026-09-16,2.65\n")
    assert run("import", "ecb-mro", "good.csv", "--known-until", "soon").code == 2
