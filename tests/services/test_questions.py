"""Rests without an end of their own are put before a person, by the ladder's days."""

from datetime import date

import pytest

from tests.builders import a_ladder, an_invoice
from tests.services.conftest import ServiceHarness

LADDER = a_ladder(
    """
name = "slow"
version = 1
title = "Looks at rests in its own time"
language = "en"
dispute_days = 5
pause_days = 10

[[step]]
id = "reminder"
when = "due + 1 day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"
"""
)
NOW = "2027-03-03 09:00"  # a Wednesday


@pytest.fixture
def slow(harness: ServiceHarness) -> ServiceHarness:
    harness.open(an_invoice(), ladder=LADDER)
    return harness


def _due(harness: ServiceHarness) -> list[tuple[str, date]]:
    return [(task.task_id.rpartition(".")[0], task.due_at.date()) for task in harness.tasks()]


def test_a19_an_open_dispute_has_a_dated_task(slow: ServiceHarness) -> None:
    slow.record("dispute_opened", NOW, reason="quality", opened_by="ap", amount="300.00")
    assert _due(slow) == [("inv-1.dispute", date(2027, 3, 8))]
    (task,) = slow.tasks()
    assert "300.00 EUR disputed by ap since 2027-03-03 (quality)" in task.reason
    assert "answer it" not in task.reason  # its answer cannot say the outcome before it is resolved
    slow.record("dispute_resolved", "2027-03-05 09:00", outcome="rejected", by="agent")
    assert slow.tasks() == []


def test_a19_a_pause_without_an_end_has_a_dated_task_and_one_with_an_end_has_none(slow: ServiceHarness) -> None:
    slow.record("pause", NOW, reason="hardship", by="agent")
    assert _due(slow) == [("inv-1.pause", date(2027, 3, 15))]  # the tenth day is a Saturday
    slow.record("pause", "2027-03-04 09:00", reason="hardship", by="agent", until="2027-03-20")
    assert slow.tasks() == []


def test_a19_what_is_closed_while_it_is_still_open_comes_back_later(slow: ServiceHarness) -> None:
    slow.record("dispute_opened", NOW, reason="quality", opened_by="ap")
    (task,) = slow.tasks()
    slow.record("call_outcome", "2027-03-08 09:00", task_id=task.task_id, outcome="done", by="agent")
    assert _due(slow) == [("inv-1.dispute", date(2027, 3, 18))]


def test_a19_the_end_of_the_case_withdraws_them(slow: ServiceHarness) -> None:
    slow.record("dispute_opened", NOW, reason="quality", opened_by="ap")
    slow.record("cancel", "2027-03-04 09:00", reason="credit-note", by="agent")
    assert slow.tasks() == []
