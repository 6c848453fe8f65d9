"""Repairs one finding of a comparison."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio.api.history.v1 import HistoryEvent

from activities.run_history import closed_by
from dunwell.client.cases import Cases
from dunwell.client.comparison import Comparison
from dunwell.client.runs import Runs
from dunwell.domain.reconciliation_report import Finding, Kind
from dunwell.services import cancelled_runs
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.overdue_work import OverdueWork
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest
from dunwell.store import cases
from workflows.messages import RECONCILE_SIGNAL, Carried

_LOOKS = 20
_PAUSE = 0.5  # seconds between two looks at whether a case and the database agree again

_log = logging.getLogger("dunwell.client")


class Repair:
    """See `mend`. Safe to repeat."""

    def __init__(
        self, runs: Runs, talk: Cases, comparison: Comparison, overdue: OverdueWork, deps: Dependencies
    ) -> None:
        self._runs, self._cases, self._comparison, self._overdue = runs, talk, comparison, overdue
        self._deps, self._database = deps, deps.database

    async def mend(self, finding: Finding, now: datetime) -> Finding:
        """The finding with what came of it: mended, or why not, or unchanged where only a person can help."""
        mends: dict[Kind, Callable[[Finding, datetime], Awaitable[bool]]] = {
            Kind.CLOSED: self._start_again,
            Kind.GONE: self._start_again,
            Kind.ENDED: self._complete,
            Kind.APART: self._bring_together,
            Kind.UNSTARTED: self._start_first,
            Kind.CLAIM: self._clear_up,
            Kind.TASK: self._clear_up,
            Kind.STILL: self._clear_up,
            Kind.SILENT: self._clear_up,
            Kind.FAILING: self._redo_task,
        }
        mend = mends.get(finding.kind)
        if mend is None:
            return finding
        try:
            return finding.model_copy(update={"mended": await mend(finding, now)})
        except Exception as error:  # one case that cannot be mended must not keep the others from it
            _log.warning("%s is not mended: %s", finding.invoice_id, type(error).__name__)
            return finding.model_copy(update={"failed": type(error).__name__})

    async def _start_again(self, finding: Finding, now: datetime) -> bool:
        """Start a run from the stored case, paused, and send it payments that its last run got and did not record.

        Sealed signals that the last run kept because no key opened them are sent again too, still sealed.
        """
        handle, history = self._runs.handle(finding.invoice_id), list[HistoryEvent]()
        if finding.kind is Kind.CLOSED:
            history = await self._runs.history(finding.invoice_id)
            await self._write_down(finding.invoice_id, now)
        signals, end = await self._runs.money_signals(history), closed_by(history)
        if finding.kind is Kind.CLOSED:
            signals |= await self._runs.sealed_signals(finding.invoice_id)
        await asyncio.to_thread(self._rest, finding, end, now)
        await self._cases.begin_again(finding.invoice_id)
        for (name, _), args in signals.items():
            await handle.signal(name, args=args)
        return True

    async def _write_down(self, invoice_id: str, now: datetime) -> None:
        """Write what the run knew: more than the database, when that was restored from an older copy."""
        memory, _ = await self._runs.memory(invoice_id)
        if memory is not None:
            await asyncio.to_thread(self._write, memory, now)

    def _rest(self, finding: Finding, end: str, now: datetime) -> None:
        row = self._comparison.row(finding.invoice_id)
        if row is None:
            return
        at = row.updated_at if row.rehearsal else now
        with self._database.writing(row.customer_id) as session:
            case = cases.get(session, finding.invoice_id)
            if case is None or case.ended:
                return
            why = f"{finding.found}{end}"
            if finding.kind is Kind.GONE:
                why += f": check payments since {row.updated_at:%Y-%m-%d}"
            reason = "run-gone" if finding.kind is Kind.GONE else "run-closed"
            cancelled_runs.rest(session, self._deps, case, reason, why, at, rehearsal=row.rehearsal)

    async def _start_first(self, finding: Finding, _now: datetime) -> bool:
        await self._cases.begin_again(finding.invoice_id)
        return True

    async def _complete(self, finding: Finding, now: datetime) -> bool:
        """Write down what the run that has ended remembers, as it would have done itself."""
        memory, _ = await self._runs.memory(finding.invoice_id)
        if memory is None:
            return False
        await asyncio.to_thread(self._write, memory, now)
        row = await asyncio.to_thread(self._comparison.row, finding.invoice_id)
        return row is not None and cases.is_finished(row)

    def _write(self, memory: Carried, now: datetime) -> None:
        row = self._comparison.row(memory.case.invoice_id)
        rehearsal = row is not None and row.rehearsal
        at = max((entry.at for entry in memory.timeline), default=now) if rehearsal else now
        request = RecordRequest.whole(
            memory.case,
            now=at,
            rehearsal=rehearsal,
            entries=memory.timeline,
            written=memory.written or memory.case.mark,
        )
        Recording(self._deps).record(request, Attempt(at))

    async def _bring_together(self, finding: Finding, _now: datetime) -> bool:
        await self._runs.handle(finding.invoice_id).signal(RECONCILE_SIGNAL)
        for _ in range(_LOOKS):
            await asyncio.sleep(_PAUSE)
            if await self._comparison.agrees(finding.invoice_id):
                return True
        return False

    async def _redo_task(self, finding: Finding, now: datetime) -> bool:
        """Have the task done again that does not replay. Where that does not help, a person is asked."""
        if await self._runs.redo_unreplayable_task(finding.invoice_id):
            for _ in range(_LOOKS):
                await asyncio.sleep(_PAUSE)
                if (await self._runs.memory(finding.invoice_id))[0] is not None:
                    return True
        return await self._clear_up(finding, now)

    async def _clear_up(self, finding: Finding, now: datetime) -> bool:
        return await asyncio.to_thread(self._overdue.mend, finding, now)
