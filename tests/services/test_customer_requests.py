"""What customers say becomes tasks, and keeps messages back in the transaction that would claim them."""

from datetime import datetime
from decimal import Decimal

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.reply_terms import FoundBy, ReplyChannel, ReplyKind
from dunwell.domain.terms import Role, TaskState
from dunwell.store import addresses, notes, replies, tasks
from dunwell.store.tables import ReplyRow
from dunwell.views.work_list import one_task
from tests.builders import a_contact, a_customer, an_invoice, at
from tests.services.conftest import ServiceHarness

FIRST = "2027-03-02 09:00"


def opened(harness: ServiceHarness) -> ServiceHarness:
    people = (a_contact(phone="+4930111222"), a_contact(Role.USER, phone="+4930111333"))
    harness.open(an_invoice(customer=a_customer(contacts=people)))
    return harness


def write(harness: ServiceHarness, when: str, kind: ReplyKind = ReplyKind.PERSON) -> None:
    """A reply as the webhook keeps it; no case is told of it yet."""
    row = ReplyRow(
        reply_id="r1",
        customer_id="acme",
        found_by=FoundBy.ADDRESS,
        forwarded=False,
        channel=ReplyChannel.EMAIL,
        kind=kind,
        why="its address is a contact's",
        sender="ada@acme.example",
        sender_key="ada@acme.example",
        sender_name="",
        subject="",
        text="Ya pagué ayer",
        whole="Ya pagué ayer",
        verdicts={},
        proposals=[],
        received_at=at(when),
    )
    with harness.deps.database.writing("acme") as session:
        replies.add(session, row)


def handle(harness: ServiceHarness, when: datetime) -> None:
    with harness.deps.database.writing("acme") as session:
        row = replies.get(session, "r1")
        assert row is not None
        row.handled_at = when


def test_a_reply_that_no_case_was_told_of_keeps_the_message_back(harness: ServiceHarness) -> None:
    opened(harness)
    write(harness, "2027-03-02 08:59")
    answer = harness.carry_out("first-reminder", FIRST)
    assert answer.outcome is not None
    assert (answer.outcome.status, harness.messages()) == ("delayed", [])
    assert answer.next_action is not None
    assert answer.next_action.at == at("2027-03-03 08:00")
    (said,) = harness.entries("delayed")
    assert said.reason == "a reply of 2027-03-02 waits for a person: nothing leaves until it is handled"
    handle(harness, at("2027-03-02 12:00"))
    harness.carry_out("first-reminder", "2027-03-03 08:00")
    assert harness.messages()


@pytest.mark.parametrize("kind", [ReplyKind.AUTOMATIC, ReplyKind.UNKNOWN])
def test_automatic_mail_keeps_nothing_back(harness: ServiceHarness, kind: ReplyKind) -> None:
    opened(harness)
    write(harness, "2027-03-02 08:59", kind)
    harness.carry_out("first-reminder", FIRST)
    assert harness.messages()


def test_confirmations_wait_for_the_reply_and_thanks_do_not(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    harness.record("promise_to_pay", "2027-03-03 09:00", date="2027-03-10", promised_by="user")
    write(harness, "2027-03-03 09:10")
    answer = harness.carry_out("promise-confirmed~1", "2027-03-03 09:30")
    assert answer.outcome is not None
    assert answer.outcome.status == "delayed"
    harness.pay("2027-03-03 10:00")
    harness.carry_out("thank-you~2", "2027-03-03 10:30")
    assert [row.message for row in harness.messages()][-1] == "thank-you"


def test_an_announced_payment_asks_a_person_to_look_for_it(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    said = {"by": "link of user.1", "paid_on": "2027-03-02", "amount": "900.00", "method": "transfer"}
    answer = harness.record("payment_announced", "2027-03-03 09:00", **said)
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at) == ("@payment-wait", at("2027-03-05 23:00"))
    (task,) = harness.tasks()
    assert (task.task_id, task.contact_id, task.amount) == ("inv-1.announced.1", "acme.user.1", Decimal(900))
    assert task.reason.startswith("900.00 EUR was paid on 2027-03-02 by transfer, says link of user.1. Look for it")
    harness.pay("2027-03-04 09:00")
    assert harness.tasks() == []  # the end of the case withdraws it


def test_one_task_looks_for_a_payment_that_is_announced_again(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    harness.record("payment_announced", "2027-03-03 09:00", by="accounts_payable", paid_on="2027-03-02")
    harness.record("payment_announced", "2027-03-03 10:00", by="link of user.1", paid_on="2027-03-01", amount="90.00")
    (task,) = harness.tasks()
    assert (task.task_id, task.contact_id, task.amount) == ("inv-1.announced.1", "acme.user.1", Decimal(90))
    assert task.currency == "EUR" and task.due_at == at("2027-03-03 09:00")
    assert task.reason.startswith("90.00 EUR was paid on 2027-03-01, says link of user.1. ")
    assert len(harness.entries("announced")) == 2
    harness.record("call_outcome", "2027-03-03 11:00", task_id=task.task_id, outcome="done", by="agent-7")
    harness.record("payment_announced", "2027-03-03 12:00", by="accounts_payable", paid_on="2027-03-02")
    assert [one.task_id for one in harness.tasks()] == ["inv-1.announced.3"]


@pytest.mark.parametrize(
    ("wanted", "due", "moved"),
    [
        (None, "2027-03-03 09:00", ""),
        ("2027-03-04T10:00:00Z", "2027-03-04 10:00", ""),
        ("2027-03-04T20:00:00Z", "2027-03-05 08:00", "21:00 on 2027-03-04"),  # nobody is called at night
        ("2027-03-06T10:00:00Z", "2027-03-08 08:00", "11:00 on 2027-03-06"),  # nor on a Saturday
    ],
)
def test_a_requested_call_is_a_task_at_an_hour_when_people_are_called(
    harness: ServiceHarness, wanted: str | None, due: str, moved: str
) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    answer = harness.record("call_requested", "2027-03-03 09:00", by="link of user.1", at=wanted)
    (task,) = harness.tasks()
    assert (task.kind, task.contact_id, task.due_at, task.requested) == ("call", "acme.user.1", at(due), True)
    assert "Ask for User Person" in task.script
    said = f"; at {moved}, as they asked, nobody is called" if moved else ""  # its own hour is shown beside it
    assert task.reason == f"link of user.1 asks to be called{said}"
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at.date()) == ("@call", at(due).date())


def test_another_hour_moves_the_call_and_its_outcome_ends_the_wait(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    harness.record("call_requested", "2027-03-03 09:00", by="link of user.1")
    harness.record("call_requested", "2027-03-03 09:30", by="link of user.1", at="2027-03-04T10:00:00Z")
    (task,) = harness.tasks()
    assert (task.task_id, task.due_at) == ("inv-1.call-asked.1", at("2027-03-04 10:00"))
    harness.record("call_outcome", "2027-03-04 10:10", task_id=task.task_id, outcome="reached", by="agent-7")
    assert (harness.tasks(), harness.case.agreements.call) == ([], None)


def noted(harness: ServiceHarness, note_id: str, text: str) -> str:
    """What they typed, as the page keeps it."""
    with harness.deps.database.writing("acme") as session:
        notes.add(session, note_id=note_id, invoice_id="inv-1", author="link of user.1", text=text, now=at(FIRST))
    return note_id


def numbers(harness: ServiceHarness, task_id: str) -> tuple[str | None, bool, str | None]:
    with harness.deps.database.reading() as session:
        facts = one_task(session, task_id)
    assert facts["place"] == facts["phone"]
    return facts["phone"], facts["phone_asked_for"], facts["phone_closed"]


def test_a_call_at_another_number_is_made_there_in_every_attempt(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    call, again = "inv-1.call-asked.1", "inv-1.call-asked.1~2"
    harness.record(
        "call_requested", "2027-03-03 09:00", by="link of user.1", ref=noted(harness, "n1", "+34600123456")
    )
    assert numbers(harness, call) == ("+34600123456", True, None)
    assert "+34600123456" not in "".join(row.reason + row.script for row in harness.tasks())
    for ref, shown in (("n2", ("+34600123457", True, None)), (None, ("+4930111333", False, None))):
        if ref:
            noted(harness, ref, "+34600123457")
        harness.record("call_requested", "2027-03-03 09:30", by="link of user.1", ref=ref)
        assert numbers(harness, call) == shown  # what they asked for last
    harness.record("call_requested", "2027-03-03 09:40", by="link of user.1", ref="n1")
    harness.record("call_outcome", "2027-03-03 10:00", task_id=call, outcome="no_answer", by="agent-7")
    assert numbers(harness, again) == ("+34600123456", True, None)
    harness.record("call_outcome", "2027-03-05 10:00", task_id=again, outcome="wrong_number", by="agent-7")
    assert numbers(harness, again)[2] == "is a wrong number"
    with harness.deps.database.reading() as session:  # the one on file was not called
        assert addresses.why_closed(session, Channel.CALL, "+4930111333", rehearsal=False) is None


def test_a_clerks_note_about_a_call_is_no_number(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    note = noted(harness, "n1", "Wants to talk about invoice 12.")
    harness.record("call_requested", "2027-03-03 09:00", by="user", ref=note)
    assert numbers(harness, "inv-1.call-asked.1") == ("+4930111222", False, None)


def test_a_manager_hears_of_a_reply_once_a_week_by_one_task(harness: ServiceHarness) -> None:
    opened(harness)
    harness.carry_out("first-reminder", FIRST)
    harness.record("reply_received", "2027-03-03 09:00", reply_id="r1", channel="email", at="2027-03-03T09:00:00Z")
    assert harness.tasks() == []
    for when in ("2027-03-05 09:00", "2027-03-12 09:00"):
        said = harness.case.reply_due(at(when))
        assert [one.kind for one in said] == ["escalated"]
        harness.record("contacts_changed", when, by="billing")
        (task,) = harness.tasks()
        assert (task.task_id, task.escalated_at) == ("r1.reply", at(when))
    harness.record("call_outcome", "2027-03-12 10:00", task_id="r1.reply", outcome="done", by="manager-1")
    assert harness.tasks() == []  # heard; if the reply still lies there in a week, it is asked again
    harness.case.reply_due(at("2027-03-19 09:00"))
    harness.record("contacts_changed", "2027-03-19 09:00", by="billing")
    assert [task.task_id for task in harness.tasks()] == ["r1.reply"]
    harness.record("reply_handled", "2027-03-19 10:00", reply_id="r1", by="agent-7")
    with harness.deps.database.reading() as session:
        withdrawn = tasks.get(session, "r1.reply")
    assert withdrawn is not None
    assert withdrawn.state is TaskState.WITHDRAWN
