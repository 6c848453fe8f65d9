"""Compares the database with Temporal, case by case. The workflow itself is read before a finding is made."""

import asyncio
from datetime import datetime, timedelta

from temporalio.client import WorkflowExecutionStatus

from dunwell.client.bounded import gather
from dunwell.client.memory_comparison import Compared, compare, lost_lines, open_amount
from dunwell.client.runs import Listed, Runs
from dunwell.client.server import INTERRUPTED
from dunwell.domain.reconciliation_report import Finding, Kind
from dunwell.store import cases, reconciliations
from dunwell.store.database import Database
from dunwell.store.tables import CaseRow
from workflows.messages import Carried

_BEING_STARTED = timedelta(minutes=15)
_LATE = timedelta(hours=1)
_SECOND_LOOK = 1.0  # seconds; what is being written at the first look is written then

_RUNNING = WorkflowExecutionStatus.RUNNING


class Comparison:
    """Finds where case and database disagree, and changes nothing."""

    def __init__(self, runs: Runs, database: Database) -> None:
        self._runs, self._database = runs, database

    async def findings(self, now: datetime, *, thorough: bool) -> tuple[int, list[Finding]]:
        """How many cases there are, and what is found.

        thorough: read also each case whose search attributes agree with the database.
        """
        kept, running = await asyncio.to_thread(self._kept), await self._runs.running()
        looked_at = [
            self._look_at(name, row, running.get(name), now, thorough=thorough) for name, row in kept.items()
        ]
        looked_at += [self._unknown(name) for name in running.keys() - kept.keys()]
        ended = {name for name, row in kept.items() if cases.is_finished(row)} - running.keys()
        looked_at += [self._ended(name) for name in ended & await self._ended_lately()]
        found = await gather(looked_at)
        return len(kept.keys() | running.keys()), [one for one in found if one is not None]

    async def agrees(self, invoice_id: str) -> bool:
        """Whether a running case and the database agree at one look."""
        return await self._differs(invoice_id, None) is None

    def _kept(self) -> dict[str, CaseRow]:
        with self._database.reading() as session:
            return {row.invoice_id: row for row in cases.all_rows(session)}

    def row(self, invoice_id: str) -> CaseRow | None:
        """The database's row of a case; None: nobody registered it."""
        with self._database.reading() as session:
            return cases.get_row(session, invoice_id)

    async def _ended_lately(self) -> set[str]:
        """Those of which a run has ended since the last comparison that the database knows of."""
        with self._database.reading() as session:
            last = reconciliations.last_at(session)
        return await self._runs.ended_since(last - _LATE if last is not None else None)

    async def _ended(self, invoice_id: str) -> Finding | None:
        """A case that has ended in both, of which a restored database lacks late money or lines of its timeline."""
        memory, _ = await self._runs.memory(invoice_id)
        row = await asyncio.to_thread(self.row, invoice_id)
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
        self, invoice_id: str, row: CaseRow, listed: Listed | None, now: datetime, *, thorough: bool
    ) -> Finding | None:
        if listed is not None and listed.problem is not None and await self._runs.fails(invoice_id):
            remedy = "the task that does not replay is done again; else a person is asked to look at the release"
            return _finding(Kind.FAILING, row, f"its workflow tasks fail ({listed.problem})", remedy)
        as_listed = (
            cases.is_finished(row) if listed is None else (listed.stage, listed.open) == (row.stage, open_amount(row))
        )
        if as_listed and (listed is None or not (thorough or _is_late(row, now))):
            return None
        status = await self._runs.status(invoice_id)
        if status is _RUNNING:
            return await self._compare(invoice_id)
        again = await asyncio.to_thread(self.row, invoice_id)  # it may have ended meanwhile
        return None if again is None or cases.is_finished(again) else self._without_run(again, status, now)

    def _without_run(self, row: CaseRow, status: WorkflowExecutionStatus | None, now: datetime) -> Finding | None:
        if status is WorkflowExecutionStatus.COMPLETED:
            found = f"its run has ended, the database has it as {row.stage}"
            return _finding(Kind.ENDED, row, found, "the database is completed by what the run remembers")
        if status is not None:
            found = f"its run was {INTERRUPTED.get(status, status.name.lower())} in the engine"
            return _finding(
                Kind.CLOSED, row, found, "started again, resting, and a person is asked: end it, or go on?"
            )
        if row.revision == 0 and (row.next_at is None or row.rehearsal or row.next_at > now):
            if row.rehearsal or now - row.updated_at < _BEING_STARTED:
                return None
            return _finding(Kind.UNSTARTED, row, "it is registered and was never started", "started")
        remedy = f"started again, resting, and a person is asked to check payments since {row.updated_at:%Y-%m-%d}"
        return _finding(Kind.GONE, row, "the engine has no run of it", remedy)

    async def _unknown(self, invoice_id: str) -> Finding | None:
        """The finding about a case that was opened and has no invoice; None if it waits for its registration."""
        if await self._runs.status(invoice_id) is not _RUNNING:
            return None
        row = await asyncio.to_thread(self.row, invoice_id)
        memory, _ = await self._runs.memory(invoice_id)
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
        memory, why = await self._runs.memory(invoice_id)
        if memory is None:
            return Compared(None, why)
        differs = await asyncio.to_thread(compare, self._database, memory, before)
        return None if differs.why is None else differs


def _finding(kind: Kind, about: CaseRow | str, found: str, remedy: str) -> Finding:
    invoice_id = about if isinstance(about, str) else about.invoice_id
    return Finding(kind=kind, invoice_id=invoice_id, found=found, remedy=remedy)


def _is_late(row: CaseRow, now: datetime) -> bool:
    """Whether its next action is long overdue."""
    return not row.rehearsal and row.next_at is not None and row.next_at < now - _LATE
