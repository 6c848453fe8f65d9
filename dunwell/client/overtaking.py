"""Lets the events that people send overtake waiting steps of other cases.

The server hands out workflow tasks in the order in which they came: behind five thousand steps due at ten o'clock a
payment would wait for minutes. A case may be given a higher priority while its task waits, and the task moves with
it. That is one more Action, so only a case that has let somebody wait is given it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, RPCError

from dunwell.client.server import describe

_LOOK = 0.5
"""Seconds of waiting after which a case gets the higher priority. A worker that is not busy answers sooner."""

_FIRST = Priority(priority_key=1)
_WAITS = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED

_log = logging.getLogger(__name__)


class Overtaking:
    """Raises the priority of cases that let somebody wait. Safe to share between tasks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._checks: set[asyncio.Task[None]] = set()  # the loop itself does not keep them

    @asynccontextmanager
    async def while_waiting(self, workflow_id: str) -> AsyncIterator[None]:
        """Raise the priority of the case when the block waits for it longer than `_LOOK` seconds."""
        answered = asyncio.Event()
        check = asyncio.create_task(self._overtake_if_queued(workflow_id, answered))
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)
        try:
            yield
        finally:
            answered.set()  # not cancelled: the server would take a call that is broken off for a failure of its own

    async def _overtake_if_queued(self, workflow_id: str, answered: asyncio.Event) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(answered.wait(), _LOOK)
                    return
                if await self._is_queued(workflow_id):
                    await self._put_first(workflow_id)
                    return
        except RPCError as error:
            _log.info("%s keeps its place in line: %s", workflow_id, error.message)

    async def _is_queued(self, workflow_id: str) -> bool:
        """Whether the case has a task that no worker has taken yet."""
        described = await describe(self._client, workflow_id)
        return described.HasField("pending_workflow_task") and described.pending_workflow_task.state == _WAITS

    async def _put_first(self, workflow_id: str) -> None:
        await self._client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                workflow_execution_options=WorkflowExecutionOptions(priority=_FIRST),
                update_mask=FieldMask(paths=["priority"]),
                identity=self._client.identity,
            )
        )
