"""Reads the status of a case: from the case itself, or from the database's copy."""

import asyncio
from dataclasses import dataclass, replace

from temporalio.client import RPCError, WorkflowQueryFailedError
from temporalio.service import RPCStatusCode

from dunwell.client.server import INTERRUPTED, Server, ServerAway
from dunwell.domain.refusal import Refused
from dunwell.store.database import Database
from dunwell.views.case_status import stored_status, with_written
from workflows.messages import STATUS_QUERY
from workflows.status import Status

_WHY_COPIED = {
    RPCStatusCode.NOT_FOUND: "the server no longer holds this case",
    RPCStatusCode.FAILED_PRECONDITION: "no worker answered",
    RPCStatusCode.DEADLINE_EXCEEDED: "no worker answered",
    RPCStatusCode.CANCELLED: "no worker answered",
}


@dataclass(frozen=True)
class Known:
    """The status of a case.

    copied       why it is the database's copy; None: the case itself answered
    interrupted  how its run ended in Temporal although the case has not; None: it runs, or has ended
    """

    status: Status
    copied: str | None = None
    interrupted: str | None = None


def copied_status(database: Database, invoice_id: str) -> Known:
    """The status of a case from the database's copy, while there is no server. Raises Refused when it is unknown."""
    return Known(stored_status(database, invoice_id), "the server did not answer")


class StatusReader:
    """Reads the status of cases. Safe to share between tasks."""

    def __init__(self, server: Server, database: Database) -> None:
        self._server, self._database = server, database

    async def read(self, invoice_id: str) -> Known:
        """The status of a case by its own answer, else by the database's copy. Raises Refused when it is unknown."""
        known = await self._read(invoice_id)
        if known.status.stage.ended:
            return known
        try:
            run = await self._server.describe(invoice_id)
        except ServerAway:
            return known
        how = INTERRUPTED.get(run.status) if run is not None else None
        if how is None:
            return known
        # A run that was terminated still answers, and names an action that nobody will carry out.
        return replace(known, status=known.status.model_copy(update={"next_action": None}), interrupted=how)

    async def _read(self, invoice_id: str) -> Known:
        handle = self._server.handle(invoice_id)
        try:
            status = await handle.query(STATUS_QUERY, result_type=Status, rpc_timeout=self._server.patience.answer)
            if status.policy is None:
                return await asyncio.to_thread(self._of_new_run, status)
            return Known(await asyncio.to_thread(with_written, self._database, status))
        except RPCError as error:
            why = _WHY_COPIED.get(error.status, "the server did not answer")
        except WorkflowQueryFailedError:
            why = "the case could not answer"
        status = await asyncio.to_thread(stored_status, self._database, invoice_id)
        return Known(status, why)

    def _of_new_run(self, status: Status) -> Known:
        """A run knows nothing before its first answer from the database; late money begins one of a case that ended.

        Of a case that was never opened the run itself is all there is.
        """
        try:
            return Known(stored_status(self._database, status.invoice_id), "its run has only begun")
        except Refused:
            return Known(with_written(self._database, status))
