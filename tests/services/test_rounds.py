"""A due date that moves into the future: nothing is due for now, and the ladder begins anew."""

from datetime import date

import pytest

from dunwell.domain.terms import MessageState, Role
from dunwell.store import outbox
from tests.builders import a_contact, a_customer, an_invoice
from tests.services.conftest import Office

AMENDED = "2027-03-23 09:00"
STEPS = (("first-reminder", "2027-03-02 09:00"), ("second-reminder", "2027-03-16 09:00"))
RESTRICT = ("restrict", "2027-03-22 09:00")


def _chased(office: Office, *steps: tuple[str, str]) -> None:
    office.open()
    for step, when in steps:
        office.carry_out(step, when)
    office.record("invoice_amended", AMENDED, due_on="2027-06-01", by="billing")


def test_c2_a_new_due_date_releases_the_restriction(office: Office) -> None:
    _chased(office, *STEPS, RESTRICT)
    assert (office.access(), office.case.stage, office.case.progress.round) == ("full", "scheduled", 2)
    assert any("is due on 2027-06-01 now" in entry.reason for entry in office.entries("access"))


def test_c2_the_ladder_begins_anew_and_its_messages_leave(office: Office) -> None:
    _chased(office, *STEPS)
    assert [done.step for done in office.case.progress.former_steps] == ["first-reminder", "second-reminder"]
    office.carry_out("first-reminder", "2027-06-02 09:00")
    rows = office.messages("first-reminder.round2")
    assert {row.state for row in rows} == {MessageState.DELIVERED.value} and rows
    assert "reminded you" not in rows[0].body
    assert len(office.messages("first-reminder")) > 0  # the old ones stay in the books
    assert [done.step for done in office.case.progress.steps] == ["first-reminder"]


def test_c2_only_messages_after_the_new_due_date_are_warnings(office: Office) -> None:
    _chased(office, *STEPS)
    office.carry_out("first-reminder", "2027-06-02 09:00")
    office.carry_out("second-reminder", "2027-06-16 09:00")
    office.carry_out("restrict", "2027-06-22 09:00")
    assert office.access() == "restricted"
    with office.deps.database.reading() as session:
        assert {step for step, _ in outbox.delivered_warnings(session, "inv-1")} >= {
            "first-reminder",
            "second-reminder",
            "first-reminder.round2",
            "second-reminder.round2",
        }


def test_c2_old_warnings_prove_nothing_for_the_new_due_date(office: Office) -> None:
    _chased(office, *STEPS)
    office.carry_out("first-reminder", "2027-06-02 09:00")
    office.case.progress.steps.append(
        office.case.progress.former_steps[-1].model_copy(update={"shift": 0})
    )  # as if it had been done
    answer = office.carry_out("restrict", "2027-06-22 09:00")
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert office.access() == "full"


def test_c2_tasks_about_the_old_due_date_are_withdrawn(office: Office) -> None:
    office.open(an_invoice(policy="gradual-pressure"))
    office.carry_out("early-call", "2027-02-24 09:00")
    assert office.tasks()
    office.record("invoice_amended", "2027-02-25 09:00", due_on="2027-06-01", by="billing")
    assert office.tasks() == []


@pytest.mark.parametrize("due_on", ["2027-03-05", "2027-03-23"])
def test_c2_a_correction_to_a_day_that_has_passed_begins_nothing_anew(office: Office, due_on: str) -> None:
    office.open()
    for step, when in (*STEPS, RESTRICT):
        office.carry_out(step, when)
    office.record("invoice_amended", AMENDED, due_on=due_on, by="billing")
    assert (office.access(), office.case.progress.round, office.case.due_on) == (
        "restricted",
        1,
        date.fromisoformat(due_on),
    )


def test_c2_a_step_on_its_way_when_the_due_date_moved_is_history(office: Office) -> None:
    office.open()
    before = office.case.model_copy(deep=True)
    office.record("invoice_amended", "2027-03-02 08:59", due_on="2027-06-01", by="billing")
    assert office.case.progress.round == 1  # nothing had been said yet
    answer = office.carry_out("first-reminder", "2027-03-02 09:00", case=before)
    assert answer.outcome is not None and answer.outcome.status == "stale"


def test_c2_a_late_bounce_of_the_old_round_reaches_no_further(office: Office) -> None:
    people = (a_contact(), a_contact(Role.USER, phone="+493012345678"), a_contact(Role.ACCOUNT_MANAGER))
    office.open(an_invoice(customer=a_customer(contacts=people)))
    office.carry_out("first-reminder", "2027-03-02 09:00")
    row = office.messages("first-reminder")[0]
    office.record("invoice_amended", "2027-03-03 09:00", due_on="2027-06-01", by="billing")
    office.report(row, "bounced", "2027-03-04 09:00")
    assert office.case.outstanding.again == []
