"""Copies for information: who gets one, when it is left out, and that no step hangs on it."""

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.terms import Role
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.store import addresses, outbox
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps
from tests.gateways.fakes import Answer, FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, WorkerDied, by_sendgrid

AP, USER, MANAGER, OURS = Role.ACCOUNTS_PAYABLE, Role.USER, Role.MANAGER, Role.ACCOUNT_MANAGER
DEAD = "bounce@acme.example"
PHONE = "+34600123456"

LADDER = a_ladder("""
name = "copying"
version = 1
copies = ["account_manager"]

[[step]]
id = "letter"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email", "sms"]
copies = ["manager"]
message = "reminder-first"

[[step]]
id = "repeat"
when = "letter + 3 days at 10:00"
to = ["accounts_payable", "manager"]
by = ["email"]
message = "reminder-second"
""")
LETTER, REPEAT = "2027-03-02 09:00", "2027-03-05 09:00"


def begin(harness: ServiceHarness, *contacts: Contact, invoice: str = "inv-1") -> None:
    customer = a_customer(contacts=contacts or (a_contact(AP), a_contact(MANAGER), a_contact(OURS)))
    harness.open(an_invoice(invoice_id=invoice, number=invoice, customer=customer), ladder=LADDER)


def copies(harness: ServiceHarness, step: str = "letter") -> dict[str, MessageRow]:
    return {row.contact_id.split(".")[1]: row for row in harness.messages(f"{step}.copy", copies=True)}


@pytest.mark.parametrize(
    ("contacts", "copied"),
    [
        # the step's own copies and those of the head, once each
        ([a_contact(AP), a_contact(MANAGER), a_contact(OURS)], {"manager", "account_manager"}),
        # by SMS to the debtor, by e-mail to those who get a copy
        ([a_contact(AP, email=None, phone=PHONE), a_contact(OURS)], {"account_manager"}),
        # no e-mail, no copy: never by SMS
        ([a_contact(AP), a_contact(MANAGER, email=None, phone=PHONE)], set()),
        # nobody was written to: there is nothing to copy
        ([a_contact(AP, email=None), a_contact(OURS)], set()),
        # the manager stood in for a dead address, and needs no copy of it
        ([a_contact(AP, email=DEAD), a_contact(MANAGER), a_contact(OURS)], {"account_manager", "manager"}),
    ],
)
def test_who_gets_a_copy(harness: ServiceHarness, contacts: list[Contact], copied: set[str]) -> None:
    begin(harness, *contacts)
    harness.carry_out("letter", LETTER)
    served = {row.contact_id.split(".")[1] for row in harness.messages("letter") if row.state == "delivered"}
    assert set(copies(harness)) == copied - served


def test_a_copy_says_whose_letter_it_is_and_is_else_the_same(harness: ServiceHarness) -> None:
    begin(harness)
    harness.carry_out("letter", LETTER)
    (letter,), copy = harness.messages("letter"), copies(harness)["manager"]
    label = f"Copy for your information: this message went to {a_contact(AP).name}."
    assert (copy.subject, copy.body) == (letter.subject, f"{label}\n\n{letter.body}")
    assert label in str(copy.html) and label not in str(letter.html)
    assert letter.asks and not copy.asks


def test_a_copy_is_no_warning(harness: ServiceHarness) -> None:
    begin(harness)
    harness.carry_out("letter", LETTER)
    harness.carry_out("repeat", REPEAT)
    with harness.deps.database.reading() as session:
        assert {step for step, _ in outbox.warnings(session, "inv-1")} == {"letter", "repeat"}
        assert len(harness.messages(copies=True)) > len(outbox.warnings(session, "inv-1"))


def test_a_copy_that_bounces_goes_no_further(harness: ServiceHarness) -> None:
    begin(harness, a_contact(AP), a_contact(MANAGER, email=DEAD, phone=PHONE), a_contact(OURS))
    assert harness.carry_out("letter", LETTER).outcome is not None
    assert copies(harness)["manager"].state == "bounced"
    answer = harness.report(copies(harness)["account_manager"], "bounced", "2027-03-02 10:00")
    assert (answer.not_arrived, harness.case.outstanding.again) == (None, [])
    assert [row.channel for row in harness.messages(copies=True)] == ["email"] * 3


def test_nobody_gets_a_copy_too_soon_and_the_step_is_done_all_the_same(harness: ServiceHarness) -> None:
    """The manager has had this week's four messages about other invoices."""
    begin(harness)
    with harness.deps.database.writing("acme") as session:
        for number in range(4):
            row = MessageRow(message_id=f"m{number}", customer_id="acme", step="x", message="reminder-first")
            row.channel, row.contact_id, row.address, row.subject, row.body = (
                Channel.EMAIL,
                "acme.manager.1",
                "a",
                "s",
                "b",
            )
            row.asks, row.amount, row.state, row.call = True, 1, "delivered", "answered"  # type: ignore[assignment]
            row.planned_at = row.claimed_at = at(f"2027-02-2{5 + number} 09:00")
            outbox.add(session, row)
    answer = harness.carry_out("letter", LETTER)
    assert answer.outcome is not None and answer.outcome.status == "done"
    assert set(copies(harness)) == {"account_manager"}
    assert [entry.reason for entry in harness.entries("withheld")] == [
        "no copy: acme.manager.1 had 4 messages in 7 days"
    ]


def test_money_silences_copies_too(make_harness: MakeHarness) -> None:
    """G1: the payment is recorded between the letter and its copies."""

    class PaidMeanwhile(OutboxGateway):
        def send(self, envelope):  # type: ignore[no-untyped-def]
            receipt = super().send(envelope)
            harness.pay(LETTER)
            return receipt

    harness = make_harness(email=PaidMeanwhile(Channel.EMAIL))
    begin(harness)
    harness.carry_out("letter", LETTER)
    assert [row.step for row in harness.messages(copies=True)] == ["letter"]


def test_no_step_waits_for_a_copy(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    """The provider has trouble just when the copies are to leave: they are given up, the step is done."""
    sendgrid.next(Answer(), Answer(503), Answer(503))
    harness = make_harness(email=by_sendgrid(sendgrid))
    begin(harness)
    answer = harness.carry_out("letter", LETTER)
    assert answer.outcome is not None and answer.outcome.status == "done"
    assert {row.state for row in copies(harness).values()} == {"failed"}


def test_one_copy_tells_of_all_invoices_of_the_letter(file_database: Database) -> None:
    """G5: the accountant gets one letter about both invoices, and so does who reads along."""
    one, two = ServiceHarness(sample_deps(file_database)), ServiceHarness(sample_deps(file_database))
    begin(one)
    begin(two, invoice="inv-2")
    one.carry_out("letter", LETTER)
    two.carry_out("letter", LETTER)
    ids = {row.message_id for row in (*one.messages(copies=True), *two.messages(copies=True))}
    assert len(ids) == 3
    assert "inv-2" in copies(one)["manager"].body and copies(two)["manager"].message_id in ids


@pytest.mark.parametrize("sender", ["inv-1", "inv-2", "inv-3"])
@pytest.mark.parametrize("bringer", ["inv-1", "inv-2", "inv-3"])
def test_b9_the_copy_is_the_message_that_was_sent(
    file_database: Database, monkeypatch: pytest.MonkeyPatch, sender: str, bringer: str
) -> None:
    """Three invoices are due together; one case's worker sends the message and dies, another's brings the copies."""

    def die(*_: object) -> None:
        raise WorkerDied

    deps = sample_deps(file_database)
    harnesses = {f"inv-{number}": ServiceHarness(deps) for number in (1, 2, 3)}
    for name, one in harnesses.items():
        begin(one, invoice=name)
    with monkeypatch.context() as broken, pytest.raises(WorkerDied):
        broken.setattr("dunwell.services.copies.Copies.send", die)
        harnesses[sender].carry_out("letter", LETTER)
    harnesses[bringer].carry_out("letter", "2027-03-02 09:01")
    (letter,), copy = harnesses[sender].messages("letter"), copies(harnesses[bringer])["manager"]
    assert (copy.subject, copy.body.partition("\n\n")[2]) == (letter.subject, letter.body)
    for one in harnesses.values():
        one.carry_out("letter", "2027-03-02 09:02")
    assert len({row.message_id for one in harnesses.values() for row in one.messages(copies=True)}) == 3


def test_b9_no_copy_of_a_message_that_is_no_longer_true(
    file_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part was paid between the message and its copies, which went astray with their worker."""

    def die(*_: object) -> None:
        raise WorkerDied

    one, two = ServiceHarness(sample_deps(file_database)), ServiceHarness(sample_deps(file_database))
    begin(one)
    begin(two, invoice="inv-2")
    with monkeypatch.context() as broken, pytest.raises(WorkerDied):
        broken.setattr("dunwell.services.copies.Copies.send", die)
        one.carry_out("letter", LETTER)
    two.pay("2027-03-02 09:01", amount="100.00")
    one.carry_out("letter", "2027-03-02 09:02")
    assert copies(one) == {}
    assert "what is asked for has changed" in one.entries("withheld")[0].reason


def test_b3_whoever_has_the_message_gets_no_copy_in_another_role(harness: ServiceHarness) -> None:
    """Ada pays the invoices and is the manager who reads along."""
    begin(harness, a_contact(AP, email="ada@acme.example"), a_contact(MANAGER, email="Ada@acme.example"))
    harness.carry_out("letter", LETTER)
    assert (copies(harness), len(harness.messages())) == ({}, 1)


def test_a_closed_mailbox_gets_no_copy(harness: ServiceHarness) -> None:
    begin(harness)
    with harness.deps.database.writing("acme") as session:
        addresses.close(session, Channel.EMAIL, "manager1@acme.example", "stopped", at("2027-02-21 12:00"))
    harness.carry_out("letter", LETTER)
    assert set(copies(harness)) == {"account_manager"}
