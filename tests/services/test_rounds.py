"""A due date that moves into the future: nothing is due for now, and the ladder begins anew."""

from datetime import date

import pytest

from dunwell.domain.terms import MessageState, Role
from dunwell.store import outbox
from tests.builders import a_contact, a_customer, an_invoice
from tests.services.conftest import ServiceHarness

AMENDED = "2027-03-23 09:00"
STEPS = (("first-reminder", "2027-03-02 09:00"), ("second-reminder", "2027-03-16 09:00"))
RESTRICT = ("restrict", "2027-03-22 09:00")


def _chased(harness: ServiceHarness, *steps: tuple[str, str]) -> None:
    harness.open()
    for step, when in steps:
        harness.carry_out(step, when)
    harness.record("invoice_amended", AMENDED, due_on="2027-06-01", by="billing")


def test_c2_a_new_due_date_releases_the_restriction(harness: ServiceHarness) -> None:
    _chased(harness, *STEPS, RESTRICT)
    assert (harness.access(), harness.case.stage, harness.case.progress.round) == ("full", "scheduled", 2)
    assert any("is due on 2027-06-01 now" in entry.reason for entry in harness.entries("access"))


def test_c2_the_ladder_begins_anew_and_its_messages_leave(harness: ServiceHarness) -> None:
    _chased(harness, *STEPS)
    assert [done.step for done in harness.case.progress.former_steps] == ["first-reminder", "second-reminder"]
    harness.carry_out("first-reminder", "2027-06-02 09:00")
    rows = harness.messages("first-reminder.round2")
    assert {row.state for row in rows} == {MessageState.DELIVERED.value} and rows
    assert "reminded you" not in rows[0].body
    assert len(harness.messages("first-reminder")) > 0  # the old ones stay in the books
    assert [done.step for done in harness.case.progress.steps] == ["first-reminder"]


def test_c2_only_messages_after_the_new_due_date_are_warnings(harness: ServiceHarness) -> None:
    _chased(harness, *STEPS)
    harness.carry_out("first-reminder", "2027-06-02 09:00")
    harness.carry_out("second-reminder", "2027-06-16 09:00")
    harness.carry_out("restrict", "2027-06-22 09:00")
    assert harness.access() == "restricted"
    with harness.deps.database.reading() as session:
        assert {step for step, _ in outbox.delivered_warnings(session, "inv-1")} >= {
            "first-reminder",
            "second-reminder",
            "first-reminder.round2",
            "second-reminder.round2",
        }


def test_c2_old_warnings_prove_nothing_for_the_new_due_date(harness: ServiceHarness) -> None:
    _chased(harness, *STEPS)
    harness.carry_out("first-reminder", "2027-06-02 09:00")
    harness.case.progress.steps.append(
        harness.case.progress.former_steps[-1].model_copy(update={"shift": 0})
    )  # as if it had been done
    answer = harness.carry_out("restrict", "2027-06-22 09:00")
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert harness.access() == "full"


def test_c2_tasks_about_the_old_due_date_are_withdrawn(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    assert harness.tasks()
    harness.record("invoice_amended", "2027-02-25 09:00", due_on="2027-06-01", by="billing")
    assert harness.tasks() == []


@pytest.mark.parametrize("due_on", ["2027-03-05", "2027-03-23"])
def test_c2_a_correction_to_a_day_that_has_passed_begins_nothing_anew(harness: ServiceHarness, due_on: str) -> None:
    harness.open()
    for step, when in (*STEPS, RESTRICT):
        harness.carry_out(step, when)
    harness.record("invoice_amended", AMENDED, due_on=due_on, by="billing")
    assert (harness.access(), harness.case.progress.round, harness.case.due_on) == (
        "restricted",
        1,
        date.fromisoformat(due_on),
    )


def test_c2_a_step_on_its_way_when_the_due_date_moved_is_history(harness: ServiceHarness) -> None:
    harness.open()
    before = harness.case.model_copy(deep=True)
    harness.record("invoice_amended", "2027-03-02 08:59", due_on="2027-06-01", by="billing")
    assert harness.case.progress.round == 1  # nothing had been said yet
    answer = harness.carry_out("first-reminder", "2027-03-02 09:00", case=before)
    assert answer.outcome is not None and answer.outcome.status == "stale"


def test_c2_a_late_bounce_of_the_old_round_reaches_no_further(harness: ServiceHarness) -> None:
    people = (a_contact(), a_contact(Role.USER, phone="+493012345678"), a_contact(Role.ACCOUNT_MANAGER))
    harness.open(an_invoice(customer=a_customer(contacts=people)))
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    row = harness.messages("first-reminder")[0]
    harness.record("invoice_amended", "2027-03-03 09:00", due_on="2027-06-01", by="billing")
    harness.report(row, "bounced", "2027-03-04 09:00")
    assert harness.case.outstanding.again == []
