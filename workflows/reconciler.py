"""Compares database and engine every hour and on request, so that no case stands still unnoticed (G13)."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.reconciliation import ReconcileRequest, ReconciliationActivities
    from dunwell.domain.model import Value
    from dunwell.domain.reconciliation_report import Report

RECONCILER_ID = "reconciler"
_ROUNDS = 500
_TAKES = timedelta(minutes=30)
_TRIES = RetryPolicy(maximum_attempts=3)


class ReconcilerStart(Value):
    """`last`: the number of the last hourly comparison."""

    every_seconds: int = 3600
    last: int = 0


@workflow.defn(name="Reconciler")
class Reconciler:
    @workflow.run
    async def run(self, start: ReconcilerStart) -> None:
        last = start.last
        for _ in range(_ROUNDS):
            last = await self._look(last)
            await workflow.sleep(timedelta(seconds=start.every_seconds), summary="until the next comparison")
        workflow.continue_as_new(start.model_copy(update={"last": last}))

    async def _look(self, last: int) -> int:
        """Compare. Returns the number of this comparison, or `last` when it cannot be made."""
        request = ReconcileRequest(by="hourly", hourly=True, last=last)
        try:
            report = await _compare(request)
        except ActivityError as error:
            workflow.logger.warning("database and engine were not compared: %s", error.cause)
            return last
        return report.number


@workflow.defn(name="ReconcileOnce")
class ReconcileOnce:
    """One comparison, which a person asked for."""

    @workflow.run
    async def run(self, request: ReconcileRequest) -> Report:
        return await _compare(request)


async def _compare(request: ReconcileRequest) -> Report:
    return await workflow.execute_activity_method(
        ReconciliationActivities.reconcile,
        request,
        summary="compare database and engine",
        start_to_close_timeout=_TAKES,
        retry_policy=_TRIES,
    )
