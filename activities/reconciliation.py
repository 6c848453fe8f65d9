"""Compares database and engine, and mends where they differ."""

from typing import Protocol

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.domain.model import Value
from dunwell.domain.reconciliation_report import Report
from dunwell.services.attempt import Attempt


class ReconcileRequest(Value):
    """One comparison.

    by        who asks for it
    apply     mend what is found, also after a restore; otherwise nothing changes
    hourly    the automatic one: it mends, unless so much differs that one of the two was restored
    last      the number of the hourly comparison before this one, as its workflow has it
    """

    by: str
    apply: bool = False
    hourly: bool = False
    last: int = 0


class Reconciles(Protocol):
    """Compares; it has access to both database and engine, which no service has."""

    async def reconcile(self, request: ReconcileRequest, attempt: Attempt) -> Report: ...


class ReconciliationActivities:
    def __init__(self, reconciler: Reconciles) -> None:
        self._reconciler = reconciler

    @activity.defn(name="reconcile")
    async def reconcile(self, request: ReconcileRequest) -> Report:
        """Compare database and engine, and mend as far as the request says."""
        return await self._reconciler.reconcile(request, this_attempt())
