"""Resets of a case that was told things by signals and by updates: the new run has all of them, and replays."""

from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.live.plant import Handle, Plant
from tests.live.test_plant import invoices
from tests.live.test_restore import SIGNALS, SLOW, UPDATES, about, handle_of, reconcile, stored
from workflows.invoice_dunning import InvoiceDunning

TOLD = [
    ("signal", "pause", {"reason": "hardship", "by": "agent-7"}),
    ("update", "resume", {"by": "agent-7"}),
    ("signal", "dispute_opened", {"reason": "quality", "opened_by": "debtor"}),
    ("update", "payment_received", {"payment_id": "p1", "amount": "100.00", "currency": "EUR"}),
    ("update", "dispute_resolved", {"outcome": "rejected", "by": "agent-7"}),
    ("signal", "payment_received", {"payment_id": "p2", "amount": "50.00", "currency": "EUR"}),
    ("update", "payment_reversed", {"payment_id": "p1", "reason": "returned"}),
    ("signal", "promise_to_pay", {"date": "2027-03-05", "promised_by": "debtor"}),
]
"""In an order in which each needs the one before it."""


async def tell(handle: Handle) -> None:
    for way, name, content in TOLD:
        if way == "signal":
            await handle.signal(name, content)
        else:
            await handle.execute_update(name, content)


async def reset(plant: Plant, handle: Handle, leaves_out: list[Any]) -> None:
    """To its first workflow task."""
    events = [event async for event in handle.fetch_history_events()]
    first = next(one for one in events if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    await plant.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="test",
            workflow_task_finish_event_id=first.event_id,
            request_id=uuid4().hex,
            reset_reapply_exclude_types=leaves_out,
        )
    )


def kinds(history: WorkflowHistory, kind: EventType.ValueType) -> int:
    return sum(event.event_type == kind for event in history.events)


@pytest.mark.parametrize(
    "leaves_out", [[], [SIGNALS], [SIGNALS, UPDATES]], ids=["nothing", "signals", "signals and updates"]
)
async def test_a_reset_loses_nothing_that_a_case_was_told_and_its_history_replays(
    plant: Plant, leaves_out: list[Any]
) -> None:
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    await tell(handle)
    before = await plant.until(handle, lambda _: stored(plant).stage == "promised")  # all of it is in the database
    assert str(before.amount_due) == "1150.00"
    await reset(plant, handle, leaves_out)
    await plant.until(handle_of(plant), lambda status: status.next_action)
    await reconcile(plant, apply=True)
    await plant.until(handle_of(plant), lambda status: status.stage == "promised" and status.next_action)
    plant.kill_workers()
    plant.start_worker()  # it has to replay what the other one lived through
    await handle_of(plant).signal("payment_received", {"payment_id": "p3", "amount": "1.00", "currency": "EUR"})
    status = await plant.until(handle_of(plant), lambda _: stored(plant).money.paid == 51)
    assert (status.stage, str(status.amount_due)) == ("promised", "1149.00")
    assert about(await reconcile(plant)) == []
    history = await handle_of(plant).fetch_history()
    admitted = kinds(history, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED)
    assert admitted == (0 if UPDATES in leaves_out else 4)
    runner = UnsandboxedWorkflowRunner()
    await Replayer(
        workflows=[InvoiceDunning], data_converter=pydantic_data_converter, workflow_runner=runner
    ).replay_workflow(history)
