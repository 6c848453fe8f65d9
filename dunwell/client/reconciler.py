"""One pass of comparing the database with Temporal and repairing what differs."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from temporalio.client import Client

from activities.reconciliation import ReconcileRequest
from dunwell.client.bounded import gather
from dunwell.client.cases import Cases
from dunwell.client.comparison import Comparison
from dunwell.client.matching import Matching
from dunwell.client.repair import Repair
from dunwell.client.runs import Runs
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.client.statements import StatementBooking
from dunwell.domain.principals import SYSTEM
from dunwell.domain.reconciliation_report import BY, Kind, Report
from dunwell.domain.standstill import decision
from dunwell.gateways.base import DeliveryError, Suppressions
from dunwell.services import standstill
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.idempotency import StillRunning
from dunwell.services.overdue_work import OverdueWork
from dunwell.store import addresses, reconciliations, standstills

_CLOSED_TOGETHER = 500  # addresses in one transaction

_log = logging.getLogger("dunwell.client")

_NO_DIFFERENCE = frozenset({Kind.UNSTARTED, Kind.WEBHOOK})
"""What is left when database and engine agree."""


class Reconciler:
    """One pass after the other. Safe to repeat, and beside cases at work."""

    def __init__(self, client: Client, deps: Dependencies) -> None:
        self._deps, self._database = deps, deps.database
        runs, self._overdue = Runs(client), OverdueWork(deps)
        self._comparison = Comparison(runs, deps.database)
        known = Cases(client, deps.database)
        self._matching = Matching(deps.database, known, deps.unmatched_days)
        self._statements = StatementBooking(deps.database, known, deps.unmatched_days)
        self._repair = Repair(runs, known, self._comparison, self._overdue, deps)

    async def reconcile(self, request: ReconcileRequest, attempt: Attempt) -> Report:
        """Compare all cases and mend as far as the request says. The report is kept in the database."""
        now = attempt.now
        report = Report(at=now, by=request.by)
        suspicious = request.hourly and await asyncio.to_thread(self._went_back, request.last)
        thorough = suspicious or not request.hourly
        report.cases, report.findings = await self._comparison.findings(now, thorough=thorough)
        report.findings += await asyncio.to_thread(self._overdue.find, now)
        report.restored = report.looks_restored()
        if request.hourly and report.restored:
            why = decision(BY, "looks-like-a-restore")
            await asyncio.to_thread(standstill.begin, self._database, why, now)
        elif request.apply or request.hourly:
            await self._mend_all(report, now, lists=request.apply)
            with suppress(NoAnswer, ServerAway, StillRunning):  # the next pass finishes it
                await self._statements.finish(SYSTEM)
            await self._matching.try_again()
        report.number = await asyncio.to_thread(self._keep, report)
        return report

    def _went_back(self, last: int) -> bool:
        """Whether one side has forgotten comparisons that the other knows of: it was restored from a backup."""
        with self._database.reading() as session:
            return reconciliations.went_back(session, last)

    def _keep(self, report: Report) -> int:
        with self._database.writing() as session:
            return reconciliations.add(session, report)

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
        mended = await gather(self._repair.mend(one, now) for one in report.findings if one not in left)
        report.findings = mended + left
        report.applied = True
        if lists and all(one.mended or one.kind in _NO_DIFFERENCE for one in report.findings):
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
