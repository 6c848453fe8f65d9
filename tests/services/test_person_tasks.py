"""Tasks for a person: they name whom, what and how much, can always be closed, and end with their case."""

from decimal import Decimal

import pytest

from dunwell.services import person_tasks
from dunwell.store import tasks
from dunwell.views.work_list import one_task, open_work
from tests.builders import a_contact, a_customer, an_invoice, at
from tests.services.conftest import MakeHarness, ServiceHarness
from tests.services.test_ladder_end import LADDER

UNREACHABLE = "inv-1.reminder.unreachable"
NOW = "2027-03-04 10:00"


def _ladder_ends(harness: ServiceHarness) -> None:
    """A case whose last step hands it over while a call and a question are open."""
    harness.open(an_invoice(), ladder=LADDER)
    harness.carry_out("reminder", "2027-03-02 09:00")
    harness.carry_out("call", "2027-03-09 09:00")
    harness.carry_out("complaint", "2027-03-16 09:00")
    harness.carry_out("hand-over", "2027-03-30 10:00")
    assert harness.case.ended == "handed_over"


def test_d1_the_ladders_own_last_step_withdraws_its_calls(harness: ServiceHarness) -> None:
    _ladder_ends(harness)
    assert harness.tasks() == []
    with harness.deps.database.reading() as session:
        (call,) = tasks.of_step(session, "inv-1", "call")
    assert (call.state, call.outcome) == ("withdrawn", "the case is handed_over")
    assert "the call is not needed: the case is handed_over" in [entry.reason for entry in harness.entries("task")]


@pytest.mark.parametrize("ending", ["write_off", "cancel"])
def test_d1_every_end_withdraws_what_does_not_outlive_the_case(harness: ServiceHarness, ending: str) -> None:
    harness.open()
    with harness.deps.database.writing("acme") as session:
        for name, outlives in (("decide", False), ("give-back", True)):
            person_tasks.raise_task(
                session, harness.case, task_id=name, step="", reason="Why.", now=at(NOW), outlives_case=outlives
            )
    harness.record(ending, NOW, reason="small", by="agent")
    assert [task.task_id for task in harness.tasks()] == ["give-back"]


@pytest.fixture
def unreachable(make_harness: MakeHarness) -> ServiceHarness:
    """Nobody of the debtor's can be written to: a person is asked to call."""
    harness = make_harness()
    people = (a_contact(email=None, post=None, phone=None), a_contact(number=2, email=None, phone="+4930123456"))
    harness.open(an_invoice(customer=a_customer(contacts=people)), ladder=LADDER)
    harness.carry_out("reminder", "2027-03-02 09:00")
    return harness


def test_d2_a_task_names_whom_what_how_much_and_how_to_close_it(unreachable: ServiceHarness) -> None:
    with unreachable.deps.database.reading() as session:
        (task,) = open_work(session, "inv-1")
    assert task["task_id"] == UNREACHABLE
    named = ("contact_name", "phone", "customer", "number", "amount", "open", "currency")
    assert [task[name] for name in named] == [
        "Accounts_Payable Person",
        "+4930123456",
        "Acme GmbH",
        "2027-001",
        Decimal("1200.00"),
        Decimal("1200.00"),
        "EUR",
    ]
    assert task["outcome_command"] == f"starter.py call-outcome inv-1 OUTCOME --task {UNREACHABLE}"


def test_d2_what_is_open_is_todays_sum(unreachable: ServiceHarness) -> None:
    unreachable.pay(NOW, "200.00")
    with unreachable.deps.database.reading() as session:
        assert one_task(session, UNREACHABLE)["amount"] == Decimal("1000.00")


@pytest.mark.parametrize("outcome", ["reached", "done"])
def test_d2_a_call_to_somebody_unreachable_is_closed(unreachable: ServiceHarness, outcome: str) -> None:
    unreachable.record("call_outcome", NOW, task_id=UNREACHABLE, outcome=outcome, by="agent")
    assert unreachable.tasks() == []
    assert [entry.kind for entry in unreachable.entries("refused")] == []


def test_d2_an_outcome_for_a_withdrawn_task_is_noted_and_refuses_nothing(harness: ServiceHarness) -> None:
    _ladder_ends(harness)
    with harness.deps.database.reading() as session:
        (call,) = tasks.of_step(session, "inv-1", "call")
    harness.record("call_outcome", "2027-03-31 09:00", task_id=call.task_id, outcome="done", by="agent")
    said = [entry.reason for entry in harness.entries("task")]
    assert "this task was withdrawn before (the case is handed_over); the outcome was noted all the same" in said
