"""The worker of a measurement: `python -m bench.worker_process KIND ADDRESS NAMESPACE DATABASE NUMBERS`.

Prints "ready" to standard output and runs until SIGTERM.
"""

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.floor import FLOOR_QUEUE, Floor, nothing
from dunwell.domain.channels import Channel
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import NAME as OUTBOX
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.rate_limit import RateLimiter
from dunwell.local.demo import outbox_deps
from dunwell.services.dependencies import Dependencies
from worker import CACHED_CASES, THREADS, make_worker


class SlowOutbox(OutboxGateway):
    """A provider that takes this many seconds for each message."""

    def __init__(self, channel: Channel, seconds: float) -> None:
        super().__init__(channel)
        self._seconds = seconds

    def send(self, envelope: Envelope) -> Receipt:
        time.sleep(self._seconds)
        return super().send(envelope)


def deps_of(database_url: str, per_second: float, provider_seconds: float) -> Dependencies:
    deps = outbox_deps(database_url)
    if provider_seconds:
        slow = {**deps.gateways, Channel.EMAIL: SlowOutbox(Channel.EMAIL, provider_seconds)}
        deps = replace(deps, gateways=slow, rehearsal_gateways=slow)
    return replace(deps, rate_limits={OUTBOX: RateLimiter(per_second)}) if per_second else deps


async def work(
    kind: str, address: str, space: str, database_url: str, cached: int, per_second: float, provider_seconds: float
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address, namespace=space, data_converter=pydantic_data_converter)
    cached = cached or CACHED_CASES
    with ThreadPoolExecutor(THREADS) as executor:
        worker: AbstractAsyncContextManager[object]
        if kind == "floor":
            worker = Worker(
                client,
                task_queue=FLOOR_QUEUE,
                workflows=[Floor],
                activities=[nothing],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=cached,
            )
        else:
            worker = make_worker(
                client, deps_of(database_url, per_second, provider_seconds), executor, cached_cases=cached
            )
        async with worker:
            print("ready", flush=True)
            await stop.wait()


def main() -> None:
    kind, address, space, database_url, cached, per_second, provider_seconds = sys.argv[1:]
    asyncio.run(work(kind, address, space, database_url, int(cached), float(per_second), float(provider_seconds)))
    os._exit(0)  # without waiting for the SDK's threads


if __name__ == "__main__":
    main()
