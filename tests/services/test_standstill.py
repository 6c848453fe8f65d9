"""A standstill: no message, no call and no consequence leaves; money counts and frees."""

from datetime import timedelta

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Customer
from dunwell.domain.principals import SYSTEM
from dunwell.domain.reconciliation_report import BY
from dunwell.domain.refusal import Refused
from dunwell.domain.standstill import Decision, decision
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services import standstill
from dunwell.store import standstills
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, at
from tests.gateways.fakes import FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid
from tests.services.test_posting import look

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-23 10:00"
OPS = decision("ops", "restore")
TWO: Customer = a_customer(contacts=(a_contact(), a_contact(number=2)))


def begin(harness: ServiceHarness, when: str = FIRST) -> None:
    assert standstill.begin(harness.deps.database, OPS, at(when))


def test_g13_no_message_leaves_in_a_standstill(harness: ServiceHarness) -> None:
    harness.open()
    begin(harness)
    answer = harness.carry_out("first-reminder", FIRST)
    assert harness.messages() == []
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", at(FIRST) + timedelta(hours=1))
    harness.carry_out("first-reminder", "2027-03-02 10:00")
    said = [entry.reason for entry in harness.entries("delayed")]
    assert len(said) == 1, "said once, however often it is looked at"
    assert "nothing leaves since 2027-03-02 09:00 UTC" in said[0]
    assert "by ops: restore" in said[0]
    assert standstill.end(harness.deps.database, OPS, at("2027-03-02 10:30"))
    harness.carry_out("first-reminder", "2027-03-02 11:00")
    assert harness.states("first-reminder") == {"accounts_payable email": "delivered", "user email": "delivered"}


class Begins:
    """A gateway during whose first call somebody begins a standstill."""

    name, channel, can_find = "outbox", Channel.EMAIL, True

    def __init__(self, database: Database) -> None:
        self._inner, self._database = OutboxGateway(Channel.EMAIL), database

    def send(self, envelope: Envelope) -> Receipt:
        standstill.begin(self._database, OPS, at(FIRST))
        return self._inner.send(envelope)

    def find(self, envelope: Envelope, since: object) -> Receipt | None:
        return None


def test_g13_the_second_of_two_messages_is_stopped_by_a_standstill(
    make_harness: MakeHarness, file_database: Database
) -> None:
    """The step was judged before it began: the claim looks again."""
    harness = make_harness(email=Begins(file_database))
    harness.open(an_invoice(customer=TWO))
    answer = harness.carry_out("first-reminder", FIRST)
    assert [row.contact_id for row in harness.messages()] == ["acme.accounts_payable.1"]
    assert answer.outcome is not None
    assert answer.outcome.status == "delayed"
    standstill.end(harness.deps.database, OPS, at(FIRST))
    harness.carry_out("first-reminder", "2027-03-02 11:00")
    assert len(harness.messages()) == 2


def test_g13_money_counts_and_frees_in_a_standstill(harness: ServiceHarness) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    assert harness.access() == "restricted"
    begin(harness, "2027-03-23 10:00")
    harness.pay("2027-03-23 11:00")
    assert harness.access() == "full"
    assert harness.case.ended == "paid"


def test_g13_no_consequence_happens_in_a_standstill(harness: ServiceHarness) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND)):
        harness.carry_out(step, when)
    begin(harness, "2027-03-22 08:00")
    harness.carry_out("restrict", RESTRICT)
    assert harness.access() == "full"


def test_g13_no_call_is_asked_for_in_a_standstill(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    begin(harness, "2027-02-24 08:00")
    harness.carry_out("early-call", "2027-02-24 09:00")
    assert harness.tasks() == []
    standstill.end(harness.deps.database, OPS, at("2027-02-24 09:30"))
    harness.carry_out("early-call", "2027-02-24 10:00")
    assert [task.kind for task in harness.tasks()] == ["call"]


def test_g13_every_open_case_says_that_it_stands_still(harness: ServiceHarness) -> None:
    harness.open(an_invoice(invoice_id="inv-2"))
    harness.open()
    harness.pay("2027-03-01 09:00")  # an ended one needs no line
    begin(harness)
    assert harness.entries("standstill") == []
    harness.case = harness.case.model_copy(update={"invoice_id": "inv-2"})
    assert [entry.at for entry in harness.entries("standstill")] == [at(FIRST)]


def test_g13_a_standstill_begins_and_ends_once(database: Database) -> None:
    assert standstill.begin(database, OPS, at(FIRST))
    assert not standstill.begin(database, decision("kim", "again"), at("2027-03-03 09:00"))
    with database.reading() as session:
        stands = standstills.in_force(session)
    assert stands is not None
    assert (stands.by, stands.reason, stands.since) == ("ops", "restore", at(FIRST))
    assert standstill.end(database, OPS, at("2027-03-03 10:00"))
    assert not standstill.end(database, OPS, at("2027-03-03 11:00"))


@pytest.mark.parametrize("older", [OPS, decision(BY, "looks-like-a-restore")], ids=["came back", "of the comparison"])
def test_g13_what_a_person_holds_takes_the_place_of_what_is_in_force(
    harness: ServiceHarness, older: Decision
) -> None:
    """One that came back with an older copy had been ended long ago; the comparison's own would end by itself."""
    harness.open()
    database = harness.deps.database
    assert standstill.begin(database, older, at(FIRST))
    kim = decision("kim", "restore")
    before = standstill.begin_anew(database, kim, at("2027-03-03 09:00"), SYSTEM)
    assert before is not None and (before.by, before.since) == (older.by, at(FIRST))
    with database.reading() as session:
        stands = standstills.in_force(session)
    assert stands is not None and (stands.by, stands.since) == ("kim", at("2027-03-03 09:00"))
    lines = [entry.reason for entry in harness.entries("standstill")]
    assert "nothing leaves since 2027-03-03 09:00 UTC" in lines[-1]
    assert standstill.end(database, kim, at("2027-03-03 10:00"))
    assert not standstill.end(database, kim, at("2027-03-03 11:00")), "one command ends it"
    assert standstill.begin_anew(database, kim, at("2027-03-03 12:00"), SYSTEM) is None


@pytest.mark.parametrize(("by", "reason"), [("ana@x.example", "restore"), ("ops", "call +49 30 1234567"), ("", "x")])
def test_g13_who_holds_is_a_role_and_why_is_a_code(by: str, reason: str) -> None:
    with pytest.raises(Refused):
        decision(by, reason)


def test_g13_silence_is_no_failure_in_a_standstill(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    """A database that is being restored may lack the reports."""
    harness = make_harness(email=by_sendgrid(sendgrid))
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    begin(harness, "2027-03-02 10:00")
    assert look(harness, "2027-03-12 09:00") == []
    assert {row.state for row in harness.messages()} == {"accepted"}
    standstill.end(harness.deps.database, OPS, at("2027-03-12 09:30"))
    assert look(harness, "2027-03-12 10:00")
