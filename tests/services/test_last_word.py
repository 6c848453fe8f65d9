"""What was said before is taken back when it is not true any more."""

from tests.services.conftest import ServiceHarness

SATURDAY, SUNDAY, MONDAY = "2027-03-06 10:00", "2027-03-07 10:00", "2027-03-08 09:00"


def test_c4_a_dispute_resolved_at_the_weekend_is_told_on_monday_and_nothing_stale(harness: ServiceHarness) -> None:
    harness.open()
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    harness.record("dispute_opened", SATURDAY, reason="quality", opened_by="ap")
    harness.record("dispute_resolved", SUNDAY, outcome="upheld", by="agent")
    assert harness.case.next_action is None or harness.case.next_action.step.startswith("nothing-to-pay")
    (step,) = harness.case.outstanding.owed
    harness.carry_out(step, MONDAY)
    assert [row.message for row in harness.messages(step)] == ["nothing-to-pay"] * len(harness.messages(step))
    assert "there is nothing more to pay" in harness.messages(step)[0].body
    assert harness.case.finished


def test_c4_a_restriction_that_was_written_is_taken_back_when_the_invoice_is_cancelled(
    harness: ServiceHarness,
) -> None:
    harness.open()
    for step, when in (("first-reminder", "2027-03-02 09:00"), ("second-reminder", "2027-03-16 09:00")):
        harness.carry_out(step, when)
    harness.carry_out("restrict", "2027-03-22 09:00")
    assert harness.access() == "restricted"
    harness.record("cancel", "2027-03-23 09:00", reason="credit-note", by="agent")
    (step,) = harness.case.outstanding.owed
    harness.carry_out(step, "2027-03-24 09:00")
    told = {row.contact_id for row in harness.messages(step)}
    assert {"acme.accounts_payable.1", "acme.user.1"} <= told
    assert harness.access() == "full"
