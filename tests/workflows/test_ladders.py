"""Every shipped ladder, lived to its end on the time-skipping server: unpaid, and paid after its strongest step."""

from datetime import timedelta

import pytest

from dunwell.domain.policy import Policy
from dunwell.domain.terms import ENDS, Access, Role, Stage
from dunwell.store import tasks, timeline
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.harness import AS_OF, CaseHarness
from tests.workflows.lives import pay

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OURS = "+4930999999"
PEOPLE = tuple(a_contact(role, phone=OURS if role is Role.ACCOUNT_MANAGER else "+4930123456") for role in Role)


def begun(harness: CaseHarness) -> list[str]:
    """The steps that had their turn, in order."""
    with harness.deps.database.reading() as session:
        entries = [entry for _, entry in timeline.read(session, "inv-1")]
    return list(dict.fromkeys(entry.step for entry in entries if entry.step and "~" not in entry.step))


async def say_yes(harness: CaseHarness) -> None:
    with harness.deps.database.reading() as session:
        asked = [task.task_id for task in tasks.open_tasks(session, "inv-1") if task.kind == "approval"]
    for task in asked:
        await harness.tell("call_outcome", task_id=task, outcome="approved", by="head-of-sales")


async def walk(harness: CaseHarness, policy: Policy, until: str | None = None) -> None:
    """Nobody pays; whatever waits for a yes gets it within a week."""
    days = {"issued_on": AS_OF.date(), "due_on": AS_OF.date() + timedelta(days=28)}
    await harness.start(an_invoice(policy=policy.name, customer=a_customer(contacts=PEOPLE), **days))
    for _ in range(40):
        await harness.pass_time(days=7)
        status = await harness.status()
        if status.stage in ENDS or (until in begun(harness) and status.access is not Access.FULL):
            return
        if until in begun(harness) and not policy.step(str(until)).restricts:
            return
        await say_yes(harness)


@pytest.mark.parametrize("name", sorted(the_ladders()))
async def test_unpaid_to_its_end(harness: CaseHarness, name: str) -> None:
    policy = the_ladders()[name]
    await walk(harness, policy)
    status = await harness.status()
    assert status.stage is policy.steps[-1].ends
    assert begun(harness) == [step.id for step in policy.steps]
    restricted = any(step.restricts for step in policy.steps) and status.stage is Stage.HANDED_OVER
    assert status.access is (Access.RESTRICTED if restricted else Access.FULL)
    assert not harness.broken_laws()
    copied = {message["step"] for message in harness.messages(copies=True) if "account_manager" in message["contact"]}
    assert copied == {f"{step.id}.copy" for step in policy.steps if step.copied}


@pytest.mark.parametrize("name", sorted(the_ladders()))
async def test_paid_after_its_strongest_step(harness: CaseHarness, name: str) -> None:
    policy = the_ladders()[name]
    strongest = next((step for step in policy.steps if step.restricts), policy.steps[-2])
    await walk(harness, policy, until=strongest.id)
    await pay(harness)
    await harness.case.result()
    status = await harness.status()
    assert (status.stage, status.access, status.holds) == (Stage.PAID, Access.FULL, [])
    last = harness.messages()[-1]["message"]
    assert last == ("restored" if strongest.restricts else "thank-you")
