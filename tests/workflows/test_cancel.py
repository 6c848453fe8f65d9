"""A workflow that is cancelled or terminated rests its case and asks a person; neither ends anything."""

from dunwell.client.cases import Cases
from dunwell.domain.terms import Stage
from dunwell.store import cases, tasks
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today
from workflows.messages import CaseStart


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


# Terminated, and begun again by whatever comes first -----------------------------------------------------------


async def test_a9_money_for_a_terminated_case_counts_and_the_case_rests(harness: CaseHarness) -> None:
    """The payment comes before the hourly comparison: it begins the case again, and nobody said that it goes on."""
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.case.terminate("a slip of the mouse")
    part = {"payment_id": "p1", "amount": "200.00", "currency": "EUR"}
    await Cases(harness.env.client, harness.deps.database).begin_again("inv-1", ("payment_received", part))
    await harness.pass_time(days=30)
    status = await harness.status()
    assert (status.stage, str(status.amount_due), status.next_action) == (Stage.PAUSED, "1000.00", None)
    (task,) = asked(harness)
    assert task.reason.startswith(
        "its run was "
    )  # this server tells no history backwards; tests/local has who did it
    assert (
        "paused",
        "run-closed: the case rests until a person says whether it ends or goes on",
    ) in harness.timeline()
    assert len({message["step"] for message in harness.messages()}) == 1
    await harness.case.execute_update("resume", {"by": "agent-7"})
    assert asked(harness) == []
    assert (await harness.status()).next_action is not None


async def test_a9_a_case_whose_run_nobody_knows_rests_however_it_is_begun_again(harness: CaseHarness) -> None:
    """Another client starts it by its id alone, after the engine has lost it."""
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.case.terminate("lost")
    await harness.begin(CaseStart(invoice_id="inv-1", clock=harness.clock))
    await harness.pass_time(days=1)
    assert (await harness.status()).stage is Stage.PAUSED
    (task,) = asked(harness)
    assert "check payments since 20" in task.reason


async def test_a9_what_settles_a_terminated_case_ends_it_without_a_question(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.case.terminate("a slip of the mouse")
    whole = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    await Cases(harness.env.client, harness.deps.database).begin_again("inv-1", ("payment_received", whole))
    await harness.pass_time(days=1)
    with harness.deps.database.reading() as session:
        row = cases.get_row(session, "inv-1")
    assert row is not None and row.stage is Stage.PAID
    assert asked(harness) == []
