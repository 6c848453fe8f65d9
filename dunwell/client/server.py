"""Calls of the Temporal server: retries while it is away, and translates its errors."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client, RPCError, WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCStatusCode

from dunwell.domain.refusal import Refused
from workflows.messages import workflow_id

_PASSING = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.DEADLINE_EXCEEDED})
_LONGEST_PAUSE = 10.0  # seconds between two tries

T = TypeVar("T")


ANSWER = timedelta(seconds=8)
"""How long a case has to answer. Less than the ten seconds after which the server hands a query to any worker, with
events that no workflow task has had yet: a worker with the run in its cache takes them out of order
(docs/decisions/0036-redoing-a-task.md)."""


INTERRUPTED: Mapping[int, str] = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TIMED_OUT: "timed-out",
    WorkflowExecutionStatus.FAILED: "failed",
}
"""How a run can end without its case having ended, by its status in Temporal."""


class ServerAway(Exception):
    """The Temporal server does not answer, or refuses us. The text is one sentence with what to do."""


class NoAnswer(Exception):
    """No worker took a request in time. The text says what has become of it."""


@dataclass(frozen=True)
class Patience:
    """How long to wait: `answer` for a worker's answer to a person, `server` for a server that is away."""

    answer: timedelta = ANSWER
    server: timedelta = timedelta(minutes=1)


class NotRunning(Exception):
    """No workflow of this id is running."""


class Server:
    """The client of one namespace, and how long it waits. Safe to share between tasks."""

    def __init__(self, client: Client, patience: Patience) -> None:
        self.client, self.patience = client, patience

    def handle(self, invoice_id: str) -> WorkflowHandle[Any, Any]:
        """The workflow of a case, running or not."""
        return self.client.get_workflow_handle(workflow_id(invoice_id))

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat the call while the server restarts or is overrun. Raises NotRunning, at last ServerAway."""
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self.patience.server.total_seconds(), 0.5
        while True:
            try:
                return await call()
            except RPCError as error:
                if error.status not in _PASSING or clock() + pause > deadline:
                    raise translated(error) from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def describe(self, invoice_id: str) -> WorkflowExecutionInfo | None:
        """The latest run of a case; None when the server knows of none. Raises ServerAway."""
        try:
            return (
                await self.patiently(lambda: describe(self.client, workflow_id(invoice_id)))
            ).workflow_execution_info
        except NotRunning:
            return None


async def describe(client: Client, name: str) -> DescribeWorkflowExecutionResponse:
    """The latest run of a workflow as the server holds it. Raises RPCError.

    Not by `WorkflowHandle.describe`, which fails on a search attribute of a date that holds no value.
    """
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=name))
    )


def refused_update(error: WorkflowUpdateFailedError) -> Exception:
    """What the failure of an update means: Refused with the case's words, or NotRunning."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        if cause.type == "Refused" and len(cause.details) == 2:
            return Refused(str(cause.details[0]), str(cause.details[1]))
        if cause.type == "AcceptedUpdateCompletedWorkflow":
            return NotRunning()
    return Refused("case", f"could not do it ({str(cause)[:200]})")


def translated(error: RPCError) -> Exception:
    """What an error of the server means: NotRunning, or ServerAway with what to do."""
    said = (error.message.splitlines() or [""])[0][:200]
    if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in said.lower():
        return NotRunning()
    if "search attribute" in said.lower():
        return ServerAway(f"The server does not know the search attributes ({said}): run `worker.py --set-up` first.")
    what = "does not answer" if error.status in _PASSING else "refuses"
    return ServerAway(f"The Temporal server {what} ({error.status.name.lower()}: {said}): look whether it is well.")
