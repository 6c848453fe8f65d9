"""Raises the task about a request to cancel a case's workflow."""

import asyncio
import logging

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client, RPCError

from activities.attempts import this_attempt
from dunwell.domain.cleaning import one_line
from dunwell.services import cancelled_runs
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import CaseRequest

CANCEL_REQUESTED = "cancel-requested"
"""The reason of the pause after "Request Cancellation" in the Temporal UI or in a batch."""

_LATEST = 1_000  # events looked through for the request

_log = logging.getLogger("dunwell.activities")


class CancellationActivities:
    def __init__(self, deps: Dependencies, client: Client) -> None:
        self._deps, self._client = deps, client

    @activity.defn(name="ask_about_cancel")
    async def ask_about_cancel(self, request: CaseRequest) -> None:
        """Raise the task about a request to cancel, with the identity that the server noted."""
        why = f"Temporal was asked to cancel this case, by {one_line(await self._who_asked())[:100]}"
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        await asyncio.to_thread(cancelled_runs.ask_for_run, self._deps.database, request, why, now)

    async def _who_asked(self) -> str:
        """Return the identity in the run's history, else "somebody". It may be an address (G8)."""
        info = activity.info()
        try:
            history = await self._client.workflow_service.get_workflow_execution_history_reverse(
                GetWorkflowExecutionHistoryReverseRequest(
                    namespace=str(info.workflow_namespace),
                    execution=WorkflowExecution(workflow_id=str(info.workflow_id), run_id=str(info.workflow_run_id)),
                    maximum_page_size=_LATEST,
                )
            )
        except RPCError as error:
            _log.info("who asked to cancel %s cannot be told: %s", info.workflow_id, error.message)
            return "somebody"
        for event in history.history.events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                return event.workflow_execution_cancel_requested_event_attributes.identity or "somebody"
        return "somebody"
