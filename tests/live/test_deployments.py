"""G11 on the real server: a release comes while cases sleep, worker processes change, and the cases go on."""

import asyncio
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from domain.terms import Stage
from tests.live.plant import ROOT, Handle, Plant
from tests.live.test_plant import DAY_A_SECOND, invoices
from tests.patched import apply, patched

RELEASES = Path(__file__).parent / "releases"
PAYMENT = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}


@pytest.mark.parametrize("patch", sorted(RELEASES.glob("*.patch")), ids=lambda patch: patch.stem)
def test_every_release_patch_fits_this_tree(patch: Path) -> None:
    apply(patch, ROOT, "--check")


async def deploy(plant: Plant, tree: Path) -> None:
    """The old workers stop politely, one of another release starts."""
    assert await asyncio.to_thread(plant.stop_workers) == [0]
    plant.tree = tree
    plant.start_worker()


async def failures(handle: Handle) -> list[int]:
    """Why workflow tasks of this case failed."""
    events = [event async for event in handle.fetch_history_events()]
    failed = [event for event in events if event.HasField("workflow_task_failed_event_attributes")]
    return [event.workflow_task_failed_event_attributes.cause for event in failed]


async def patches(handle: Handle) -> int:
    """How often this case's history tells of the release's patch."""
    events = [event async for event in handle.fetch_history_events()]
    return sum("plan-at-once" in str(event.marker_recorded_event_attributes) for event in events)


async def test_new_code_under_sleeping_cases_lets_them_finish(plant: Plant, tmp_path: Path) -> None:
    """One sleeps before its first letter, one after it; a third begins with the new release and runs its new code."""
    first, second, third = invoices(3)
    [chased] = await plant.start([first], speed=2 * DAY_A_SECOND)
    await plant.until(chased, lambda status: status.stage is Stage.CHASING, seconds=120)
    [waiting] = await plant.start([second], speed=1)
    await plant.until(waiting, lambda status: status.next_action, seconds=120)
    await deploy(plant, patched(RELEASES / "behind-a-patch.patch", tmp_path / "release"))
    [new] = await plant.start([third], speed=1)
    cases = [chased, waiting, new]
    for case in cases:
        await case.signal("payment_received", PAYMENT)
    assert {(await case.result()).stage for case in cases} == {Stage.PAID}
    assert [await failures(case) for case in cases] == [[], [], []]
    assert [await patches(case) for case in cases] == [0, 0, 1]


async def test_an_unguarded_change_is_reported_and_harms_no_case(plant: Plant, tmp_path: Path) -> None:
    """The case stands still and says why, until the former release is back; what was signalled meanwhile counts."""
    [case] = await plant.start(invoices(1), speed=1)
    await plant.until(case, lambda status: status.next_action, seconds=120)
    await deploy(plant, patched(RELEASES / "unguarded.patch", tmp_path / "release"))
    await case.signal("payment_received", PAYMENT)
    async with asyncio.timeout(120):
        while not (causes := await failures(case)):
            await asyncio.sleep(0.1)
    assert set(causes) == {WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR}
    await deploy(plant, ROOT)
    assert (await case.result()).stage is Stage.PAID
