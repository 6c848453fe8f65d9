"""G11 on the real server: a release comes while cases sleep, worker processes change, and the cases go on."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause

from dunwell.client.cases import Cases
from dunwell.client.comparison import Comparison
from dunwell.client.repair import Repair
from dunwell.client.runs import Runs
from dunwell.domain.reconciliation_report import Finding, Kind
from dunwell.domain.terms import Stage
from dunwell.services.overdue_work import OverdueWork
from dunwell.store import payments
from tests.builders import sample_deps
from tests.live.plant import PATIENCE, ROOT, Handle, Plant
from tests.live.test_plant import invoices
from tests.live.test_restore import handle_of, open_tasks
from tests.patched import apply, patched

RELEASES = Path(__file__).parent / "releases"
NONDETERMINISM = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
LONG_DUE = date(2027, 2, 18)  # its first letter leaves at once
PAYMENT = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
REAL_TIME = 1.0


@pytest.mark.parametrize("patch", sorted(RELEASES.glob("*.patch")), ids=lambda patch: patch.stem)
def test_every_release_patch_fits_this_tree(patch: Path) -> None:
    apply(patch, ROOT, "--check")


async def deploy(plant: Plant, tree: Path) -> None:
    """The old workers stop politely, one of another release starts."""
    assert await asyncio.to_thread(plant.stop_workers) == [0]
    plant.tree = tree
    plant.start_worker()


async def until_asleep(plant: Plant, case: Handle, stage: Stage) -> None:
    """Wait until the case, at this stage, waits for nothing but a timer."""
    await plant.until(case, lambda status: status.stage is stage and status.next_action)
    async with asyncio.timeout(PATIENCE):
        while [event.event_type async for event in case.fetch_history_events()][
            -1
        ] != EventType.EVENT_TYPE_TIMER_STARTED:
            await asyncio.sleep(0.1)


async def failures(case: Handle) -> list[WorkflowTaskFailedCause.ValueType]:
    """Why workflow tasks of this case failed."""
    events = [event async for event in case.fetch_history_events()]
    failed = [event for event in events if event.HasField("workflow_task_failed_event_attributes")]
    return [event.workflow_task_failed_event_attributes.cause for event in failed]


async def patches(case: Handle) -> int:
    """How often this case's history tells of the release's own patch."""
    events = [event async for event in case.fetch_history_events()]
    return sum("plan-at-once" in str(event.marker_recorded_event_attributes) for event in events)


async def test_new_code_under_sleeping_cases_lets_them_finish(plant: Plant, tmp_path: Path) -> None:
    """One sleeps after its first letter, one before it; a third begins with the new release and runs its new code."""
    first, second, third = invoices(3)
    cases = await plant.start([first.model_copy(update={"due_on": LONG_DUE}), second], REAL_TIME)
    for case, stage in zip(cases, (Stage.CHASING, Stage.SCHEDULED), strict=True):
        await until_asleep(plant, case, stage)
    await deploy(plant, patched(RELEASES / "behind-a-patch.patch", tmp_path / "release"))
    cases += await plant.start([third], REAL_TIME)
    for case in cases:
        await case.signal("payment_received", PAYMENT)
    async with asyncio.timeout(PATIENCE):
        assert {(await case.result()).stage for case in cases} == {Stage.PAID}
    assert [await failures(case) for case in cases] == [[], [], []]
    assert [await patches(case) for case in cases] == [0, 0, 1]


async def test_an_unguarded_change_is_reported_and_loses_no_case(plant: Plant, tmp_path: Path) -> None:
    """The case stands still and says why, until the former release is back; what was signalled meanwhile counts."""
    [case] = await plant.start(invoices(1), REAL_TIME)
    await until_asleep(plant, case, Stage.SCHEDULED)
    await deploy(plant, patched(RELEASES / "unguarded.patch", tmp_path / "release"))
    await case.signal("payment_received", PAYMENT)
    async with asyncio.timeout(PATIENCE):
        while not (causes := await failures(case)):
            await asyncio.sleep(0.1)
    assert set(causes) == {NONDETERMINISM}
    await deploy(plant, ROOT)
    async with asyncio.timeout(PATIENCE):
        assert (await case.result()).stage is Stage.PAID


async def test_g13_a_task_that_does_not_replay_is_done_again(plant: Plant, tmp_path: Path) -> None:
    """A task whose commands came in another order than a replay issues them, as decision 36 describes."""
    [case] = await plant.start(invoices(1), REAL_TIME)
    await until_asleep(plant, case, Stage.SCHEDULED)
    await deploy(plant, patched(RELEASES / "another-command.patch", tmp_path / "release"))
    await case.execute_update("payment_received", PAYMENT | {"amount": "100.00"})
    await until_asleep(plant, case, Stage.SCHEDULED)
    await deploy(plant, ROOT)
    await case.signal("payment_received", PAYMENT | {"payment_id": "p2", "amount": "50.00"})
    async with asyncio.timeout(PATIENCE):
        while NONDETERMINISM not in await failures(case):
            await asyncio.sleep(0.1)
    deps = sample_deps(plant.database)
    runs, talk = Runs(plant.client), Cases(plant.client, plant.database)
    repair = Repair(runs, talk, Comparison(runs, plant.database), OverdueWork(deps), deps)
    finding = Finding(kind=Kind.FAILING, invoice_id="inv-0", found="its workflow tasks fail", remedy="")
    assert (await repair.mend(finding, datetime.now(UTC))).mended
    await plant.until(handle_of(plant), lambda status: str(status.amount_due) == "1050.00")
    await plant.until(handle_of(plant), lambda _: booked(plant) == {"p1", "p2"})  # a moment later in the database
    assert open_tasks(plant) == []


def booked(plant: Plant) -> set[str]:
    with plant.database.reading() as session:
        return set(payments.reversed_amounts(session, "inv-0"))
