"""The worker of a measurement, as a program: `python -m bench.crew KIND ADDRESS NAMESPACE DATABASE CACHED`.

Says "ready" on its standard output and works until SIGTERM.
"""

import asyncio
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.floor import FLOOR_QUEUE, Floor, nothing
from local.demo import outbox_desk
from worker import CACHED_CASES, THREADS, make_worker


async def work(kind: str, address: str, space: str, database_url: str, cached: int) -> None:
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
            worker = make_worker(client, outbox_desk(database_url), executor, cached_cases=cached)
        async with worker:
            print("ready", flush=True)
            await stop.wait()


def main() -> None:
    kind, address, space, database_url, cached = sys.argv[1:]
    asyncio.run(work(kind, address, space, database_url, int(cached)))
    os._exit(0)  # nothing is left to say, and the engine's threads take their time


if __name__ == "__main__":
    main()
