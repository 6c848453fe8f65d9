"""What people and the customer see once a person undoes a booking: the tasks are back, and a mistake is corrected."""

from typing import Any

import pytest

from dunwell.domain.payments import WRONGLY_MATCHED
from dunwell.domain.terms import Stage
from tests.services.conftest import ServiceHarness

FIRST, SECOND = "2027-03-02 09:00", "2027-03-03 09:00"
PAID, UNDONE, LATER = "2027-03-03 10:00", "2027-03-09 10:00", "2027-03-09 10:30"


@pytest.fixture
def reminded(harness: ServiceHarness) -> ServiceHarness:
    """A case whose first letter has left."""
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    return harness


def undo(harness: ServiceHarness, reason: str = WRONGLY_MATCHED, payment_id: str = "p1") -> None:
    harness.record("payment_reversed", UNDONE, payment_id=payment_id, reason=reason, by="user-1")


def thanked(harness: ServiceHarness) -> None:
    harness.pay(PAID)
    harness.carry_out(harness.case.outstanding.owed[0], PAID)
    assert harness.messages()[-1].message == "thank-you"


AGREED: dict[str, tuple[str, dict[str, Any]]] = {
    "dispute": ("dispute_opened", {"reason": "quality", "opened_by": "user"}),
    "announced": ("payment_announced", {"by": "user"}),
    "call-asked": ("call_requested", {"by": "user"}),
}


@pytest.mark.parametrize("topic", AGREED)
def test_the_task_of_what_stands_again_is_open_again(reminded: ServiceHarness, topic: str) -> None:
    name, content = AGREED[topic]
    reminded.record(name, SECOND, **content)
    (before,) = reminded.tasks()
    assert f".{topic}." in before.task_id
    reminded.pay(PAID)
    assert reminded.tasks() == []
    undo(reminded)
    assert [task.task_id for task in reminded.tasks()] == [before.task_id]


def test_a_customer_who_was_thanked_is_told_once_of_our_mistake_and_of_what_is_agreed(
    reminded: ServiceHarness,
) -> None:
    reminded.record("promise_to_pay", SECOND, date="2027-03-12", promised_by="user", amount="700.00")
    thanked(reminded)
    undo(reminded)
    assert reminded.case.stage is Stage.PROMISED
    reminded.carry_out(reminded.case.outstanding.owed[0], LATER)
    assert reminded.case.outstanding.owed == []
    told = reminded.messages()[-1]
    assert (told.message, told.asks) == ("booked-by-mistake", False)
    assert "That was our mistake" in told.body
    assert "Still open: €1,200.00" in told.body
    assert "Your promise still stands: €700.00 by March 16, 2027" in told.body


def test_what_is_agreed_is_told_of_a_plan_by_what_is_still_to_come(reminded: ServiceHarness) -> None:
    halves = [{"date": day, "amount": "600.00"} for day in ("2027-03-12", "2027-03-30")]
    reminded.record("payment_plan_agreed", SECOND, instalments=halves, by="user-1")
    reminded.pay(PAID, "700.00", "p0")
    reminded.pay(PAID, "500.00")
    reminded.carry_out(reminded.case.outstanding.owed[0], PAID)
    undo(reminded)
    reminded.carry_out(reminded.case.outstanding.owed[0], LATER)
    told = reminded.messages()[-1]
    assert told.message == "booked-by-mistake"
    assert "€500.00 by March 30" in told.body and "March 12" not in told.body


def test_nothing_is_said_of_a_mistake_to_whom_nobody_had_thanked(reminded: ServiceHarness) -> None:
    reminded.pay(PAID)
    undo(reminded)
    before = len(reminded.messages())
    for step in reminded.case.outstanding.owed.copy():
        reminded.carry_out(step, LATER)
    assert len(reminded.messages()) == before
    assert reminded.case.outstanding.owed == []


def test_thanks_that_were_leaving_when_the_booking_was_undone_are_corrected(reminded: ServiceHarness) -> None:
    reminded.pay(PAID)
    (thanks,) = reminded.case.outstanding.owed
    before = reminded.case.model_copy(deep=True)
    reminded.carry_out(thanks, PAID)
    reminded.case = before  # its workflow has not heard of that yet
    undo(reminded)
    (step,) = reminded.case.outstanding.owed
    reminded.carry_out(step, LATER)
    assert [row.message for row in reminded.messages()][-2:] == ["thank-you", "booked-by-mistake"]


@pytest.mark.parametrize(("reason", "says"), [(WRONGLY_MATCHED, False), ("returned", True)])
def test_the_next_letter_says_that_a_payment_was_taken_back_only_if_it_had_come(
    reminded: ServiceHarness, reason: str, says: bool
) -> None:
    reminded.pay(PAID, "100.00")
    undo(reminded, reason)
    reminded.case.outstanding.owed.clear()
    reminded.carry_out("second-reminder", "2027-03-16 09:00")
    letter = reminded.messages()[-1]
    assert letter.message == "final-warning"
    assert ("was taken back" in letter.body) == says
