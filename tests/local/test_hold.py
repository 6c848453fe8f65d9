"""`starter.py hold`: everything stands still, and every view says so."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.local.conftest import Place, Run, an_item
from tests.local.test_starter import a_file


@pytest.fixture
def held(here: Place, run: Run) -> Iterator[Run]:
    run("start", a_file(an_item("HOLD-1")))
    said = run("hold", "on", "--by", "ops", "--reason", "restore")
    assert (said.code, said.out) == (
        0,
        "on: no message and no consequence leaves until `starter.py hold off`; money still counts\n",
    )
    yield run
    run("hold", "off", "--by", "ops", "--reason", "test-over")


def test_g13_status_list_and_timeline_say_that_the_hold_is_on(held: Run) -> None:
    assert held("status", "HOLD-1").out.startswith("HOLD IS ON: nothing leaves since ")
    assert held("list").out.startswith("HOLD IS ON: nothing leaves since ")
    status = held("status", "HOLD-1", "--json").json
    assert status["standstill"]["by"] == "ops"
    assert [line["kind"] for line in status["timeline"]].count("standstill") == 1
    assert held("list", "--json").json[0]["standstill"]["reason"] == "restore"
    again = held("hold", "on", "--by", "kim", "--reason", "again")
    assert (again.code, again.out.startswith("A hold was on since ")) == (0, True)
    assert "(by ops: restore); this one takes its place." in again.out
    assert held("list", "--json").json[0]["standstill"]["reason"] == "again"
    assert held("hold", "off", "--by", "ops", "--reason", "restored").code == 0
    status = held("status", "HOLD-1", "--json").json
    assert status["standstill"] is None
    assert [line["kind"] for line in status["timeline"]].count("standstill") == 3
    assert held("hold", "off", "--by", "ops", "--reason", "restored").code == 1


def test_g13_a_rehearsal_that_is_due_waits_for_the_end_of_the_hold(held: Run) -> None:
    Path("due.jsonl").write_text(json.dumps(an_item("HOLD-2", issued_on="2027-02-01", due_on="2027-03-01")))
    assert held("start", "due.jsonl", "--rehearse", "--speed", "5000000", "--as-of", "2027-03-02T09:00Z").code == 0
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while "delayed" not in [line["kind"] for line in held("status", "HOLD-2", "--json").json["timeline"]]:
        assert datetime.now(UTC) < deadline
    assert held("outbox", "--invoice", "HOLD-2", "--json").json == []
    held("hold", "off", "--by", "ops", "--reason", "restored")
    while not held("outbox", "--invoice", "HOLD-2", "--json").json:
        assert datetime.now(UTC) < deadline


def test_g13_a_hold_names_a_role_and_a_code(here: Place, run: Run) -> None:
    said = run("hold", "on", "--by", "ana@acme.example", "--reason", "restore")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("refused: by: ")
