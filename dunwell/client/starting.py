"""Starts the workflows of cases: for the first time, and again where a case has none."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from dunwell.client.registration import Registered
from dunwell.client.server import INTERRUPTED, Server
from dunwell.domain.case import Case
from dunwell.domain.clock import Clock
from dunwell.domain.refusal import Refused
from dunwell.store import cases, invoices
from dunwell.store.database import Database
from workflows.messages import REGISTERED_SIGNAL, WORKFLOW_TYPE, CaseStart, workflow_id
from workflows.options import CUSTOMER_ID, TASK_QUEUE
from workflows.search_attributes import first_attributes
from workflows.ui_text import summary

REHEARSAL_SPEED = 86_400.0
"""One day of the case a second."""


class Start(StrEnum):
    """What became of a request to start a case.

    INTERRUPTED  its run was terminated, cancelled or timed out in Temporal; `reconcile --apply` begins it again
    PAID         its record says that nothing was open when it came to us
    """

    STARTED = "started"
    RUNNING = "already running"
    ENDED = "already ended"
    INTERRUPTED = "interrupted in Temporal"
    PAID = "wholly paid before"


class CaseStarter:
    """Starts runs of cases. Safe to share between tasks."""

    def __init__(self, server: Server, database: Database) -> None:
        self._server, self._database = server, database

    async def start(self, registered: Registered) -> Start:
        """Start the case of a registered invoice, once. Raises ServerAway after a minute without a server."""
        if registered.start is None:
            return Start.PAID if registered.opening.case.came_paid else Start.ENDED
        begin, case = registered.start, registered.opening.case
        # A rehearsal's clock stood still since the case was opened: others were registered and started meanwhile.
        begin = begin.model_copy(update={"clock": begin.clock.resumed(datetime.now(UTC))})
        try:
            await self._run(
                begin,
                case,
                registered.opening.number,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            return await self._running_or_ended(begin.invoice_id)
        return Start.STARTED

    async def _running_or_ended(self, invoice_id: str) -> Start:
        described = await self._server.describe(invoice_id)
        if described is None or described.status != WorkflowExecutionStatus.RUNNING.value:
            return Start.INTERRUPTED if described is not None and described.status in INTERRUPTED else Start.ENDED
        if CUSTOMER_ID.name not in described.search_attributes.indexed_fields:
            # Another client started it by its id alone; it may wait for what was registered just now.
            handle = self._server.handle(invoice_id)
            await self._server.patiently(lambda: handle.signal(REGISTERED_SIGNAL))
        return Start.RUNNING

    async def begin_again(self, invoice_id: str, event: tuple[str, Mapping[str, Any]] | None = None) -> None:
        """A new run of a case that has none, as the database knows it. Where one runs already, that one goes on.

        event  its name and its fields: the run, be it new or not, gets them in the same request, so that nothing is
               lost between the two

        Raises Refused when the case was never opened, ServerAway after a minute without a server.
        """
        start, case, number = await asyncio.to_thread(self._again, invoice_id)
        signal: dict[str, Any] = {"start_signal": event[0], "start_signal_args": [event[1]]} if event else {}
        if event:
            start = start.model_copy(update={"follows": await self._last_run(invoice_id)})
        await self._run(
            start,
            case,
            number,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **signal,
        )

    async def _last_run(self, invoice_id: str) -> str | None:
        """The run that has ended; the database may have been restored from a copy older than that."""
        described = await self._server.describe(invoice_id)
        return described.execution.run_id if described else None

    async def _run(self, start: CaseStart, case: Case, number: str, **how: Any) -> None:
        """Begin a run of the case. `how`: what is done about other runs of it, and whether a signal comes first."""
        await self._server.patiently(
            lambda: self._server.client.start_workflow(
                WORKFLOW_TYPE,
                start,
                id=workflow_id(start.invoice_id),
                task_queue=TASK_QUEUE,
                search_attributes=first_attributes(case),
                static_summary=summary(case, number),
                **how,
            )
        )

    def _again(self, invoice_id: str) -> tuple[CaseStart, Case, str]:
        with self._database.reading() as session:
            row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
            invoice = invoices.get_row(session, invoice_id)
        if row is None or case is None or invoice is None:
            raise Refused("invoice_id", "was never started: start its file first")
        clock = Clock()
        if row.rehearsal:
            # Its own time goes on where it stood: a rehearsal must not fall back to today.
            now = datetime.now(UTC)
            clock = Clock(rehearsal=True, speed=REHEARSAL_SPEED, real=now, case=row.updated_at)
        return CaseStart(invoice_id=invoice_id, clock=clock), case, invoice.number
