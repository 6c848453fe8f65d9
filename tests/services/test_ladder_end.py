"""A ladder that has nothing left to do while money is open asks a person, once, and takes it back in time."""

from datetime import date

import pytest

from dunwell.store import tasks
from tests.builders import a_ladder, an_invoice, at
from tests.services.conftest import ServiceHarness

LADDER = a_ladder(
    """
name = "short"
version = 1
title = "Two steps"
language = "en"
floor = "100.00"

[reactions]
part_paid = "part-received"

[[step]]
id = "reminder"
when = "due + 1 day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"

[[step]]
id = "call"
when = "reminder + 7 days at 10:00"
to = ["accounts_payable"]
by = ["call"]
message = "reminder-second"

[[step]]
id = "complaint"
when = "call + 7 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "formal-complaint"
announces = ["hand-over"]

[[step]]
id = "hand-over"
when = "complaint + 10 days at 10:00"
ends = "handed_over"
"""
)
REMINDED, CALLED, TALKED, PAID, LATER = (f"2027-03-{day:02} 09:00" for day in (2, 9, 10, 11, 12))
QUESTION = "inv-1.left.0"


@pytest.fixture
def called(harness: ServiceHarness) -> ServiceHarness:
    """Reminded, to be called, and a call task open."""
    harness.open(an_invoice(), ladder=LADDER)
    harness.carry_out("reminder", REMINDED)
    harness.carry_out("call", CALLED)
    return harness


def pay_all_but(harness: ServiceHarness, amount: int) -> None:
    harness.pay(PAID, f"{1200 - amount}.00")
    for step in list(harness.case.outstanding.owed):
        harness.carry_out(step, PAID)


def talk(harness: ServiceHarness) -> None:
    [task] = [task for task in harness.tasks() if task.kind == "call"]
    harness.record("call_outcome", TALKED, task_id=task.task_id, outcome="reached", by="agent.1")


@pytest.mark.parametrize(
    ("amount", "asks"),
    [
        (99, ["inv-1.left.0"]),  # below the floor the two steps that are left do not apply
        (100, []),  # at the floor they do
    ],
)
def test_what_is_left_below_the_floor_is_put_before_a_person(
    called: ServiceHarness, amount: int, asks: list[str]
) -> None:
    talk(called)
    pay_all_but(called, amount)
    asked = [task for task in called.tasks() if task.kind == "decision"]
    assert [task.task_id for task in asked] == asks
    for task in asked:
        assert "the ladder's floor of 100.00" in task.reason and "99.00 EUR are open" in task.reason
        assert [entry.ref for entry in called.entries("task") if ".left." in entry.key] == [task.task_id]


def test_who_has_the_case_in_hand_is_not_asked_beside_it(called: ServiceHarness) -> None:
    pay_all_but(called, 50)
    assert [task.kind for task in called.tasks()] == ["call"]
    talk(called)
    assert [task.task_id for task in called.tasks()] == [QUESTION]


def test_the_question_rests_with_the_case_and_is_taken_back_when_the_money_comes(called: ServiceHarness) -> None:
    talk(called)
    pay_all_but(called, 50)
    called.record("pause", LATER, until="2027-03-20", reason="holiday", by="agent.1")
    assert called.tasks() == []
    called.record("resume", LATER, by="agent.1")
    assert [task.task_id for task in called.tasks()] == [QUESTION]
    called.pay(LATER, "50.00", "p2")
    assert called.tasks() == []


def test_what_a_person_has_answered_is_asked_again_after_the_ladders_days(called: ServiceHarness) -> None:
    talk(called)
    pay_all_but(called, 50)
    with called.deps.database.writing(called.case.customer_id) as session:
        assert tasks.close_task(session, QUESTION, "we wait for their merger", at(LATER))
    called.record("pause", LATER, until="2027-03-20", reason="holiday", by="agent.1")
    called.record("resume", LATER, by="agent.1")
    assert [(task.task_id, task.due_at.date()) for task in called.tasks()] == [(QUESTION, date(2027, 4, 12))]


def test_a_bank_that_takes_the_money_back_asks_anew(called: ServiceHarness) -> None:
    talk(called)
    pay_all_but(called, 50)
    called.pay(LATER, "50.00", "p2")
    called.record("payment_reversed", LATER, payment_id="p2", reason="chargeback")
    for step in list(called.case.outstanding.owed):
        called.carry_out(step, LATER)
    assert [task.task_id for task in called.tasks()] == ["inv-1.left.1"]
