"""A request to cancel a workflow rests its case and asks a person; it ends nothing."""

from dunwell.domain.terms import Stage
from dunwell.store import tasks
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today


def asked(harness: CaseHarness) -> list[TaskRow]:
    with harness.deps.database.reading() as session:
        found = list(tasks.open_tasks(session, "inv-1"))
    assert not [task.task_id for task in found if ".pause." in task.task_id], "asked twice"
    return [task for task in found if ".interrupted." in task.task_id]


async def test_a9_a_cancelled_case_rests_until_a_person_says_go_on(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.case.cancel()
    await harness.pass_time(days=30)
    status = await harness.status()
    assert (status.stage, status.next_action) == (Stage.PAUSED, None)
    (task,) = asked(harness)
    assert (
        "by " in task.reason and "starter.py cancel inv-1" in task.reason and "starter.py resume inv-1" in task.reason
    )
    assert len({message["step"] for message in harness.messages()}) == 1
    await harness.case.execute_update("resume", {"by": "agent-7"})
    assert asked(harness) == []
    await harness.pass_time(days=30)
    assert len({message["step"] for message in harness.messages()}) > 1
    await pay(harness)
    assert (await harness.case.result()).stage is Stage.PAID


async def test_a9_a_person_may_end_it_and_money_counts_meanwhile(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.case.cancel()
    await pay(harness, "200.00")
    await harness.pass_time(days=1)
    assert str((await harness.status()).amount_due) == "1000.00"
    await harness.case.execute_update("cancel", {"reason": "duplicate", "by": "agent-7"})
    assert (await harness.case.result()).stage is Stage.CANCELLED
    assert asked(harness) == []


async def test_a9_a_pause_that_was_agreed_goes_on_after_the_slip(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    until = await today(harness, 40)
    await harness.tell("pause", reason="hardship", by="agent-7", until=until)
    await harness.case.cancel()
    await harness.pass_time(hours=1)
    assert (await harness.status()).next_action is None
    await harness.case.execute_update("resume", {"by": "agent-7"})
    status = await harness.status()
    assert status.stage is Stage.PAUSED and status.next_action is not None and until in status.next_action.why
