"""What was said before is taken back when it is not true any more."""

from tests.services.conftest import Office

SATURDAY, SUNDAY, MONDAY = "2027-03-06 10:00", "2027-03-07 10:00", "2027-03-08 09:00"


def test_c4_a_dispute_resolved_at_the_weekend_is_told_on_monday_and_nothing_stale(office: Office) -> None:
    office.open()
    office.carry_out("first-reminder", "2027-03-02 09:00")
    office.record("dispute_opened", SATURDAY, reason="quality", opened_by="ap")
    office.record("dispute_resolved", SUNDAY, outcome="upheld", by="agent")
    assert office.case.next_action is None or office.case.next_action.step.startswith("nothing-to-pay")
    (step,) = office.case.outstanding.owed
    office.carry_out(step, MONDAY)
    assert [row.message for row in office.messages(step)] == ["nothing-to-pay"] * len(office.messages(step))
    assert "there is nothing more to pay" in office.messages(step)[0].body
    assert office.case.finished


def test_c4_a_restriction_that_was_written_is_taken_back_when_the_invoice_is_cancelled(office: Office) -> None:
    office.open()
    for step, when in (("first-reminder", "2027-03-02 09:00"), ("second-reminder", "2027-03-16 09:00")):
        office.carry_out(step, when)
    office.carry_out("restrict", "2027-03-22 09:00")
    assert office.access() == "restricted"
    office.record("cancel", "2027-03-23 09:00", reason="credit-note", by="agent")
    (step,) = office.case.outstanding.owed
    office.carry_out(step, "2027-03-24 09:00")
    told = {row.contact_id for row in office.messages(step)}
    assert {"acme.accounts_payable.1", "acme.user.1"} <= told
    assert office.access() == "full"
