"""The commands `link list`, `link revoke` and `link show`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import starter
from dunwell.domain.links import LinkKind
from dunwell.domain.refusal import Refused
from dunwell.services.links import Links
from dunwell.store import audit
from dunwell.store.tables import AuditRow
from tests.builders import sample_deps
from tests.databases import opened
from tests.services.conftest import REGISTERED, ServiceHarness

Run = Callable[..., Any]
SECRET, ORIGIN = "the secret of our customers' links", "https://dunning.example"
CONTACT = "acme.accounts_payable.1"


@pytest.fixture
def file(blank_file: Path, tmp_path: Path) -> Path:
    """A database with a customer that has a link of their own, and one of a contact."""
    file = tmp_path / "town.sqlite"
    shutil.copy(blank_file, file)
    database, made = opened(f"sqlite:///{file}"), Links(ORIGIN, [SECRET])
    ServiceHarness(sample_deps(database)).open()
    with database.writing("acme") as session:
        made.issue(session, LinkKind.RESTRICTION, "acme", REGISTERED)
        made.issue(session, LinkKind.PAGE, "acme", REGISTERED, contact_id=CONTACT)
    database.close()
    return file


@pytest.fixture
def run(file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The commands, on that database. Returns what they print."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    monkeypatch.setenv("LINK_SECRET", SECRET)
    monkeypatch.setenv("PUBLIC_URL", ORIGIN)
    monkeypatch.chdir(file.parent)  # away from a .env of the developer

    def run(*words: str) -> str:
        done = CliRunner().invoke(starter.app, ["link", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def audited(file: Path, action: str) -> list[AuditRow]:
    database = opened(f"sqlite:///{file}")
    with database.reading() as session:
        found = list(audit.read(session, about="customer/acme", action=action))
    database.close()
    return found


def listed(run: Run, *words: str) -> dict[str, Any]:
    return {one["kind"]: one for one in json.loads(run("list", "acme", *words, "--json"))}


def test_links_are_listed_of_a_customer_or_a_contact(run: Run) -> None:
    assert set(listed(run)) == {"page", "restriction"}
    assert set(listed(run, "--contact", CONTACT)) == {"page"}
    shown = run("list", "acme")
    assert listed(run)["page"]["link_id"] in shown and CONTACT in shown and ORIGIN not in shown
    assert run("list", "acme", "--contact", "acme.user.1") == "No links.\n"
    with pytest.raises(Refused, match="nobody"):
        run("list", "nobody")


def test_one_link_those_of_a_contact_or_of_a_customer_are_revoked(run: Run, file: Path) -> None:
    assert "1 link of acme revoked" in run("revoke", "--contact", CONTACT, "--reason", "forwarded")
    assert listed(run)["page"]["reason"] == "forwarded" and listed(run)["restriction"]["revoked_at"] is None
    assert "0 links of acme revoked" in run("revoke", listed(run)["page"]["link_id"], "--reason", "again")
    assert "1 link of acme revoked" in run("revoke", "--customer", "acme", "--reason", "moved")
    assert [entry.reason for entry in audited(file, "links_revoked")] == ["forwarded", "moved"]
    assert run("list", "acme").count(" by ") == 2
    for words in ((), ("x", "--customer", "acme")):
        done = CliRunner().invoke(starter.app, ["link", "revoke", *words, "--reason", "x"])
        assert done.exit_code == 2 and "one of them only" in done.stderr


def test_an_address_is_shown_again_and_that_is_audited(run: Run, file: Path) -> None:
    link_id = listed(run)["page"]["link_id"]
    address = run("show", link_id).strip()
    assert address.startswith(f"{ORIGIN}/i/") and json.loads(run("show", link_id, "--json")) == {"address": address}
    entries = audited(file, "link_shown")
    assert [entry.details for entry in entries] == [{"link": link_id}] * 2 and address not in str(entries)
    run("revoke", link_id, "--reason", "forwarded")
    with pytest.raises(Refused):
        run("show", link_id)
