"""Measures whole cases per second: seven steps, a payment and its thanks, beside bare workflows of as many steps.

A bare workflow is one start, seven timers, eight empty activities and a signal. Dunwell writes every message to the
outbox, every decision to the timeline and every state to the database. Both get as many worker processes as there
are cores.

    python -m bench.throughput --lives 200
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from temporalio.client import Client, WorkflowHandle

from bench.cases import STEPS, Handle, begin, invoice, ladder, pay, registered, reminders
from bench.environment import KINDS, WorkerProcess, all_of, client_of, deps_on, scratch, server, worker_processes
from bench.floor import FLOOR_QUEUE, Floor
from bench.tables import table
from dunwell.client.registration import Registered
from dunwell.services.dependencies import Dependencies
from dunwell.store.tables import CaseRow

_PAUSE = 0.1  # seconds between the steps of a bare life
_SPEED = 86_400 * 40.0  # about as long for three business days of a case


@dataclass(frozen=True)
class Pace:
    """Cases per second, and the processor time of the workers for each case, in milliseconds."""

    lives: float
    work: float


async def floor(address: str, lives: int, workers: int) -> Pace:
    """Measure bare workflows. Their payment is signalled at the start, which saves them a workflow task."""
    client = await client_of(address, "floor", attributes=False)
    async with worker_processes(workers, "floor", address, "floor") as processes, timed(processes, lives) as pace:
        handles: list[WorkflowHandle[Floor, None]] = []

        async def life(number: int) -> None:
            handle = await client.start_workflow(
                Floor.run, args=[STEPS, _PAUSE], id=f"floor-{number}", task_queue=FLOOR_QUEUE
            )
            await handle.signal(Floor.payment_received, {"payment_id": "p-1"})
            handles.append(handle)

        await all_of([lambda number=number: life(number) for number in range(lives)])  # type: ignore[misc]
        await asyncio.gather(*(handle.result() for handle in handles))
    return pace[0]


async def ours(address: str, kind: str, deps: Dependencies, lives: int, workers: int) -> Pace:
    """Measure cases of InvoiceDunning, each with seven e-mails and a payment after the last."""
    client = await client_of(address, kind)
    policy = ladder(deps, "seven-steps", reminders(), reactions={"paid": "thank-you"})
    known = registered(deps, policy, [invoice(f"life-{number}", policy) for number in range(lives)], _SPEED)
    async with (
        worker_processes(workers, "dunwell", address, kind, deps.database.url) as processes,
        timed(processes, lives) as pace,
    ):
        await _live(client, deps, known)
    return pace[0]


@asynccontextmanager
async def timed(processes: Sequence[WorkerProcess], lives: int) -> AsyncIterator[list[Pace]]:
    """Append the pace to the yielded list at the end of the block."""
    pace: list[Pace] = []
    begun, used = time.monotonic(), sum(one.seconds for one in processes)
    yield pace
    used = sum(one.seconds for one in processes) - used
    pace.append(Pace(lives / (time.monotonic() - begun), 1000 * used / lives))


async def _live(client: Client, deps: Dependencies, known: Sequence[Registered]) -> None:
    handles: dict[str, Handle] = {}
    paid: set[str] = set()

    async def start(one: Registered) -> None:
        handles[one.invoice.invoice_id] = await begin(client, one)

    async def pay_those_who_waited() -> None:
        while len(paid) < len(known):
            ready = [one for one in _at_the_end(deps) if one not in paid and one in handles]
            paid.update(ready)
            await all_of([lambda one=one: pay(handles[one]) for one in ready])  # type: ignore[misc]
            await asyncio.sleep(0.1)

    await asyncio.gather(all_of([lambda one=one: start(one) for one in known]), pay_those_who_waited())  # type: ignore[misc]
    await asyncio.gather(*(handle.result() for handle in handles.values()))


def _at_the_end(deps: Dependencies) -> Sequence[str]:
    """Return the cases that have done every step and wait for payment."""
    with deps.database.reading() as session:
        return session.scalars(
            select(CaseRow.invoice_id).where(CaseRow.next_step.is_(None), CaseRow.stage == "chasing")
        ).all()


async def bench(kinds: Sequence[str], lives: int, workers: int) -> str:
    with scratch() as folder:
        async with server(folder, ["floor", *kinds]) as address:
            base = await floor(address, lives, workers)
            rows = [_row("floor", lives, base, base)]
            for kind in kinds:
                with deps_on(kind, folder) as deps:
                    pace = await ours(address, kind, deps, lives, workers)
                    rows.append(_row(f"dunwell on {kind}", lives, pace, base))
    title = f"whole lives of 7 steps, {workers} worker(s)"
    heads = [title, "lives", "per second", "of the floor", "ms of the workers each", "of the floor"]
    return table(heads, rows)


def _row(title: str, lives: int, pace: Pace, base: Pace) -> list[object]:
    speed, work = pace.lives / base.lives, pace.work / base.work
    return [title, lives, f"{pace.lives:.1f}", f"{speed:.2f}", f"{pace.work:.0f}", f"{work:.1f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--lives", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; default one a core")
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind only; default both")
    chosen = parser.parse_args()
    print(asyncio.run(bench(chosen.database or KINDS, chosen.lives, chosen.workers)))


if __name__ == "__main__":
    main()
