"""Compares the database with Temporal, case by case, and repairs differences.

Temporal's lists lag behind, so the workflow itself is read before anything is changed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
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

from activities.reconciliation import ReconcileRequest
from activities.unsealing import unpacked
from dunwell.client.case_comparison import Compared, compare, lost_lines, open_amount
from dunwell.client.cases import Cases
from dunwell.client.server import describe
from dunwell.domain.events import MONEY
from dunwell.domain.reconciliation_report import BY, Finding, Kind, Report
from dunwell.domain.standstill import decision
from dunwell.gateways.base import DeliveryError, Suppressions
from dunwell.services import cancelled_runs, standstill
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.overdue_work import OverdueWork
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest
from dunwell.store import addresses, cases, reconciliations, standstills
from dunwell.store.tables import CaseRow
from workflows.messages import MEMORY_QUERY, RECONCILE_SIGNAL, WORKFLOW_TYPE, Carried, workflow_id
from workflows.options import AMOUNT_DUE, STAGE

_AT_ONCE = 20
_ANSWER = timedelta(seconds=20)
_BEING_STARTED = timedelta(minutes=15)
_LATE = timedelta(hours=1)
_SECOND_LOOK = 1.0  # seconds; what is being written at the first look is written then
_LOOKS = 20
_CLOSED_TOGETHER = 500  # addresses in one transaction

_log = logging.getLogger("dunwell.client")

_RUNNING = WorkflowExecutionStatus.RUNNING
_WORDS = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TIMED_OUT: "timed-out",
    WorkflowExecutionStatus.FAILED: "failed",
}

Signals = dict[tuple[str, bytes], list[RawValue]]
"""Signals, each by its name and content, so that none is sent twice."""

_PROBLEMS = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
"""Set by the server on a run whose workflow tasks failed several times in a row, until one succeeds."""
_FAILURES = 5  # in a row, after which the server sets it


@dataclass(frozen=True)
class Shown:
    """A run by its search attributes: the stage, the open amount, and what the server reports of failing tasks."""

    stage: str
    open: float
    problem: str | None = None


class Reconciler:
    """One pass after the other. Safe to repeat, and beside cases at work."""

    def __init__(self, client: Client, deps: Dependencies) -> None:
        self._client, self._deps, self._database = client, deps, deps.database
        self._cases = Cases(client, deps.database)
        self._leftovers = OverdueWork(deps)

    async def reconcile(self, request: ReconcileRequest, attempt: Attempt) -> Report:
        """Compare all cases and mend as far as the request says. The report is kept in the database."""
        now = attempt.now
        report = Report(at=now, by=request.by)
        suspicious = request.hourly and await asyncio.to_thread(self._went_back, request.last)
        await self._compare_all(report, now, thorough=suspicious or not request.hourly)
        report.restored = report.looks_restored()
        if request.hourly and report.restored:
            why = decision(BY, "looks-like-a-restore")
            await asyncio.to_thread(standstill.begin, self._database, why, now)
        elif request.apply or request.hourly:
            await self._mend_all(report, now, lists=request.apply)
        report.number = await asyncio.to_thread(self._keep, report)
        return report

    def _went_back(self, last: int) -> bool:
        """Whether one side has forgotten comparisons that the other knows of: it was restored from a backup."""
        with self._database.reading() as session:
            return reconciliations.went_back(session, last)

    def _keep(self, report: Report) -> int:
        with self._database.writing() as session:
            return reconciliations.add(session, report)

    # Comparing -------------------------------------------------------------------------------------------

    async def _compare_all(self, report: Report, now: datetime, *, thorough: bool) -> None:
        kept, running = await asyncio.to_thread(self._kept), await self._running()
        report.cases = len(kept.keys() | running.keys())
        looked_at = [
            self._look_at(name, row, running.get(name), now, thorough=thorough) for name, row in kept.items()
        ]
        looked_at += [self._stranger(name) for name in running.keys() - kept.keys()]
        ended = {name for name, row in kept.items() if cases.is_finished(row)} - running.keys()
        looked_at += [self._ended(name) for name in ended & await self._ended_lately()]
        found = await _some_at_once(looked_at)
        report.findings = [one for one in found if one is not None]
        report.findings += await asyncio.to_thread(self._leftovers.find, now)

    def _kept(self) -> dict[str, CaseRow]:
        with self._database.reading() as session:
            return {row.invoice_id: row for row in cases.all_rows(session)}

    async def _running(self) -> dict[str, Shown]:
        found: dict[str, Shown] = {}
        query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'"
        async for one in self._client.list_workflows(query):
            attributes = one.typed_search_attributes
            problems = [text.rpartition("=")[2] for text in attributes.get(_PROBLEMS) or ()]
            found[one.id.removeprefix(workflow_id(""))] = Shown(
                str(attributes.get(STAGE)), float(attributes.get(AMOUNT_DUE) or 0), ", ".join(problems) or None
            )
        return found

    async def _ended_lately(self) -> set[str]:
        """Those of which a run has ended since the last comparison that the database knows of."""
        with self._database.reading() as session:
            last = reconciliations.last_at(session)
        query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Completed'"
        if last is not None:
            query += f" AND CloseTime > '{last - _LATE:%Y-%m-%dT%H:%M:%SZ}'"
        found = self._client.list_workflows(query)
        return {one.id.removeprefix(workflow_id("")) async for one in found}

    async def _ended(self, invoice_id: str) -> Finding | None:
        """A case that has ended in both, of which a restored database lacks late money or lines of its timeline."""
        memory, _ = await self._memory(invoice_id)
        row = await asyncio.to_thread(self._row, invoice_id)
        if row is None or memory is None or memory.written is None:
            return None
        lines = await asyncio.to_thread(self._lost_lines, memory)
        if not lines and not cases.mark(row).precedes(memory.written):
            return None
        found = f"its run has ended, and knows more than the database, which has it as {row.stage}"
        return _finding(Kind.ENDED, row, found, "the database is completed by what the run remembers")

    def _lost_lines(self, memory: Carried) -> int:
        with self._database.reading() as session:
            return lost_lines(session, memory)

    async def _look_at(
        self, invoice_id: str, row: CaseRow, shown: Shown | None, now: datetime, *, thorough: bool
    ) -> Finding | None:
        if shown is not None and shown.problem is not None and await self._fails(invoice_id):
            remedy = "a person is asked to put the release back, or to end this run"
            return _finding(Kind.FAILING, row, f"its workflow tasks fail ({shown.problem})", remedy)
        as_shown = (
            cases.is_finished(row) if shown is None else (shown.stage, shown.open) == (row.stage, open_amount(row))
        )
        if as_shown and (shown is None or not (thorough or _is_late(row, now))):
            return None
        status = await self._status(invoice_id)
        if status is _RUNNING:
            return await self._compare(invoice_id)
        again = await asyncio.to_thread(self._row, invoice_id)  # it may have ended meanwhile
        return None if again is None or cases.is_finished(again) else self._without_run(again, status, now)

    async def _fails(self, invoice_id: str) -> bool:
        """Whether the run's workflow tasks fail still: the list may be older than its last success."""
        described = await describe(self._client, workflow_id(invoice_id))
        return described.pending_workflow_task.attempt >= _FAILURES

    def _without_run(self, row: CaseRow, status: WorkflowExecutionStatus | None, now: datetime) -> Finding | None:
        if status is WorkflowExecutionStatus.COMPLETED:
            found = f"its run has ended, the database has it as {row.stage}"
            return _finding(Kind.ENDED, row, found, "the database is completed by what the run remembers")
        if status is not None:
            found = f"its run was {_WORDS.get(status, status.name.lower())} in the engine"
            return _finding(
                Kind.CLOSED, row, found, "started again, resting, and a person is asked: end it, or go on?"
            )
        if row.revision == 0 and (row.next_at is None or row.rehearsal or row.next_at > now):
            if row.rehearsal or now - row.updated_at < _BEING_STARTED:
                return None
            return _finding(Kind.UNSTARTED, row, "it is registered and was never started", "started")
        remedy = f"started again, resting, and a person is asked to check payments since {row.updated_at:%Y-%m-%d}"
        return _finding(Kind.GONE, row, "the engine has no run of it", remedy)

    async def _stranger(self, invoice_id: str) -> Finding | None:
        """The finding about a case that was opened and has no invoice; None if it waits for its registration."""
        if await self._status(invoice_id) is not _RUNNING:
            return None
        row = await asyncio.to_thread(self._row, invoice_id)
        memory, _ = await self._memory(invoice_id)
        if row is not None or memory is None:
            return None
        found = "it runs, and the database does not know its invoice"
        return _finding(
            Kind.UNKNOWN, invoice_id, found, "start its file again: the case goes on by what it remembers"
        )

    async def _compare(self, invoice_id: str) -> Finding | None:
        """What a running case and the database disagree about at two looks, one after the other."""
        differs = await self._differs(invoice_id, None)
        if differs is not None:
            await asyncio.sleep(_SECOND_LOOK)
            differs = await self._differs(invoice_id, differs)
        if differs is None or differs.why is None:
            return None
        if differs.memory is None:
            return _finding(
                Kind.SILENT, invoice_id, differs.why, "a person is asked to look at its run in the Temporal UI"
            )
        return _finding(Kind.APART, invoice_id, differs.why, "whichever is behind catches up")

    async def _differs(self, invoice_id: str, before: Compared | None) -> Compared | None:
        memory, why = await self._memory(invoice_id)
        if memory is None:
            return Compared(None, why)
        differs = await asyncio.to_thread(compare, self._database, memory, before)
        return None if differs.why is None else differs

    async def _memory(self, invoice_id: str) -> tuple[Carried | None, str]:
        try:
            memory: Carried = await self._handle(invoice_id).query(
                MEMORY_QUERY, result_type=Carried, rpc_timeout=_ANSWER
            )
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            return None, f"it does not answer ({type(error).__name__})"
        return memory, ""

    async def _status(self, invoice_id: str) -> WorkflowExecutionStatus | None:
        """None: the engine knows no such run."""
        try:
            described = await describe(self._client, workflow_id(invoice_id))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return WorkflowExecutionStatus(described.workflow_execution_info.status)

    def _handle(self, invoice_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(workflow_id(invoice_id))

    def _row(self, invoice_id: str) -> CaseRow | None:
        with self._database.reading() as session:
            return cases.get_row(session, invoice_id)

    # Mending ---------------------------------------------------------------------------------------------

    async def _mend_all(self, report: Report, now: datetime, *, lists: bool) -> None:
        if lists:
            try:
                report.closed = await asyncio.to_thread(self._read_suppressions, now)
            except DeliveryError as error:
                report.refused = f"nothing was mended and no address closed: {error.reason}"
                return
        left = [one for one in report.findings if one.kind is Kind.FAILING] if report.many_fail else []
        if left:
            _log.error("%d cases fail: put the earlier release back (docs/operating.md)", len(left))
        mended = await _some_at_once([self._mended(one, now) for one in report.findings if one not in left])
        report.findings = mended + left
        report.applied = True
        if lists and all(one.mended or one.kind is Kind.UNSTARTED for one in report.findings):
            await asyncio.to_thread(self._end_own_standstill, now)

    def _read_suppressions(self, now: datetime) -> int:
        """Close what a provider does not write to any more, once all lists are read. Raises DeliveryError."""
        lists = [
            (gateway.channel, list(gateway.suppressed()))
            for gateway in self._deps.gateways.values()
            if isinstance(gateway, Suppressions)
        ]
        closed = 0
        for channel, suppressed in lists:
            for first in range(0, len(suppressed), _CLOSED_TOGETHER):
                with self._database.writing() as session:
                    for address, reason in suppressed[first : first + _CLOSED_TOGETHER]:
                        closed += addresses.why_closed(session, channel, address) is None
                        addresses.close(session, channel, address, reason, now)
        return closed

    def _end_own_standstill(self, now: datetime) -> None:
        """End the standstill that the hourly comparison began; one begun by a person is ended by a person."""
        with self._database.reading() as session:
            stands = standstills.in_force(session)
        if stands is not None and stands.by == BY:
            standstill.end(self._database, decision(BY, "reconciled"), now)

    async def _mended(self, finding: Finding, now: datetime) -> Finding:
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
            Kind.FAILING: self._clear_up,
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
        handle, history = self._handle(finding.invoice_id), list[HistoryEvent]()
        if finding.kind is Kind.CLOSED:
            history = [event async for event in handle.fetch_history_events()]
            await self._write_down(finding.invoice_id, now)
        signals, end = await self._money_signals(history), _end_of(history)
        if finding.kind is Kind.CLOSED:
            signals |= await self._kept_sealed(finding.invoice_id)
        await asyncio.to_thread(self._rest, finding, end, now)
        await self._cases.begin_again(finding.invoice_id)
        for (name, _), args in signals.items():
            await handle.signal(name, args=args)
        return True

    async def _write_down(self, invoice_id: str, now: datetime) -> None:
        """Write what the run knew: more than the database, when that was restored from an older copy."""
        memory, _ = await self._memory(invoice_id)
        if memory is not None:
            await asyncio.to_thread(self._write, memory, now)

    async def _money_signals(self, history: Sequence[HistoryEvent]) -> Signals:
        """The signals about money in the history. What no key opens stays sealed: the next run keeps it."""
        signals: Signals = {}
        for event in history:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = event.workflow_execution_signaled_event_attributes
                if signal.signal_name in MONEY:
                    payloads = signal.input.payloads
                    args = await self._client.data_converter.decode(payloads, [RawValue] * len(payloads))
                    signals[_signal(signal.signal_name, args)] = args
        return signals

    async def _kept_sealed(self, invoice_id: str) -> Signals:
        """The sealed signals that the run remembers, its own and those of earlier runs."""
        memory, _ = await self._memory(invoice_id)
        signals: Signals = {}
        for signal in memory.sealed if memory is not None else []:
            args = [RawValue(unpacked(arg)) for arg in signal.args]
            signals[_signal(signal.name, args)] = args
        return signals

    def _rest(self, finding: Finding, end: str, now: datetime) -> None:
        row = self._row(finding.invoice_id)
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
        memory, _ = await self._memory(finding.invoice_id)
        if memory is None:
            return False
        await asyncio.to_thread(self._write, memory, now)
        row = await asyncio.to_thread(self._row, finding.invoice_id)
        return row is not None and cases.is_finished(row)

    def _write(self, memory: Carried, now: datetime) -> None:
        row = self._row(memory.case.invoice_id)
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
        await self._handle(finding.invoice_id).signal(RECONCILE_SIGNAL)
        for _ in range(_LOOKS):
            await asyncio.sleep(_SECOND_LOOK / 2)
            if await self._differs(finding.invoice_id, None) is None:
                return True
        return False

    async def _clear_up(self, finding: Finding, now: datetime) -> bool:
        return await asyncio.to_thread(self._leftovers.mend, finding, now)


def _finding(kind: Kind, about: CaseRow | str, found: str, remedy: str) -> Finding:
    invoice_id = about if isinstance(about, str) else about.invoice_id
    return Finding(kind=kind, invoice_id=invoice_id, found=found, remedy=remedy)


def _signal(name: str, args: Iterable[RawValue]) -> tuple[str, bytes]:
    return name, b" ".join(arg.payload.data for arg in args)


def _is_late(row: CaseRow, now: datetime) -> bool:
    """Whether its next action is long overdue."""
    return not row.rehearsal and row.next_at is not None and row.next_at < now - _LATE


def _end_of(history: Sequence[HistoryEvent]) -> str:
    """By whom, when and why a run was terminated or asked to cancel, as its history says."""
    for event in reversed(history):
        terminated = event.workflow_execution_terminated_event_attributes
        cancelled = event.workflow_execution_cancel_requested_event_attributes
        who, why = terminated.identity or cancelled.identity, terminated.reason or cancelled.cause
        if who or why:
            when = event.event_time.ToDatetime()
            return f" by {who or 'nobody knows whom'} at {when:%Y-%m-%d %H:%M} UTC" + (
                f" ({why[:80]})" if why else ""
            )
    return ""


async def _some_at_once(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    """The results of all, in order, of which some run at a time."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[Any]) -> Any:
        async with room:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))
