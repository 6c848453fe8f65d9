"""People read names where cases, replies and links hold the ids of our users and of the customer's people."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import to_jsonable_python
from sqlalchemy.orm import Session

from dunwell.client.customers import Customers
from dunwell.domain.ladder import NextAction
from dunwell.domain.links import LinkKind
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.domain.reply_terms import ReplyChannel, ReplyKind, ReplyOutcome
from dunwell.services.approvals import Approvals
from dunwell.services.links import Links
from dunwell.store import notes
from dunwell.store.database import Database
from dunwell.store.tables import ContactRow, ReplyRow, UserRow
from dunwell.views.case_status import case_facts, stored_status, with_written
from dunwell.views.customer import customer_facts
from dunwell.views.links import customer_links
from dunwell.views.names import Names
from dunwell.views.notes import notes_about
from dunwell.views.replies import latest_replies, one_reply
from tests.builders import an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness

ADA = Principal(PrincipalKind.PERSON, id="user-ada", name="Ada Lovelace", role=Role.MANAGER)
NOW = at("2027-03-03 09:00")


def a_reply(reply_id: str, customer_id: str) -> ReplyRow:
    return ReplyRow(
        reply_id=reply_id,
        customer_id=customer_id,
        forwarded=False,
        channel=ReplyChannel.EMAIL,
        kind=ReplyKind.PERSON,
        why="",
        sender="a@acme.example",
        sender_key="a@acme.example",
        sender_name="",
        subject="",
        text="Hello",
        whole="Hello",
        verdicts={},
        proposals=[],
        received_at=NOW,
        handled_at=NOW,
        handled_by=ADA.id,
        outcome=ReplyOutcome.NO_ANSWER,
    )


@pytest.fixture
def house(database: Database) -> ServiceHarness:
    """A case about which Ada decided whatever can be decided, and a customer of a rehearsal."""
    harness = ServiceHarness(sample_deps(database))
    harness.open(rehearsal=True)
    harness.open(an_invoice(invoice_id="inv-2", number="2"))
    with database.writing("acme") as session:
        session.add(UserRow(user_id=ADA.id, email="ada@x.example", name=ADA.name, role=Role.MANAGER, created_at=NOW))
        session.flush()
        session.add_all([a_reply("r-1", "acme"), a_reply("r-2", "rehearsal.acme")])
        notes.add(session, note_id="n1", invoice_id="inv-2", author=ADA.id, text="Called", now=NOW)
        notes.add(session, note_id="n2", invoice_id="inv-2", author="link of accounts_payable.1", text="Hi", now=NOW)
        Links("https://x.example", ["s" * 32]).issue(session, LinkKind.PAGE, "acme", NOW)
    harness.record("promise_to_pay", "2027-03-03 09:00", date="2027-03-10", promised_by=ADA.id)
    harness.record("pause", "2027-03-03 09:00", reason="audit", by=ADA.id)
    people = Customers(harness.deps).acting(ADA)
    people.pause("acme", "audit", ADA.id)
    people.revoke_links("acme", "lost", ADA.id)
    people.close_contact("acme.accounts_payable.1", "left", ADA.id)
    Approvals(database).request("inv-2", "write_off", {"reason": "small"}, ADA, NOW)
    return harness


READ: dict[str, Callable[[Session, Database], Any]] = {
    "status": lambda session, database: case_facts(session, stored_status(database, "inv-2"), None),
    "customer": lambda session, database: customer_facts(session, "acme"),
    "links": lambda session, database: customer_links(session, "acme"),
    "reply": lambda session, database: one_reply(session, "r-1", NOW),
    "replies": lambda session, database: latest_replies(session, NOW, 0, 9)[0],
    "notes": lambda session, database: notes_about(session, "acme", ["inv-2"]),
    "approvals": lambda session, database: [one | {"content": {}} for one in Approvals(database).waiting()],
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_our_users_are_named_wherever_people_read_what_they_did(house: ServiceHarness) -> None:
    database = house.deps.database
    for what, read in READ.items():
        with database.reading() as session:
            text = json.dumps(to_jsonable_python(read(session, database)))
        assert "Ada Lovelace" in text and "user-ada" not in text, (what, text)
    with database.reading() as session:
        told = notes_about(session, "acme", ["inv-2"])["n2"]["author"]
        assert told == "link of Accounts_Payable Person (accounts payable)"
        marked = {one["reply_id"]: one["rehearsal"] for one in latest_replies(session, NOW, 0, 9)[0]}
    assert marked == {"r-1": False, "r-2": True}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_why_the_next_step_waits_names_people_too(house: ServiceHarness) -> None:
    told = stored_status(house.deps.database, "inv-2")
    waits = NextAction(step="restrict", at=NOW, why="the whole customer rests (audit, by user-ada)")
    shown = with_written(house.deps.database, told.model_copy(update={"next_action": waits})).next_action
    assert shown is not None and shown.why == "the whole customer rests (audit, by Ada Lovelace)"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_has_no_name_is_called_by_their_masked_address(house: ServiceHarness) -> None:
    with house.deps.database.writing("acme") as session:
        row = session.get(ContactRow, "acme.accounts_payable.1")
        assert row is not None
        row.name = " "
        session.flush()
        said = Names(session, "acme").within("promised by link of accounts_payable.1")
    assert said == "promised by link of a•••@acme.example (accounts payable)"
