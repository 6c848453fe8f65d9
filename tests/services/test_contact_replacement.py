"""Calls to people who left, and steps that reached nobody until somebody new was named."""

from dunwell.client.customers import Customers
from dunwell.client.registration import Registrar
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Invoice
from dunwell.domain.terms import Role
from dunwell.store.tables import NoteRow, TaskRow
from tests.builders import a_contact, a_customer, an_invoice, at, the_ladders
from tests.services.conftest import ServiceHarness

AP, USER = Role.ACCOUNTS_PAYABLE, Role.USER
ADA = a_contact(AP, name="Ada Lind", email="ada@acme.example", phone="+4915111111111")
BOB = a_contact(AP, 2, name="Bob Moss", email="bob@acme.example", phone="+4915122222222")
UMA = a_contact(USER, name="Uma Berg", email="uma@acme.example", phone="+4915133333333")
LADDER = "gradual-pressure"
CALL = "early-call"


def of(*people: Contact, policy: str = "gentle-saas") -> Invoice:
    return an_invoice(customer=a_customer(contacts=people), policy=policy)


def record(harness: ServiceHarness, *people: Contact, when: str = "2027-02-25 09:00") -> list[str]:
    """The next export; returns the cases that have to hear of it."""
    renewed = of(*people, policy=harness.case.policy.name)
    return list(Registrar(harness.deps, the_ladders()).register(renewed, at(when)).tell)


def with_call(harness: ServiceHarness, *people: Contact) -> None:
    """A case in which the first of these people is to be called."""
    harness.open(of(*people, policy=LADDER))
    harness.carry_out(CALL, "2027-02-24 09:00")
    assert [task.contact_id for task in harness.tasks()] == [people[0].contact_id]


def test_b1_a_pending_call_goes_to_a_colleague_at_once(harness: ServiceHarness) -> None:
    with_call(harness, ADA, UMA)
    assert record(harness, BOB.model_copy(update={"contact_id": ADA.contact_id}), UMA) == []
    (task,) = harness.tasks()
    assert task.contact_id == "acme.accounts_payable.2"
    assert "Bob Moss" in task.script or "Bob" in task.script
    assert any(
        "instead: acme.accounts_payable.1 is not written to any more" in one.reason for one in harness.entries()
    )


def test_b1_without_a_colleague_the_call_is_called_off_and_the_step_looks_further(harness: ServiceHarness) -> None:
    with_call(harness, ADA, UMA.model_copy(update={"phone": None}))
    assert record(harness, UMA.model_copy(update={"phone": None})) == ["inv-1"]
    assert [task.contact_id for task in harness.tasks()] == ["acme.accounts_payable.1"]  # in the list until then
    answer = harness.record("contacts_changed", "2027-02-25 09:01", by="billing")
    assert (harness.tasks(), answer.not_arrived) == ([], CALL)


def test_b1_a_step_that_reached_nobody_looks_for_who_is_named_now(harness: ServiceHarness) -> None:
    nobody = ADA.model_copy(update={"email": "bounce@acme.example", "phone": None})
    harness.open(of(nobody))
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    assert [task.task_id.endswith(".unreachable") for task in harness.tasks()] == [True]
    assert record(harness, BOB.model_copy(update={"phone": None}), when="2027-03-03 09:00") == ["inv-1"]
    answer = harness.record("contacts_changed", "2027-03-03 09:01", by="billing")
    assert (harness.tasks(), answer.not_arrived) == ([], "first-reminder")
    harness.carry_out("first-reminder", "2027-03-03 09:02")
    assert {row.address: row.state for row in harness.messages()} == {
        "bounce@acme.example": "bounced",
        "bob@acme.example": "delivered",
    }


def test_b6_a_corrected_address_gets_what_came_back_from_the_old_one_and_only_once(harness: ServiceHarness) -> None:
    wrong = ADA.model_copy(update={"email": "bounce@acme.example", "phone": None})
    harness.open(of(wrong))
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    changed = Customers(harness.deps).set_contact(ADA.contact_id, {"email": "ada@acme.example"}, "agent-7")
    assert changed.invoices == ("inv-1",)
    for minute in (1, 2):
        harness.record("contacts_changed", f"2027-03-03 09:0{minute}", by="agent-7")
        harness.carry_out("first-reminder", f"2027-03-03 09:0{minute}")
    assert {(row.address, row.state) for row in harness.messages()} == {
        ("bounce@acme.example", "bounced"),
        ("ada@acme.example", "delivered"),
    }
    assert len({row.message_id for row in harness.messages()}) == 2
    assert harness.tasks() == []


def test_b1_nobody_who_left_gets_the_next_letter(harness: ServiceHarness) -> None:
    harness.open(of(ADA, BOB))
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    record(harness, BOB.model_copy(update={"contact_id": ADA.contact_id}))
    second = the_ladders()["gentle-saas"].steps[1].id
    harness.carry_out(second, "2027-03-09 09:00")
    assert {row.address for row in harness.messages(second)} <= {"bob@acme.example"}
    assert {row.address for row in harness.messages("first-reminder")} == {"ada@acme.example", "bob@acme.example"}


def test_b1_a_contact_that_is_closed_by_hand_hands_over_calls(harness: ServiceHarness) -> None:
    harness.open(of(ADA, policy=LADDER))
    harness.carry_out(CALL, "2027-02-24 09:00")
    record(harness, ADA, BOB)
    Customers(harness.deps).close_contact(ADA.contact_id, "left", "agent-7")
    assert {task.contact_id for task in harness.tasks()} == {BOB.contact_id}


def test_b1_a_contact_whose_number_is_taken_away_hands_over_calls(harness: ServiceHarness) -> None:
    with_call(harness, ADA, UMA)
    Customers(harness.deps).set_contact(ADA.contact_id, {"phone": ""}, "agent-7")
    assert {task.contact_id for task in harness.tasks()} == {UMA.contact_id}
    assert any(f"instead: {ADA.contact_id} has no phone any more" in one.reason for one in harness.entries())


def test_b1_when_the_last_address_is_taken_away_the_call_is_called_off_and_that_is_said(
    harness: ServiceHarness,
) -> None:
    with_call(harness, ADA)
    changed = Customers(harness.deps).set_contact(ADA.contact_id, {"phone": "", "email": "", "post": ""}, "agent-7")
    assert changed.said[-2:] == (
        f"{ADA.contact_id} has no address any more: nothing can be sent to them, and nobody calls them",
        "nobody of this customer can be reached: a task asks for an address",
    )
    assert changed.content_for("inv-1")["renewed"] is True
    answer = harness.record("contacts_changed", "2027-02-25 09:01", **changed.content_for("inv-1"))
    assert (harness.tasks(), answer.not_arrived) == ([], CALL)
    harness.carry_out(CALL, "2027-02-25 09:02")
    assert [task.task_id.endswith(".unreachable") for task in harness.tasks()] == [True]


def test_b1_a_record_that_clears_the_only_number_calls_the_call_off(harness: ServiceHarness) -> None:
    with_call(harness, ADA, UMA.model_copy(update={"phone": None}))
    assert record(harness, ADA.model_copy(update={"phone": None}), UMA.model_copy(update={"phone": None})) == [
        "inv-1"
    ]
    answer = harness.record("contacts_changed", "2027-02-25 09:01", by="billing")
    assert (harness.tasks(), answer.not_arrived) == ([], CALL)
    called_off = f"the call is called off: {ADA.contact_id} has no phone any more, and nobody else can be called"
    assert called_off in [one.reason for one in harness.entries()]


def test_b1_a_record_that_clears_a_number_hands_the_call_over(harness: ServiceHarness) -> None:
    with_call(harness, ADA, UMA)
    assert record(harness, ADA.model_copy(update={"phone": None}), UMA) == []
    assert {task.contact_id for task in harness.tasks()} == {UMA.contact_id}


def test_b1_a_call_without_a_number_is_called_off_by_the_next_event_when_the_change_was_never_told(
    harness: ServiceHarness,
) -> None:
    with_call(harness, ADA)
    Customers(harness.deps).set_contact(ADA.contact_id, {"phone": ""}, "agent-7")
    assert [task.contact_id for task in harness.tasks()] == [ADA.contact_id]
    harness.record("payment_received", "2027-02-25 09:01", payment_id="p1", amount="5.00", currency="EUR")
    assert harness.tasks() == []
    assert any(f"{ADA.contact_id} has no phone any more" in one.reason for one in harness.entries())


def test_b1_a_number_that_comes_back_keeps_the_call(harness: ServiceHarness) -> None:
    with_call(harness, ADA)
    record(harness, ADA.model_copy(update={"phone": None}))
    record(harness, ADA, when="2027-02-25 10:00")
    harness.record("contacts_changed", "2027-02-25 10:01", by="billing")
    assert [task.contact_id for task in harness.tasks()] == [ADA.contact_id]


def test_b1_the_last_contact_that_is_closed_by_hand_is_called_no_more(harness: ServiceHarness) -> None:
    with_call(harness, ADA)
    closed = Customers(harness.deps).close_contact(ADA.contact_id, "left", "agent-7")
    answer = harness.record("contacts_changed", "2027-02-25 09:01", **closed.content_for("inv-1"))
    assert (harness.tasks(), answer.not_arrived) == ([], CALL)


def test_b1_whoever_named_a_number_for_the_call_is_called_there(harness: ServiceHarness) -> None:
    with_call(harness, ADA)
    (task,) = harness.tasks()
    note = {"note_id": "n-1", "invoice_id": "inv-1", "author": "customer", "text": "+4915144444444"}
    with harness.deps.database.writing() as session:
        session.add(NoteRow(**note, at=at("2027-02-24 09:05")))
        session.get_one(TaskRow, task.task_id).note_id = "n-1"
    record(harness, ADA.model_copy(update={"phone": None}))
    harness.record("contacts_changed", "2027-02-25 09:01", by="billing")
    assert [one.task_id for one in harness.tasks()] == [task.task_id]


def test_b11_nothing_leaves_while_the_customer_rests_even_if_the_case_was_not_told(harness: ServiceHarness) -> None:
    harness.open(of(ADA))
    Customers(harness.deps).pause("acme", "illness", "agent-7")
    answer = harness.carry_out("first-reminder", "2027-03-02 09:00")
    assert answer.outcome is not None and answer.outcome.status == "delayed"
    assert harness.messages() == []
    assert any("the whole customer rests (illness, by agent-7)" in one.reason for one in harness.entries())
    harness.pay("2027-03-02 10:00")  # a payment still counts
    assert harness.case.ended is not None
