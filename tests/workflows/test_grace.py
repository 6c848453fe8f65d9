"""Grace on a running case: access is back at once, the day is named, and the restriction returns by itself."""

from datetime import date

import pytest
from temporalio.client import WorkflowUpdateFailedError

from dunwell.domain.terms import Access
from dunwell.store import accounts, invoices
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the lives have both


def access(harness: CaseHarness) -> Access:
    with harness.deps.database.reading() as session:
        customer = invoices.get_customer_of(session, "inv-1")
        return accounts.access(session, customer.customer_id)


async def restricted(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=30)
    assert access(harness) is Access.RESTRICTED


async def grant(harness: CaseHarness, days: int) -> date:
    until = date.fromisoformat(await today(harness, days))
    await harness.case.execute_update("grace_granted", {"until": until.isoformat(), "by": "restriction page"})
    return until


async def test_the_restriction_returns_on_the_day_that_was_named(harness: CaseHarness) -> None:
    await restricted(harness)
    until = await grant(harness, 3)
    assert access(harness) is Access.FULL
    await harness.pass_time(hours=20)
    named = next(one for one in harness.messages() if one["message"] == "grace-confirmed")
    returns = date(2027, 3, 30)  # three days on it is Easter Saturday, and nobody is restricted before Tuesday
    assert "March 30, 2027" in named["body"]
    status = await harness.status()
    assert status.grace is not None
    assert status.grace.until == until
    assert (status.next_action and status.next_action.step, access(harness)) == ("@grace", Access.FULL)
    await harness.pass_time(days=6)
    assert access(harness) is Access.RESTRICTED
    again = [one for one in harness.messages() if one["step"].endswith(".grace1")]
    assert {one["message"] for one in again} == {"restricted"}
    assert {one["at"].date() for one in again} == {returns}
    assert harness.broken_laws() == []
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await grant(harness, 2)
    assert "the policy grants 1" in str(refused.value.cause)
    await pay(harness)
    assert (await harness.case.result()).stage == "paid"
    assert access(harness) is Access.FULL


async def test_a_promise_holds_the_restriction_off_and_a_broken_one_brings_it_back(harness: CaseHarness) -> None:
    await restricted(harness)
    await grant(harness, 1)
    await harness.tell("promise_to_pay", date=await today(harness, 7), promised_by="user")
    await harness.pass_time(days=6)
    assert access(harness) is Access.FULL
    await harness.pass_time(days=8)
    assert access(harness) is Access.RESTRICTED
    assert harness.broken_laws() == []
