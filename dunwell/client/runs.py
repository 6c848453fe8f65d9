"""Reads the runs of cases in Temporal: their lists, which lag behind, and each run itself."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    RPCError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import RawValue, SearchAttributeKey
from temporalio.service import RPCStatusCode

from activities.unsealing import unpacked
from dunwell.client.server import ANSWER, describe
from dunwell.domain.events import MONEY
from workflows.messages import MEMORY_QUERY, WORKFLOW_TYPE, Carried, workflow_id
from workflows.options import AMOUNT_DUE, STAGE

Signals = dict[tuple[str, bytes], list[RawValue]]
"""Signals, each by its name and content, so that none is sent twice."""

_PROBLEMS = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
"""Set by the server on a run whose workflow tasks failed several times in a row, until one succeeds."""
_FAILURES = 5  # in a row, after which the server sets it

_REDONE = "dunwell: a workflow task that does not replay is done again"
_MOST_REDONE = 3  # tasks of one run; more than that are a fault of the code, which a person has to look at
_AT_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")


@dataclass(frozen=True)
class Listed:
    """A run by its search attributes: the stage, the open amount, and what the server reports of failing tasks."""

    stage: str
    open: float
    problem: str | None = None


class Runs:
    """The runs of all cases, each found by its invoice."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def handle(self, invoice_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(workflow_id(invoice_id))

    async def running(self) -> dict[str, Listed]:
        """The cases that the engine lists as running."""
        found: dict[str, Listed] = {}
        query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'"
        async for one in self._client.list_workflows(query):
            attributes = one.typed_search_attributes
            problems = [text.rpartition("=")[2] for text in attributes.get(_PROBLEMS) or ()]
            found[one.id.removeprefix(workflow_id(""))] = Listed(
                str(attributes.get(STAGE)), float(attributes.get(AMOUNT_DUE) or 0), ", ".join(problems) or None
            )
        return found

    async def ended_since(self, moment: datetime | None) -> set[str]:
        """The cases of which a run has completed since the moment; None: ever."""
        query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Completed'"
        if moment is not None:
            query += f" AND CloseTime > '{moment:%Y-%m-%dT%H:%M:%SZ}'"
        found = self._client.list_workflows(query)
        return {one.id.removeprefix(workflow_id("")) async for one in found}

    async def status(self, invoice_id: str) -> WorkflowExecutionStatus | None:
        """The status of the latest run. None: the engine knows no such run."""
        try:
            described = await describe(self._client, workflow_id(invoice_id))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return WorkflowExecutionStatus(described.workflow_execution_info.status)

    async def fails(self, invoice_id: str) -> bool:
        """Whether it runs and its workflow tasks fail still: the list may be older than their success or its end."""
        described = await describe(self._client, workflow_id(invoice_id))
        status = WorkflowExecutionStatus(described.workflow_execution_info.status)
        return status is WorkflowExecutionStatus.RUNNING and described.pending_workflow_task.attempt >= _FAILURES

    async def memory(self, invoice_id: str) -> tuple[Carried | None, str]:
        """What the latest run remembers, or None and why it did not say."""
        try:
            memory: Carried = await self.handle(invoice_id).query(
                MEMORY_QUERY, result_type=Carried, rpc_timeout=ANSWER
            )
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            return None, f"it does not answer ({type(error).__name__})"
        return memory, ""

    async def history(self, invoice_id: str) -> list[HistoryEvent]:
        """The events of the latest run, oldest first."""
        return [event async for event in self.handle(invoice_id).fetch_history_events()]

    async def redo_unreplayable_task(self, invoice_id: str) -> bool:
        """Reset the run to the workflow task that its history does not replay, so that it is done again.

        What the case was told since is told again. False when its tasks fail for another reason, or were redone
        often.
        """
        task = unreplayable_task(await self.history(invoice_id))
        if task is None:
            return False
        request = ResetWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id(invoice_id)),
            reason=_REDONE,
            workflow_task_finish_event_id=task,
            request_id=uuid4().hex,
        )
        await self._client.workflow_service.reset_workflow_execution(request, timeout=ANSWER)
        return True

    async def money_signals(self, history: Sequence[HistoryEvent]) -> Signals:
        """The signals about money in the history. What no key opens stays sealed: the next run keeps it."""
        signals: Signals = {}
        for event in history:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = event.workflow_execution_signaled_event_attributes
                if signal.signal_name in MONEY:
                    payloads = signal.input.payloads
                    args = await self._client.data_converter.decode(payloads, [RawValue] * len(payloads))
                    signals[_signal_key(signal.signal_name, args)] = args
        return signals

    async def sealed_signals(self, invoice_id: str) -> Signals:
        """The sealed signals that the run remembers, its own and those of earlier runs."""
        memory, _ = await self.memory(invoice_id)
        signals: Signals = {}
        for signal in memory.sealed if memory is not None else []:
            args = [RawValue(unpacked(arg)) for arg in signal.args]
            signals[_signal_key(signal.name, args)] = args
        return signals


def _signal_key(name: str, args: Iterable[RawValue]) -> tuple[str, bytes]:
    return name, b" ".join(arg.payload.data for arg in args)


def unreplayable_task(history: Sequence[HistoryEvent]) -> int | None:
    """The id of the event that completed the task whose commands a replay does not issue.

    None: the tasks of this history do not fail for that, it does not say at which event, or it was redone too often.
    """
    failures = [
        event.workflow_task_failed_event_attributes
        for event in history
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    redone = sum(failed.failure.message == _REDONE for failed in failures)
    nondeterminism = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    if not failures or failures[-1].cause != nondeterminism or redone >= _MOST_REDONE:
        return None
    at = _AT_EVENT.search(failures[-1].failure.message)
    completed = [
        event.event_id
        for event in history
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and at and event.event_id < int(at[1])
    ]
    return completed[-1] if completed else None
