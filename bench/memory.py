"""Measures sleeping cases: memory for each thousand in the cache, and many thousands with a bounded cache.

First cases sleep in a cache that holds them all, beside as many bare workflows. Then many more are open while the
worker's cache is bounded: measured are the time to start them, the worker's memory and processor time while they
sleep, and the time until a new worker answers a query of a case that it has not in its cache.

    python -m bench.memory --sleepers 2000 --open 50000
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.cases import begin, invoice, ladder, registered, reminders
from bench.environment import WorkerProcess, all_of, client_of, deps_on, scratch, server, until, worker_process
from bench.floor import FLOOR_QUEUE, Floor
from bench.tables import table
from dunwell.services.dependencies import Dependencies
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import workflow_id

_FAR = date(2027, 9, 1)
_MONTHS = 180 * 86_400.0
_IDLE_SECONDS = 10.0
_CHUNK = 1000
_WARM_UP = 100  # the first cases make the worker load what it needs for all


async def floor(client: Client, prefix: str, count: int) -> None:
    def starting(number: int) -> Callable[[], Any]:
        return lambda: client.start_workflow(
            Floor.run, args=[1, _MONTHS], id=f"{prefix}-{number}", task_queue=FLOOR_QUEUE
        )

    await all_of([starting(number) for number in range(count)])


async def ours(client: Client, deps: Dependencies, prefix: str, count: int) -> float:
    """Register and start cases that sleep for months. Returns the seconds that the starts alone took."""
    policy = ladder(deps, "sleepers", reminders(1))
    took = 0.0
    for first in range(0, count, _CHUNK):
        names = [f"{prefix}-{number}" for number in range(first, min(first + _CHUNK, count))]
        bills = [invoice(name, policy, _FAR) for name in names]
        known = await asyncio.to_thread(registered, deps, policy, bills, 1.0)
        begun = time.monotonic()
        await all_of([lambda one=one: begin(client, one) for one in known])  # type: ignore[misc]
        took += time.monotonic() - begun
    return took


async def asleep(worker: WorkerProcess) -> None:
    """Wait until the worker is idle."""
    before = [worker.seconds - 10.0]

    async def still() -> bool:
        used, before[0] = worker.seconds - before[0], worker.seconds
        return used < 0.05

    await until(still, every=2.0, seconds=7200)  # fifty thousand first tasks take long


async def per_thousand(address: str, deps: Dependencies, count: int) -> str:
    rows: list[list[object]] = []
    base = 0.0
    for kind in ("floor", "dunwell"):
        client = await client_of(address, kind, attributes=kind != "floor")
        async with worker_process(kind, address, kind, deps.database.url, cached=count + _WARM_UP) as worker:
            seen = []
            for prefix, number in (("first", _WARM_UP), ("sleeper", count)):
                await (floor(client, prefix, number) if kind == "floor" else ours(client, deps, prefix, number))
                await asleep(worker)
                seen.append(worker.megabytes)
            grown = (seen[1] - seen[0]) / count * 1000
        base = base or grown
        rows.append([kind, count, f"{seen[0]:.0f}", f"{grown:.1f}", f"{grown / base:.2f}"])
    return table(["sleepers in memory", "cases", f"MB with {_WARM_UP}", "MB per 1,000", "of the floor"], rows)


async def bounded(address: str, deps: Dependencies, count: int, cached: int) -> str:
    client = await client_of(address, "many")
    async with worker_process("dunwell", address, "many", deps.database.url, cached=cached) as worker:
        begun = time.monotonic()
        starts = await ours(client, deps, "open", count)
        await asleep(worker)
        took = time.monotonic() - begun
        full, used = worker.megabytes, worker.seconds
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (worker.seconds - used) / _IDLE_SECONDS * 100
    begun = time.monotonic()
    async with worker_process("dunwell", address, "many", deps.database.url, cached=cached) as worker:
        await client.get_workflow_handle(workflow_id("open-0")).query(InvoiceDunning.status)
        again = time.monotonic() - begun
        fresh = worker.megabytes
    rows: list[list[object]] = [
        ["registered, started and asleep", f"{took:.0f} s"],
        ["of that the starts", f"{starts:.0f} s"],
        ["worker's memory", f"{full:.0f} MB"],
        [f"worker while all sleep, over {_IDLE_SECONDS:.0f} s", f"{idle:.1f} % of a core"],
        ["a new worker's first answer", f"{again:.1f} s"],
        ["a new worker's memory", f"{fresh:.0f} MB"],
    ]
    return table([f"{count:,} open cases, {cached:,} in memory", "figure"], rows)


async def bench(folder: Path, sleepers: int, opened: int, cached: int) -> str:
    async with server(folder, ["floor", "dunwell", "many"]) as address:
        with deps_on("sqlite", folder) as deps:
            tables = [await per_thousand(address, deps, sleepers)]
            if opened:
                tables.append(await bounded(address, deps, opened, cached))
    return "\n\n".join(tables)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--sleepers", type=int, default=2000)
    parser.add_argument("--open", type=int, default=50_000, help="0 leaves the second table out")
    parser.add_argument("--cached", type=int, default=1000)
    chosen = parser.parse_args()
    with scratch() as folder:
        print(asyncio.run(bench(folder, chosen.sleepers, chosen.open, chosen.cached)))


if __name__ == "__main__":
    main()
