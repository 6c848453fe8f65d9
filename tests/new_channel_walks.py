"""What test_new_channel runs in its copy of the tree: each walk over the channels, with one channel more.

python -m tests.new_channel_walks FOLDER
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from temporalio.client import Client

from dunwell.bootstrap import make_dependencies
from dunwell.commands.messages import show
from dunwell.domain.channels import CLOSABLE, WRITTEN, Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways import registry
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.local.ladder_pages import pages
from dunwell.services.message_claims import in_form
from dunwell.settings import Settings
from dunwell.store import addresses, outbox
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.views.customer import customer_facts
from dunwell.views.evidence import gather
from dunwell.web.service import Keys
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps, the_catalogue, the_ladders
from tests.services.conftest import ServiceHarness
from tests.web.conftest import FakeTemporal, browse, serve

PAGER = Channel("pager")
PHONE, DEAD = "+34600123456", "+34600123666"
FIRST = "2027-03-02 09:00"


def a_database(folder: Path, name: str) -> Database:
    database = Database(f"sqlite:///{folder}/{name}.sqlite")
    migrate(database)
    return database


def a_harness(folder: Path, name: str, phone: str = PHONE) -> ServiceHarness:
    """A case on the ladder that pages first, after its first step."""
    harness = ServiceHarness(sample_deps(a_database(folder, name)))
    harness.open(an_invoice(policy="paging", customer=a_customer(contacts=(a_contact(phone=phone),))))
    harness.carry_out("first", FIRST)
    return harness


def ladder_check(folder: Path) -> None:
    assert the_ladders()["paging"].step("first").by[0] is PAGER
    done = subprocess.run(
        [sys.executable, "starter.py", "policy", "check", "policies/paging.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ok: paging@1" in done.stdout, done.stdout + done.stderr


def ladder_page(folder: Path) -> None:
    assert "pager, else email" in pages({"paging": the_ladders()["paging"]})["paging.md"]


def preview(folder: Path) -> None:
    file = folder / "invoice.json"
    contact = {"role": "accounts_payable", "name": "Ana Ruiz", "phone": PHONE}
    customer = {"id": "c1", "name": "Acme", "country": "DE", "language": "en", "contacts": [contact]}
    bill = {"invoice_id": "i1", "number": "1", "amount": "90.00", "currency": "EUR", "policy": "paging"}
    file.write_text(json.dumps(bill | {"customer": customer, "issued_on": "2027-02-01", "due_on": "2027-03-01"}))
    done = subprocess.run(
        [sys.executable, "starter.py", "preview", str(file), "--as-of", "2027-02-02", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"pager"' in done.stdout, done.stdout + done.stderr


def rehearsal(folder: Path) -> None:
    """The real provider; a rehearsal, or an installation without that provider, gets the outbox."""
    deps = make_dependencies(Settings(dunwell_state=folder))
    assert deps.gateway(PAGER, rehearsal=False).name == "beeper"
    assert isinstance(deps.gateway(PAGER, rehearsal=True), OutboxGateway)
    assert registry.chosen(PAGER, Settings())[0].described(Settings()) == "the beeper"


def outbox_rows(folder: Path) -> None:
    assert a_harness(folder, "good").states() == {"accounts_payable pager": "delivered"}
    (row,) = a_harness(folder, "text").messages()
    assert row.html is None and row.subject == "" and "2027-001" in row.body
    dead = a_harness(folder, "dead", DEAD)  # its provider's test number is refused: the next channel gets it
    assert dead.states() == {"accounts_payable pager": "failed", "accounts_payable email": "delivered"}


def caps(folder: Path) -> None:
    harness = a_harness(folder, "caps")
    bill = an_invoice(
        invoice_id="inv-2", number="2", policy="paging", customer=a_customer(contacts=(a_contact(phone=PHONE),))
    )
    harness.open(bill)
    answer = harness.carry_out("first", "2027-03-02 10:00")
    assert answer.outcome is not None and answer.outcome.status == "delayed"


def evidence(folder: Path) -> None:
    harness = a_harness(folder, "evidence")
    harness.carry_out("last", "2027-03-10 09:00")
    with harness.deps.database.reading() as session:
        assert len(outbox.delivered_warnings(session, "inv-1")) == 2  # what was read there is proof
    assert b'"pager"' in gather(harness.deps.database, "inv-1")


def webhook(folder: Path) -> None:
    harness = a_harness(folder, "webhook")
    with harness.deps.database.writing() as session:
        (found,) = outbox.of_invoice(session, "inv-1")
        found.state, found.provider_id = MessageState.ACCEPTED, "beep-1"
    asyncio.run(_told(harness.deps.database))
    assert harness.states() == {"accounts_payable pager": "delivered"}


async def _told(database: Database) -> None:
    keys = Keys(webhooks={"beeper": "key"}, hosts=frozenset({"inside.example"}))
    async with browse(serve(cast(Client, FakeTemporal()), database, keys)) as http:
        body = {"id": "e1", "of": "beep-1", "state": "delivered"}
        answer = await http.post("/webhooks/beeper", json=body)
        assert answer.json() == {"new": 1}, answer.text


def stop(folder: Path) -> None:
    harness = a_harness(folder, "stop")
    with harness.deps.database.writing() as session:
        addresses.close(session, PAGER, PHONE, "stopped", at(FIRST))
        assert addresses.why_closed(session, Channel.SMS, PHONE) is None
        facts: Any = customer_facts(session, "acme")
    assert PAGER in CLOSABLE
    assert facts["contacts"][0]["addresses_closed"] == {"pager": "stopped"}


def messages(folder: Path) -> None:
    """Every message has words in the form of every channel by which messages are sent."""
    catalogue = the_catalogue()
    for shown in show(catalogue, catalogue.languages):
        for channel in WRITTEN:
            assert in_form(shown.words, channel.facts.form)[1], (shown.key, channel)


WALKS: tuple[Callable[[Path], None], ...] = (
    *(ladder_check, ladder_page, preview, rehearsal, outbox_rows, caps, evidence, webhook, stop, messages),
)


if __name__ == "__main__":
    for walk in WALKS:
        walk(Path(sys.argv[1]))
        print(f"{walk.__name__} ok")
