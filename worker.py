"""The worker: runs every workflow and activity. With --set-up it prepares the database and the server instead."""

import signal
import sys

if __name__ == "__main__":  # before the slow imports: a process with id 1, as in a container, has no default handlers
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, lambda *_: sys.exit(0))

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from activities.access import AccessActivities
from activities.cancellation import CancellationActivities
from activities.error_redaction import ErrorRedaction, shorten_expected_errors
from activities.opening import OpeningActivities
from activities.policy_move import PolicyMoveActivities
from activities.predecessor import Predecessor
from activities.reconciliation import ReconciliationActivities
from activities.record import RecordActivities
from activities.step import StepActivities
from activities.sweep import SweepActivities
from activities.unsealing import Unsealing
from dunwell.bootstrap import MESSAGES, NotReady, check_schema, connect, make_dependencies, set_up
from dunwell.client import reconciler
from dunwell.client.billing import Billing
from dunwell.client.cases import Cases
from dunwell.client.digests import Digests
from dunwell.client.fresh_link_mail import FreshLinkMail
from dunwell.client.payer_mail import PayerMail
from dunwell.process import MISCONFIGURED, READY, leave
from dunwell.services.dependencies import Dependencies
from dunwell.services.webhook_delivery import WebhookDelivery
from dunwell.settings import Settings, SettingsError, load_settings
from dunwell.store.private_files import TooOpen, keep_to_owner
from dunwell.texts.catalogue import Catalogue, CatalogueError
from workflows.delivery_watch import WATCH_ID, DeliveryWatch
from workflows.invoice_dunning import InvoiceDunning
from workflows.options import TASK_QUEUE, step_queue
from workflows.reconciler import RECONCILER_ID, ReconcileOnce, Reconciler, ReconcilerStart

_STEPS_AT_ONCE, _WRITES_AT_ONCE = 20, 10
THREADS = _STEPS_AT_ONCE + _WRITES_AT_ONCE
CACHED_CASES = 1000
_GRACE = timedelta(seconds=20)
_STUCK = 60
"""Seconds. A workflow task that takes so long is stuck; the server gives it to another worker after ten."""

_log = logging.getLogger("dunwell.worker")


@asynccontextmanager
async def make_worker(
    client: Client,
    deps: Dependencies,
    executor: ThreadPoolExecutor,
    *,
    task_queue: str = TASK_QUEUE,
    cached_cases: int = CACHED_CASES,
    runner: WorkflowRunner | None = None,
) -> AsyncIterator[None]:
    """Run every workflow and activity until the end of the block.

    Steps have a queue and slots of their own: however many of them wait for a provider, activities for money and
    access find a free slot. `executor` should have THREADS threads, `cached_cases` is the size of the cache, `runner`
    runs workflow code (tests run it in the sandbox).
    """
    steps_of_cases, records = StepActivities(deps), RecordActivities(deps)
    cancellation = CancellationActivities(deps, client)
    at_once = Worker(
        client,
        task_queue=task_queue,
        workflows=[InvoiceDunning, DeliveryWatch, Reconciler, ReconcileOnce],
        activities=[
            OpeningActivities(deps).open_case,
            Predecessor(client).recall,
            records.record,
            records.take_credit,
            AccessActivities(deps).publish,
            PolicyMoveActivities(deps).check,
            cancellation.ask_about_cancel,
            cancellation.ask_about_lost_run,
            Unsealing(deps, client.data_converter.payload_codec).unseal,
            SweepActivities(deps).find_unconfirmed,
            ReconciliationActivities(reconciler.Reconciler(client, deps)).reconcile,
        ],
        activity_executor=executor,
        interceptors=[ErrorRedaction()],
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        max_cached_workflows=cached_cases,
        max_concurrent_activities=_WRITES_AT_ONCE,
        graceful_shutdown_timeout=_GRACE,
    )
    steps = Worker(
        client,
        task_queue=step_queue(task_queue),
        activities=[steps_of_cases.carry_out, AccessActivities(deps).publish],
        activity_executor=executor,
        interceptors=[ErrorRedaction()],
        max_concurrent_activities=_STEPS_AT_ONCE,
        graceful_shutdown_timeout=_GRACE,
    )
    _let_slow_tasks_end(at_once)
    async with at_once, steps:
        yield


def _let_slow_tasks_end(worker: Worker) -> None:
    """See docs/decisions/0048: the SDK interrupts a task that takes two seconds, and may keep its case for ever."""
    if worker._workflow_worker is None:
        raise RuntimeError("the SDK has another worker than the one that this was written for")
    worker._workflow_worker._deadlock_timeout_seconds = _STUCK


async def work(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; then finish what is in flight."""
    client = await connect(settings, _runtime(settings))
    deps = make_dependencies(settings)
    check_schema(deps.database)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(THREADS) as executor:
        async with make_worker(client, deps, executor, cached_cases=settings.worker_cached_cases):
            await start_watch(client)
            loops = (
                WebhookDelivery(deps).run(),
                Digests(deps, settings.console_url).run(),
                PayerMail(deps).run(),
                FreshLinkMail(deps).run(),
                Billing(deps, Cases(client, deps.database)).run(),
            )
            beside = [asyncio.create_task(one) for one in loops]
            _log.info("%s: works on queue %s, namespace %s", READY, TASK_QUEUE, client.namespace)
            await stop.wait()
            _log.info("stopping: finishing what is in flight")
            for task in beside:
                task.cancel()
    deps.database.close()


async def start_watch(client: Client) -> None:
    """Start the periodic workflows, one of each for the whole namespace, unless they run already."""
    await client.start_workflow(
        Reconciler.run,
        ReconcilerStart(),
        id=RECONCILER_ID,
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="compares database and engine and mends where they disagree",
    )
    await client.start_workflow(
        DeliveryWatch.run,
        3600,
        id=WATCH_ID,
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="looks for messages whose delivery nobody confirmed",
    )


def _runtime(settings: Settings) -> Runtime:
    metrics = PrometheusConfig(bind_address=settings.metrics_address) if settings.metrics_address else None
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics, logging=quiet))
    except ValueError as error:
        reason = str(error).partition(": ")[2].partition(" (os error")[0] or str(error)
        raise SettingsError(
            f"METRICS_ADDRESS: {settings.metrics_address} cannot be listened on ({reason}): choose an address of its "
            "own for each worker of this machine, or leave it out."
        ) from None


async def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="worker.py", description=__doc__)
    parser.add_argument("--set-up", action="store_true", help="migrate, register attributes, try the messages, exit")
    chosen = parser.parse_args(arguments)
    settings = load_settings()
    if chosen.set_up:
        Catalogue.load(MESSAGES).check()  # seconds, which a worker that starts after a crash must not pay
        await set_up(settings, await connect(settings))
    else:
        await work(settings)


if __name__ == "__main__":
    keep_to_owner()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    shorten_expected_errors()
    try:
        asyncio.run(main(sys.argv[1:]))
    except (NotReady, SettingsError, CatalogueError, TooOpen) as problem:
        print(problem, file=sys.stderr)
        leave(1 if isinstance(problem, NotReady) else MISCONFIGURED)
    leave(0)
