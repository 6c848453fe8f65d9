"""The opening of a case: from the start's argument, the database, or the run before."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any

from temporalio import workflow

from workflows.activity_calls import ActivityCalls
from workflows.case_clock import CaseClock
from workflows.errors import run_refused
from workflows.memory import Memory

with workflow.unsafe.imports_passed_through():
    from activities.cancellation import RUN_CLOSED, RUN_GONE
    from activities.opening import Opened, OpeningActivities, OpenRequest
    from activities.predecessor import Predecessor, RecallRequest
    from dunwell.domain.case import Case
    from dunwell.domain.invoice import is_rehearsal
    from dunwell.domain.step_outcome import Said
    from dunwell.services.opening import Opening
    from workflows import options
    from workflows.messages import MEMORY_QUERY, Carried, CaseStart, workflow_id


def check_start(start: CaseStart, clock: CaseClock, case: Case | None) -> None:
    """Raises ApplicationError for a run that must not touch its invoice: an invalid start, another id or clock."""
    if start.fault is not None:
        raise run_refused(start.fault)
    own = workflow_id(start.invoice_id)
    if workflow.info().workflow_id != own:
        raise run_refused(f"invoice_id: the workflow of {start.invoice_id} has the id {own} and no other")
    fault = clock.fault()
    if fault is not None:
        raise run_refused(fault)
    if case is not None and is_rehearsal(case.customer_id) != clock.rehearsal:
        raise run_refused("clock: a rehearsal needs an invoice of its own")


class CaseOpening:
    def __init__(self, start: CaseStart, memory: Memory, calls: ActivityCalls) -> None:
        self._start, self._memory, self._calls = start, memory, calls
        self._registered = False

    def invoice_registered(self) -> None:
        """Look at once: the invoice is in the database now."""
        self._registered = True

    async def open(self) -> None:
        """Open the case; if the database lacks its invoice, wait for it. Raises ApplicationError as check_start does.

        The case goes on from the memory of the run before this one if that run knew more than the database, which was
        restored from an older copy then.
        """
        memory = self._memory
        earlier = await self._ended_run()
        opening = self._start.opening or await self._from_database()
        memory.opened = opening.case
        check_start(self._start, memory.clock, opening.case)
        if earlier is not None and opening.case.mark.precedes(earlier.written or earlier.case.mark):
            memory.take_over_from_ended_run(earlier)
        else:
            memory.take_opening(opening.answer)

    def rest_if_interrupted(self) -> dict[str, Any] | None:
        """Let the case rest if an earlier run of it ended before it did: terminated, or lost by the engine.

        Whoever begins it again, by a payment or by hand, a person says whether it goes on. Returns the facts of the
        task's request, None when no run was interrupted or the case rests for that already.
        """
        memory, run_id = self._memory, self._start.follows
        case, now = memory.case, memory.clock.now()
        begun, case.begun = case.begun or run_id is not None, True
        said = case.interrupt(RUN_CLOSED if run_id else RUN_GONE, now) if begun else []
        since = max((entry.at for entry in memory.timeline), default=now)
        memory.add_entries(said)
        return {"run_id": run_id, "since": since} if said else None

    async def _ended_run(self) -> Carried | None:
        """Return what the run before this one knew; None when there was none, or the server no longer has it."""
        if self._start.follows is None:
            return None
        request = RecallRequest(run_id=self._start.follows, query=MEMORY_QUERY)
        memory = await self._calls.result(
            workflow.execute_activity_method(
                Predecessor.recall, request, summary="what the run before remembers", **options.WRITING
            )
        )
        return None if memory is None else Carried.model_validate(memory)

    async def _from_database(self) -> Opening:
        """Return the case as the database opens it, as soon as it can."""
        since: datetime | None = None
        while True:
            opened = await self._ask(since)
            since = since or self._memory.clock.now()
            if opened.opening is not None:
                return opened.opening
            await self._wait_for_invoice(opened.why)

    async def _ask(self, since: datetime | None) -> Opened:
        clock = self._memory.clock
        request = OpenRequest(
            invoice_id=self._start.invoice_id, now=clock.now(), rehearsal=clock.rehearsal, since=since
        )
        return await self._calls.result(
            workflow.execute_activity_method(
                OpeningActivities.open_case, request, summary="open the case", **options.WRITING
            )
        )

    async def _wait_for_invoice(self, why: str) -> None:
        """Wait until the invoice is registered, or a day. Signals that come meanwhile are kept."""
        if why != self._memory.why_not_open:
            self._memory.why_not_open = why
            self._memory.add_entries([Said("waiting", why)])
        workflow.set_current_details(f"**scheduled**: {why}\n\nWhat is signalled meanwhile is kept.")
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._registered, timeout=options.INVOICE_LOOK, timeout_summary="wait for the invoice"
            )
        self._registered = False
