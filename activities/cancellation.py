"""Raises the task about a run that was asked to cancel, or that ended before its case."""

import asyncio
import logging
from datetime import datetime

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, RPCError

from activities.attempts import this_attempt
from activities.run_history import how_it_ended, latest_events
from dunwell.domain.cleaning import one_line
from dunwell.services import cancelled_runs
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import CaseRequest

CANCEL_REQUESTED = "cancel-requested"
"""The reason of the pause after "Request Cancellation" in the Temporal UI or in a batch."""

RUN_CLOSED, RUN_GONE = "run-closed", "run-gone"
"""The reasons of the pause of a case whose run ended before it, and of one whose run the engine has lost."""

_LATEST = 1_000  # events looked through for the request
_LAST = 20  # events looked through for the end of a run

_log = logging.getLogger("dunwell.activities")


class LostRunRequest(CaseRequest):
    """`run_id`: the run that ended; None: it is not known. `since`: when the database last heard of the case."""

    run_id: str | None = None
    since: datetime


class CancellationActivities:
    def __init__(self, deps: Dependencies, client: Client) -> None:
        self._deps, self._client = deps, client

    @activity.defn(name="ask_about_cancel")
    async def ask_about_cancel(self, request: CaseRequest) -> None:
        """Raise the task about a request to cancel, with the identity that the server noted."""
        why = f"Temporal was asked to cancel this case, by {one_line(await self._who_asked())[:100]}"
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        await asyncio.to_thread(cancelled_runs.ask_for_run, self._deps.database, request, why, now)

    @activity.defn(name="ask_about_lost_run")
    async def ask_about_lost_run(self, request: LostRunRequest) -> None:
        """Raise the task about a case whose run ended before it, with how that came as its history says."""
        why = f"the engine has no run of it that is known: check payments since {request.since:%Y-%m-%d}"
        if request.run_id is not None:
            why = one_line(how_it_ended(await self._latest_events(request.run_id, _LAST)))[:300]
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        await asyncio.to_thread(cancelled_runs.ask_for_run, self._deps.database, request, why, now)

    async def _latest_events(self, run_id: str, count: int) -> list[HistoryEvent]:
        """Return the last events of a run of this case, oldest first; none when the engine does not tell them."""
        info = activity.info()
        try:
            return await latest_events(
                self._client, str(info.workflow_namespace), str(info.workflow_id), run_id, count
            )
        except RPCError as error:
            _log.info("the history of run %s of %s cannot be read: %s", run_id, info.workflow_id, error.message)
            return []

    async def _who_asked(self) -> str:
        """Return the identity in the run's history, else "somebody". It may be an address (G8)."""
        history = await self._latest_events(str(activity.info().workflow_run_id), _LATEST)
        for event in reversed(history):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                return event.workflow_execution_cancel_requested_event_attributes.identity or "somebody"
        return "somebody"
