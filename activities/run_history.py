"""Reads in the history of a run how it ended, and who asked for that."""

from collections.abc import Sequence

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

_ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed-out",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
}


async def latest_events(
    client: Client, namespace: str, workflow_id: str, run_id: str, count: int
) -> list[HistoryEvent]:
    """Return the last events of a run, oldest first. Raises RPCError."""
    answer = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            maximum_page_size=count,
        )
    )
    return list(reversed(answer.history.events))


def closed_by(history: Sequence[HistoryEvent]) -> str:
    """By whom, when and why a run was terminated or asked to cancel, as its history says; "" if by nobody."""
    for event in reversed(history):
        terminated = event.workflow_execution_terminated_event_attributes
        cancelled = event.workflow_execution_cancel_requested_event_attributes
        who, why = terminated.identity or cancelled.identity, terminated.reason or cancelled.cause
        if who or why:
            when = event.event_time.ToDatetime()
            return f" by {who or 'nobody knows whom'} at {when:%Y-%m-%d %H:%M} UTC" + (
                f" ({why[:80]})" if why else ""
            )
    return ""


def how_it_ended(history: Sequence[HistoryEvent]) -> str:
    """Return in a sentence how a run ended whose case had not, by its last events."""
    ended = _ENDS.get(history[-1].event_type, "ended") if history else "ended"
    return f"its run was {ended} in the engine{closed_by(history)}"
