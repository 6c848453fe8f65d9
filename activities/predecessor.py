"""Asks the server what the run before this one knew, which it answers as long as it keeps that run's history."""

from typing import Any

from temporalio import activity
from temporalio.client import Client, RPCError, WorkflowQueryFailedError
from temporalio.service import RPCStatusCode

from dunwell.domain.model import Value


class RecallRequest(Value):
    """The run to ask, and the name of the query for its memory."""

    run_id: str
    query: str


class Predecessor:
    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name="recall_predecessor")
    async def recall(self, request: RecallRequest) -> dict[str, Any] | None:
        """Return the memory of an earlier run of this workflow; None when it had none, or its history was deleted."""
        handle = self._client.get_workflow_handle(str(activity.info().workflow_id), run_id=request.run_id)
        try:
            memory: dict[str, Any] = await handle.query(request.query)
        except WorkflowQueryFailedError:
            return None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return memory
