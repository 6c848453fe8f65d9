"""Workflow tasks that take long because the machine is busy."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from dunwell.domain.terms import Stage
from dunwell.store.database import Database
from tests.builders import an_invoice, sample_deps
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay
from worker import make_worker

_SLOW = 2.5
"""Seconds; longer than the SDK lets a task run by itself."""


class SlowOnce(UnsandboxedWorkflowRunner):
    """The first task of the first case takes as long as on a machine that has much else to do."""

    def __init__(self) -> None:
        self.slow_tasks = 0

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def slowly(activation: Any) -> Any:
            if not self.slow_tasks:
                self.slow_tasks += 1
                time.sleep(_SLOW)
            return activate(activation)

        instance.activate = slowly  # type: ignore[method-assign, assignment]
        return instance


async def test_a_slow_task_is_not_taken_for_a_deadlock(
    time_skipping: WorkflowEnvironment, database: Database
) -> None:
    runner = SlowOnce()
    with ThreadPoolExecutor(20) as executor:
        deps = sample_deps(database)
        async with make_worker(time_skipping.client, deps, executor, runner=runner):
            harness = CaseHarness(time_skipping, deps)
            await harness.start(an_invoice())
            await pay(harness, "1200.00", "p1")
            outcome = await harness.case.result()
            events = {event.event_type for event in (await harness.case.fetch_history()).events}
    assert (runner.slow_tasks, outcome.stage) == (1, Stage.PAID)
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in events
