"""A request to cancel a workflow rests its case and asks a person; it ends nothing."""

from dunwell.domain.terms import Stage
from dunwell.store import tasks
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice
from tests.workflows.house import House
from tests.workflows.lives import pay, today


def asked(house: House) -> list[TaskRow]:
    with house.deps.database.reading() as session:
        found = list(tasks.open_tasks(session, "inv-1"))
    assert not [task.task_id for task in found if ".pause." in task.task_id], "asked twice"
    return [task for task in found if ".interrupted." in task.task_id]


async def test_a9_a_cancelled_case_rests_until_a_person_says_go_on(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.case.cancel()
    await house.pass_time(days=30)
    status = await house.status()
    assert (status.stage, status.next_action) == (Stage.PAUSED, None)
    (task,) = asked(house)
    assert (
        "by " in task.reason and "starter.py cancel inv-1" in task.reason and "starter.py resume inv-1" in task.reason
    )
    assert len({message["step"] for message in house.messages()}) == 1
    await house.case.execute_update("resume", {"by": "agent-7"})
    assert asked(house) == []
    await house.pass_time(days=30)
    assert len({message["step"] for message in house.messages()}) > 1
    await pay(house)
    assert (await house.case.result()).stage is Stage.PAID


async def test_a9_a_person_may_end_it_and_money_counts_meanwhile(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.case.cancel()
    await pay(house, "200.00")
    await house.pass_time(days=1)
    assert str((await house.status()).amount_due) == "1000.00"
    await house.case.execute_update("cancel", {"reason": "duplicate", "by": "agent-7"})
    assert (await house.case.result()).stage is Stage.CANCELLED
    assert asked(house) == []


async def test_a9_a_pause_that_was_agreed_goes_on_after_the_slip(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    until = await today(house, 40)
    await house.tell("pause", reason="hardship", by="agent-7", until=until)
    await house.case.cancel()
    await house.pass_time(hours=1)
    assert (await house.status()).next_action is None
    await house.case.execute_update("resume", {"by": "agent-7"})
    status = await house.status()
    assert status.stage is Stage.PAUSED and status.next_action is not None and until in status.next_action.why
