"""The commands by which an agent asks a manager, and which show what waits."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import starter
from tests.builders import sample_deps
from tests.databases import opened
from tests.services.conftest import ServiceHarness


@pytest.mark.parametrize(("command", "event"), [("write-off", "write_off"), ("cancel", "cancel")])
def test_what_gives_up_the_claim_can_be_asked_for(
    blank_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, event: str
) -> None:
    file = tmp_path / "town.sqlite"
    shutil.copy(blank_file, file)
    database = opened(f"sqlite:///{file}")
    ServiceHarness(sample_deps(database)).open()
    database.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    monkeypatch.chdir(tmp_path)  # away from a .env of the developer
    asked = CliRunner().invoke(
        starter.app, [command, "inv-1", "--reason", "duplicate", "--ask"], catch_exceptions=False
    )
    assert asked.exit_code == 0 and "waits for a manager" in asked.stdout, asked.output
    shown = CliRunner().invoke(starter.app, ["approvals", "--json"], catch_exceptions=False)
    (waiting,) = json.loads(shown.stdout)
    assert (waiting["invoice_id"], waiting["event"], waiting["content"]["reason"]) == ("inv-1", event, "duplicate")
