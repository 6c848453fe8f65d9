"""Measures the start of many cases: `starter.py start` of a whole file, beside as many bare workflow starts.

Dunwell checks and stores each invoice and customer, opens the case and plans its first step before it starts the
workflow; the floor only starts workflows. No worker runs.

    python -m bench.bulk --cases 1000
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from bench.cases import invoice, ladder, reminders
from bench.environment import KINDS, all_of, client_of, deps_on, scratch, server
from bench.floor import FLOOR_QUEUE, Floor
from bench.tables import table
from dunwell.client.bulk_start import start_all
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.client.starting import Start
from dunwell.domain.clock import Clock
from dunwell.services.dependencies import Dependencies

_AT_ONCE = 50  # concurrent starts, as many as of `starter.py start`


async def floor(client: Client, count: int) -> float:
    """Return the bare workflow starts per second."""

    def starting(number: int) -> Callable[[], Any]:
        return lambda: client.start_workflow(
            Floor.run, args=[1, 3600.0], id=f"floor-{number}", task_queue=FLOOR_QUEUE
        )

    begun = time.monotonic()
    await all_of([starting(number) for number in range(count)], _AT_ONCE)
    return count / (time.monotonic() - begun)


async def ours(client: Client, deps: Dependencies, count: int) -> float:
    """Return the invoices registered and started per second. Raises RuntimeError when one was not started."""
    policy = ladder(deps, "seven-steps", reminders())
    registrar = Registrar(deps, {policy.name: policy})
    now = datetime.now(UTC)
    results: list[object] = []
    begun = time.monotonic()
    await start_all(
        Cases(client, deps.database),
        [invoice(f"bulk-{number}", policy) for number in range(count)],
        lambda some: registrar.register_all(some, now, Clock()),
        results.append,
    )
    took = time.monotonic() - begun
    if results.count(Start.STARTED) != count:
        raise RuntimeError(f"{results.count(Start.STARTED)} of {count} cases were started")
    return count / took


async def bench(kinds: Sequence[str], count: int) -> str:
    with scratch() as folder:
        async with server(folder, ["floor", *kinds]) as address:
            base = await floor(await client_of(address, "floor", attributes=False), count)
            rows: list[list[object]] = [["floor: bare starts", count, f"{base:.0f}", "1.00"]]
            for kind in kinds:
                with deps_on(kind, folder) as deps:
                    rate = await ours(await client_of(address, kind), deps, count)
                rows.append([f"dunwell on {kind}", count, f"{rate:.0f}", f"{rate / base:.2f}"])
    return table(["starting cases", "cases", "per second", "of the floor"], rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind only; default both")
    chosen = parser.parse_args()
    print(asyncio.run(bench(chosen.database or KINDS, chosen.cases)))


if __name__ == "__main__":
    main()
