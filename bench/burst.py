"""Measures a burst: thousands of steps due in the same minute, with payments that arrive meanwhile.

The first messages of many cases are due at the same moment. Other cases sleep with their customers' access
restricted; some of them are paid before the burst and some during it, through the API's client and by a bare signal,
which cannot overtake steps. Printed are the time until the last message of the burst was sent, beside as many bare
timers with an empty activity, and the time from a payment until the database has it, the case has ended and access is
restored. There are four rounds: without limits, with spread times, with a provider that takes a limited number of
messages a second, and with one that takes a second for each message.

    python -m bench.burst --cases 5000
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from temporalio.client import Client

from bench.cases import PAYMENT, Handle, begin, invoice, ladder, pay, registered, reminders
from bench.environment import KINDS, all_of, client_of, deps_on, scratch, server, until, worker_process
from bench.floor import FLOOR_QUEUE, Floor
from bench.tables import percentile, table
from dunwell.client.cases import Cases
from dunwell.domain.terms import Level
from dunwell.services.dependencies import Dependencies
from dunwell.store import accounts
from dunwell.store.tables import CaseRow, HoldRow, MessageInvoiceRow, MessageRow

_LATER = date(2027, 6, 1)


@dataclass(frozen=True)
class Round:
    """The conditions of one burst."""

    title: str
    spread_minutes: int = 0
    per_second: float = 0
    provider_seconds: float = 0


@dataclass
class Times:
    """The measured times, in seconds."""

    drained: float = 0
    asleep: list[float] = field(default_factory=list)
    by_client: list[float] = field(default_factory=list)
    signalled: list[float] = field(default_factory=list)


def rounds(spread: int, per_second: float) -> tuple[Round, ...]:
    return (
        Round("as it comes"),
        Round(f"spread over {spread} min", spread_minutes=spread),
        Round(f"provider: {per_second:g} a second", per_second=per_second),
        Round("provider: 1 s a message", provider_seconds=1),
    )


async def floor(address: str, cases: int, lead: float) -> float:
    """Return the seconds from the common moment until the last of the bare workflows has acted."""
    client = await client_of(address, "floor", attributes=False)
    async with worker_process("floor", address, "floor"):
        due = time.time() + lead

        async def start(number: int) -> None:
            handle = await client.start_workflow(
                Floor.run, args=[1, max(0.0, due - time.time())], id=f"floor-{number}", task_queue=FLOOR_QUEUE
            )
            await handle.signal(Floor.payment_received, {"payment_id": "p-1"})

        async def all_closed() -> bool:
            return (await client.count_workflows("ExecutionStatus = 'Completed'")).count >= cases

        await all_of([lambda number=number: start(number) for number in range(cases)])  # type: ignore[misc]
        late = max(0.0, time.time() - due)
        # Counted instead of waiting for results, because the server allows no thousands of waiting calls.
        await until(all_closed, every=0.25, seconds=3600)
        return time.time() - due - late


class Burst:
    """One burst on one database."""

    def __init__(self, client: Client, deps: Dependencies, one: Round, prefix: str) -> None:
        self._client, self._deps, self._round, self._prefix = client, deps, one, prefix
        self._cases = Cases(client, deps.database)
        self._payers: dict[str, Handle] = {}
        self.times = Times()

    async def run(self, cases: int, payers: int, lead: float) -> Times:
        """Run the burst, which is due `lead` seconds after the first start."""
        await asyncio.to_thread(self._register_payers, payers)
        for known in self._known:
            self._payers[known.invoice.invoice_id] = await begin(self._client, known)
        due = await self._start_burst(cases, lead)
        early, late, later = (list(self._payers)[number::3] for number in range(3))
        await self._pay(early, self._tell, self.times.asleep, min(lead / 4, 10.0))
        await asyncio.sleep(max(0.0, due - time.time()))
        paying = asyncio.gather(
            self._pay(late, self._tell, self.times.by_client, self._length(cases)),
            self._pay(later, self._signal, self.times.signalled, self._length(cases)),
        )
        await until(lambda: self._served(cases), every=0.25, seconds=3600)
        self.times.drained = time.time() - due
        await paying
        return self.times

    def _length(self, cases: int) -> float:
        """Return over how many seconds the payments are spread, while the burst certainly runs."""
        rate = self._round.per_second or (20 / self._round.provider_seconds if self._round.provider_seconds else 60)
        return max(self._round.spread_minutes * 30.0, cases / rate / 2)

    def _register_payers(self, payers: int) -> None:
        policy = ladder(self._deps, "sleepers", reminders(1))
        names = [f"{self._prefix}-payer-{number}" for number in range(payers)]
        self._known = registered(self._deps, policy, [invoice(name, policy, _LATER) for name in names], 1.0)
        for known in self._known:
            customer_id, name = known.invoice.customer.customer_id, known.invoice.invoice_id
            with self._deps.database.writing(customer_id) as session:
                now = datetime.now(UTC)
                accounts.place_hold(session, customer_id, name, Level.RESTRICTED, "for the bench", now)

    async def _start_burst(self, cases: int, lead: float) -> float:
        """Register and start the cases. Returns the time (seconds since the epoch) at which the messages are due."""
        minutes = self._round.spread_minutes
        policy = ladder(self._deps, f"burst-{self._prefix}", reminders(1), spread_minutes=minutes)
        bills = [invoice(f"{self._prefix}-{number}", policy) for number in range(cases)]
        planned = datetime(2027, 3, 2, 10, tzinfo=UTC)
        due = time.time() + lead
        begins = planned - timedelta(seconds=lead)
        known = await asyncio.to_thread(registered, self._deps, policy, bills, 1.0, begins)
        await all_of([lambda one=one: begin(self._client, one, self._case_time(planned, due)) for one in known])  # type: ignore[misc]
        return due

    @staticmethod
    def _case_time(planned: datetime, due: float) -> datetime:
        """Return the case's own time now, by which its message is due at `due`."""
        return planned - timedelta(seconds=max(0.0, due - time.time()))

    async def _served(self, cases: int) -> bool:
        return await asyncio.to_thread(self._sent) >= cases

    def _sent(self) -> int:
        with self._deps.database.reading() as session:
            count = session.scalar(
                select(func.count())
                .select_from(MessageRow)
                .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
                .where(MessageRow.state == "delivered", MessageInvoiceRow.invoice_id.startswith(f"{self._prefix}-"))
            )
        return count or 0

    async def _tell(self, name: str) -> None:
        await self._cases.tell(name, "payment_received", PAYMENT)

    async def _signal(self, name: str) -> None:
        await pay(self._payers[name])

    async def _pay(
        self,
        names: Sequence[str],
        payment: Callable[[str], Coroutine[Any, Any, None]],
        seconds: list[float],
        over: float,
    ) -> None:
        """Pay evenly over `over` seconds. Each is measured until the case has ended and access is restored."""

        async def one(name: str, wait: float) -> None:
            await asyncio.sleep(wait)
            begun = time.monotonic()
            telling = asyncio.create_task(payment(name))
            await until(lambda: asyncio.to_thread(self._restored, name), every=0.02)
            seconds.append(time.monotonic() - begun)
            await telling

        await asyncio.gather(*(one(name, over * number / len(names)) for number, name in enumerate(names)))

    def _restored(self, name: str) -> bool:
        with self._deps.database.reading() as session:
            stage = session.scalar(select(CaseRow.stage).where(CaseRow.invoice_id == name))
            held = session.scalar(
                select(func.count())
                .select_from(HoldRow)
                .where(HoldRow.invoice_id == name, HoldRow.released_at.is_(None))
            )
        return stage == "paid" and not held


async def bench(folder: Path, kinds: Sequence[str], cases: int, payers: int, chosen: Sequence[Round]) -> str:
    lead = cases / 40 + 10  # starting takes its time
    spaces = [f"{kind}-{number}" for kind in kinds for number in range(len(chosen))]
    async with server(folder, ["floor", *spaces]) as address:
        base = await floor(address, cases, cases / 100 + 5)
        rows: list[list[object]] = [["floor", f"{base:.1f}", "1.0", *[""] * 6]]
        for kind in kinds:
            with deps_on(kind, folder) as deps:
                for number, one in enumerate(chosen):
                    async with AsyncExitStack() as stack:
                        space = f"{kind}-{number}"
                        client = await client_of(address, space)
                        await stack.enter_async_context(_worker(address, space, deps, one))
                        times = await Burst(client, deps, one, space).run(cases, payers, lead)
                    rows.append(_row(f"{kind}: {one.title}", times, base))
                    print(*rows[-1], sep="  ", file=sys.stderr, flush=True)  # the next round takes minutes
    heads = [f"{cases} steps due at once", "drained in s", "of the floor"]
    for when in ("payment, asleep", "payment, burst", "bare signal, burst"):
        heads += [f"{when}: p50 ms", "p99 ms"]
    return table(heads, rows)


def _worker(address: str, space: str, deps: Dependencies, one: Round) -> AbstractAsyncContextManager[object]:
    url = deps.database.url
    return worker_process(
        "dunwell", address, space, url, per_second=one.per_second, provider_seconds=one.provider_seconds
    )


def _row(title: str, times: Times, base: float) -> list[object]:
    waits = [
        percentile(values, p) * 1000 for values in (times.asleep, times.by_client, times.signalled) for p in (50, 99)
    ]
    return [title, f"{times.drained:.1f}", f"{times.drained / base:.1f}", *(f"{wait:.0f}" for wait in waits)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.burst", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--payers", type=int, default=150)
    parser.add_argument("--spread", type=int, default=10, help="minutes")
    parser.add_argument("--per-second", type=float, default=20)
    parser.add_argument("--round", type=int, action="append", help="0-3; default all four")
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind only; default both")
    chosen = parser.parse_args()
    all_rounds = rounds(chosen.spread, chosen.per_second)
    some = [all_rounds[number] for number in chosen.round] if chosen.round else all_rounds
    with scratch() as folder:
        print(asyncio.run(bench(folder, chosen.database or KINDS, chosen.cases, chosen.payers, some)))


if __name__ == "__main__":
    main()
