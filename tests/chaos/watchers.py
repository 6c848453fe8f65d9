"""Debtors who pay in the very second of a step: a moment that is drawn beforehand hardly ever meets a claim.

Some know when the next step is due, and pay then. Some pay when a provider is called for a message to them; others
when it refuses the call, so that the money comes between two tries of one step.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from dunwell.store.database import Database
from tests.chaos import town

Pay = Callable[[town.Deed], Awaitable[object]]
Due = Callable[[str, datetime], datetime | None]

_PLANNED = "SELECT invoice_id, customer_id, next_at FROM cases WHERE next_at IS NOT NULL"
_LOOKS_EVERY = 0.1
_SOON = timedelta(seconds=0.4)
_SPREAD = 0.3
"""Seconds after a call, or after a step is due, within which all payments are told: while the step goes on."""


class Watchers:
    """Carries out each watch once. `pay` tells a case of a payment, by some door.

    `due` says when, by our own clock, it will be that moment in that case; None while it has not begun.
    """

    def __init__(self, watches: Sequence[town.Watch], chance: random.Random, pay: Pay, due: Due) -> None:
        self._loop = asyncio.get_running_loop()
        self._chance, self._pay, self._due = chance, pay, due
        self._watches = {watch.customer_id: watch for watch in watches}
        self._by_address = {address: watch for watch in watches for address in watch.addresses}
        self._left = {watch.customer_id: watch.number for watch in watches}
        self._seen: set[tuple[str, datetime]] = set()
        self._paying: list[asyncio.Task[object]] = []

    # Calls of a provider ---------------------------------------------------------------------------------

    def called(self, address: str, taken: bool) -> None:
        """A provider is being called for a message to this address. May come from any thread."""
        with suppress(RuntimeError):  # the storm is over, and its loop closed
            self._loop.call_soon_threadsafe(self._on_call, address, taken)

    def _on_call(self, address: str, taken: bool) -> None:
        watch = self._by_address.get(address)
        if watch is not None and (watch.sees == "call" or (watch.sees == "refusal" and not taken)):
            self._count(watch, after=0)

    # Steps that are due ----------------------------------------------------------------------------------

    async def run(self, database: Database, turn: asyncio.Lock) -> None:
        """Watch for steps, by what the database says is planned, until cancelled."""
        while True:
            rows: list[tuple[str, str, datetime]] = []
            async with turn:
                with suppress(SQLAlchemyError):  # it may be away
                    rows = await asyncio.to_thread(_planned, database)
            for row in rows:
                self._look_at(*row)
            await asyncio.sleep(_LOOKS_EVERY)

    def _look_at(self, invoice_id: str, customer_id: str, next_at: datetime) -> None:
        watch = self._watches.get(customer_id)
        if watch is None or watch.sees != "step" or (customer_id, next_at) in self._seen:
            return
        at = self._due(invoice_id, next_at)
        wait = at - datetime.now(UTC) if at else None
        if wait is not None and timedelta(0) < wait < _SOON:
            self._seen.add((customer_id, next_at))
            self._count(watch, after=wait.total_seconds())

    # Paying ----------------------------------------------------------------------------------------------

    def _count(self, watch: town.Watch, after: float) -> None:
        self._left[watch.customer_id] -= 1
        if self._left[watch.customer_id] == 0:
            self._paying += [
                asyncio.create_task(self._pay_after(after + self._chance.uniform(0, _SPREAD), deed))
                for deed in watch.payments
            ]

    async def _pay_after(self, seconds: float, deed: town.Deed) -> object:
        await asyncio.sleep(seconds)
        return await self._pay(deed)

    async def finish(self) -> None:
        """Nobody watches any more, and what was begun is told."""
        self._watches.clear()
        self._by_address.clear()
        await asyncio.gather(*self._paying)


def _planned(database: Database) -> list[tuple[str, str, datetime]]:
    with database.reading() as session:
        rows = session.execute(text(_PLANNED)).all()
    return [(row.invoice_id, row.customer_id, _moment(row.next_at)) for row in rows]


def _moment(stored: datetime | str) -> datetime:
    """UTC, which the database does not say. SQLite keeps text."""
    read = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
