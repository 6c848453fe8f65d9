"""The return of a restriction after grace passes the judge of every step, and changes access in its transaction."""

from collections.abc import Callable

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.grace import GRACE_OVER
from dunwell.domain.standstill import Decision
from dunwell.services import standstill
from dunwell.store import addresses
from tests.builders import at
from tests.services.conftest import ServiceHarness
from tests.services.test_customer_requests import write

WARNED = (
    ("first-reminder", "2027-03-02 09:00"),
    ("second-reminder", "2027-03-16 09:00"),
    ("restrict", "2027-03-22 09:00"),
)
GRANTED, RETURNS = "2027-03-23 10:00", "2027-03-25 08:00"  # the Thursday before Easter, when the office opens


def lifted(harness: ServiceHarness) -> ServiceHarness:
    harness.open()
    for step, when in WARNED:
        harness.carry_out(step, when)
    assert harness.access() == "restricted"
    answer = harness.record("grace_granted", GRANTED, until="2027-03-25", by="restriction page")
    assert harness.access() == "full"
    assert answer.next_action is not None
    planned = harness.carry_out(answer.next_action.step, GRANTED).next_action
    assert planned is not None
    assert (planned.step, planned.at) == (GRACE_OVER, at(RETURNS))
    return harness


def test_the_hold_the_word_and_the_timeline_come_back_together(harness: ServiceHarness) -> None:
    lifted(harness)
    (confirmed,) = {row.body for row in harness.messages("grace-confirmed~1") if row.contact_id.endswith("payable.1")}
    assert "On March 25, 2027 some features of the service will be limited" in confirmed
    answer = harness.carry_out(GRACE_OVER, RETURNS)
    assert (harness.access(), harness.case.agreements.grace) == ("restricted", None)
    assert {row.message for row in harness.messages("restrict.grace1")} == {"restricted"}
    assert [entry.reason.partition(":")[0] for entry in harness.entries("grace")] == [
        "granted by restriction page (1 of 1)",
        "the grace until 2027-03-25 is over and the money did not come",
    ]
    assert answer.next_action is not None
    assert answer.next_action.step == "last-letter"
    harness.pay("2027-03-25 09:00")
    assert harness.access() == "full"


def _reply(harness: ServiceHarness) -> None:
    write(harness, "2027-03-25 07:00")


def _standstill(harness: ServiceHarness) -> None:
    standstill.begin(harness.deps.database, Decision(by="operator", reason="restore"), at("2027-03-25 07:00"))


def _opt_out(harness: ServiceHarness) -> None:
    """A warning proves nothing any more when its address is closed."""
    with harness.deps.database.writing("acme") as session:
        for row in harness.messages("second-reminder"):
            addresses.close(session, Channel.EMAIL, row.address, "bounced", at("2027-03-25 07:00"), rehearsal=False)


@pytest.mark.parametrize("obstacle", [_reply, _standstill, _opt_out])
def test_what_keeps_any_step_back_keeps_the_return_back(
    harness: ServiceHarness, obstacle: Callable[[ServiceHarness], None]
) -> None:
    lifted(harness)
    obstacle(harness)
    answer = harness.carry_out(GRACE_OVER, RETURNS)
    assert answer.outcome is not None
    assert answer.outcome.status in {"delayed", "blocked"}
    assert harness.access() == "full"
    assert answer.next_action is not None
    assert answer.next_action.step == GRACE_OVER
    assert answer.next_action.at > at(RETURNS)


@pytest.mark.parametrize(("paid", "status"), [("1200.00", "stale"), ("1196.00", "skipped"), ("600.00", "done")])
def test_money_that_came_before_it(harness: ServiceHarness, paid: str, status: str) -> None:
    """Below the ladder's floor nothing is restricted, though something is open."""
    lifted(harness)
    harness.pay("2027-03-24 10:00", paid)
    answer = harness.carry_out(GRACE_OVER, RETURNS)
    assert answer.outcome is not None
    assert (answer.outcome.status, harness.access()) == (status, "restricted" if status == "done" else "full")
