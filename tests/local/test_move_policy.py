"""Moving cases and keeping evidence by the command line, with the real server."""

import json
from pathlib import Path

import pytest

from dunwell.domain.policy import Policy
from dunwell.domain.terms import Stage
from tests.builders import the_ladders
from tests.local.conftest import Run, an_item

MOVE = ("move-policy", "--from", "gentle-saas@2", "--to", "gentle-saas@3")


def edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits gentle-saas and raises its version: it ends with the restriction now."""
    old = the_ladders()["gentle-saas"]
    last = old.step("restrict").model_copy(update={"ends": Stage.WRITTEN_OFF})
    new: Policy = old.model_copy(update={"version": 3, "steps": (*old.steps[:2], last)})
    monkeypatch.setattr("dunwell.commands.common.read_ladders", lambda _traits: {**the_ladders(), "gentle-saas": new})


def started(run: Run, *invoices: str) -> None:
    path = Path("invoices.json")
    path.write_text(json.dumps([an_item(invoice, policy="gentle-saas") for invoice in invoices]), encoding="utf-8")
    said = run("start", str(path))
    assert said.code == 0, said.err


def ladder(run: Run, invoice: str) -> str:
    policy = run("status", invoice, "--json").json["policy"]
    return f"{policy['name']}@{policy['version']}"


@pytest.mark.usefixtures("here")
def test_a_move_is_shown_and_confirmed_only_for_cases_that_did_not_change(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started(run, "MV-1", "MV-2", "MV-3")
    edit(monkeypatch)
    shown = run(*MOVE)
    assert shown.code == 0, shown.err
    assert "last-letter, hand-over" in shown.out
    assert "Nothing was changed" in shown.out
    assert ladder(run, "MV-1") == "gentle-saas@2"

    kept = tmp_path / "seen.json"
    kept.write_text(run(*MOVE, "--json").out, encoding="utf-8")
    assert run("pause", "MV-2", "--reason", "hardship").code == 0
    moved = run(*MOVE, "--confirm", "--seen", str(kept), "--json")
    assert moved.code == 1
    results = moved.json["results"]
    assert (results["MV-1"], results["MV-3"]) == ("moved", "moved")
    assert "the case has changed since the preview" in results["MV-2"]
    ladders = [ladder(run, one) for one in ("MV-1", "MV-2", "MV-3")]
    assert ladders == ["gentle-saas@3", "gentle-saas@2", "gentle-saas@3"]
    assert run("outbox", "--invoice", "MV-1", "--json").json == []


@pytest.mark.usefixtures("here")
def test_one_case_is_moved_there_and_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started(run, "MV-4", "MV-5")
    edit(monkeypatch)
    there = run(*MOVE, "--invoice", "MV-4", "--confirm")
    assert (there.code, "moved" in there.out) == (0, True)
    assert [ladder(run, one) for one in ("MV-4", "MV-5")] == ["gentle-saas@3", "gentle-saas@2"]
    again = run(*MOVE, "--invoice", "MV-4", "--confirm")
    assert (again.code, "MV-4 is on gentle-saas@3" in again.err) == (1, True)
    back = run("move-policy", "--from", "gentle-saas@3", "--to", "gentle-saas@2", "--invoice", "MV-4", "--confirm")
    assert back.code == 0
    assert ladder(run, "MV-4") == "gentle-saas@2"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--from", "x", "--to", "gentle-saas@3"), 1, "names no version"),
        (("--from", "gentle-saas@2", "--to", "gradual-pressure@2"), 1, "another ladder"),
        (("--from", "gentle-saas@2", "--to", "gentle-saas@3", "--seen", "x"), 2, "only goes with --confirm"),
    ],
)
def test_what_cannot_be_moved_is_said(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = run("move-policy", *arguments)
    assert (answer.code, said in answer.err) == (code, True), answer.err


@pytest.mark.usefixtures("here")
def test_evidence_is_written_and_a_changed_file_refused(run: Run, tmp_path: Path) -> None:
    started(run, "EV-1")
    path = tmp_path / "ev-1.jsonl"
    assert run("evidence", "EV-1", "--out", str(path)).code == 0
    assert run("evidence", "--verify", str(path)).out.startswith("ok: ")
    path.write_bytes(path.read_bytes().replace(b'"kind":"opened"', b'"kind":"closed"', 1))
    changed = run("evidence", "--verify", str(path))
    assert (changed.code, "was changed" in changed.err) == (1, True), changed.err
    assert run("evidence").code == 2
    assert run("evidence", "EV-9").code == 1
