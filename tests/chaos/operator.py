"""The operator of a storm: cancels, terminates and resets cases in the engine, then reconciles and resumes them."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from activities.reconciliation import ReconcileRequest
from dunwell.domain.reconciliation_report import Report
from dunwell.store.database import Database
from workflows.options import TASK_QUEUE
from workflows.reconciler import ReconcileOnce

_PATIENCE = timedelta(seconds=15)
_FORGETS = [
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
]

_INTERRUPTED = """
SELECT invoice_id FROM cases
WHERE stage = 'paused' AND state -> 'pause' ->> 'by' = 'the engine'
"""

Handle = WorkflowHandle[Any, Any]


class Operator:
    """What a person does in the Temporal UI and at the command line."""

    def __init__(
        self, chance: random.Random, client: Client, database: Database, command: Callable[..., None]
    ) -> None:
        self._chance, self._client, self._database, self._command = chance, client, database, command
        self.at_work = asyncio.Lock()

    async def hold(self, switch: Literal["on", "off"]) -> None:
        """`starter.py hold on` or `off`."""
        await asyncio.to_thread(self._command, "hold", switch, "--by", "ops", "--reason", "restore")

    async def act(self, handles: Mapping[str, Handle]) -> None:
        """One of the three to a case; one that has ended, or a server that is away, leaves it undone."""
        if not handles:
            return
        handle = self._chance.choice(list(handles.values()))
        act = self._chance.choice((self._cancel, self._terminate, self._reset))
        with suppress(RPCError):
            await act(handle)

    async def _cancel(self, handle: Handle) -> None:
        await handle.cancel(rpc_timeout=_PATIENCE)

    async def _terminate(self, handle: Handle) -> None:
        await handle.terminate(reason="a slip of the mouse", rpc_timeout=_PATIENCE)

    async def _reset(self, handle: Handle) -> None:
        """To its first step; half of them without what the case was told since. A case that has ended stays so."""
        if (await handle.describe()).close_time is not None:
            return
        events = [event async for event in handle.fetch_history_events()]
        done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        first = next((one for one in events if one.event_type == done), None)
        if first is None:
            return
        await self._client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id),
                reason="a second try",
                workflow_task_finish_event_id=first.event_id,
                request_id=uuid4().hex,
                reset_reapply_exclude_types=_FORGETS if self._chance.random() < 0.5 else [],
            ),
            timeout=_PATIENCE,
        )

    async def reconcile(self, seconds: float) -> Report | None:
        """`starter.py reconcile --apply`. None when it took longer than `seconds`: its worker was killed, say."""
        request = ReconcileRequest(by="agent.1", apply=True)
        with suppress(RPCError, WorkflowFailureError, TimeoutError):
            once = self._client.execute_workflow(
                ReconcileOnce.run, request, id=f"reconcile-{uuid4().hex}", task_queue=TASK_QUEUE
            )
            return await asyncio.wait_for(once, seconds)
        return None

    async def resume(self, handles: Mapping[str, Handle]) -> None:
        """What was stopped goes on."""
        for name in await asyncio.to_thread(self._interrupted):
            if name in handles:
                with suppress(RPCError):
                    await handles[name].signal("resume", {"by": "agent.1"}, rpc_timeout=_PATIENCE)

    def _interrupted(self) -> list[str]:
        with self._database.reading() as session:
            return list(session.scalars(text(_INTERRUPTED)))
