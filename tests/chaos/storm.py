"""A run: the real server on its file, workers as processes, providers with moods, and somebody who kills things."""

import asyncio
import json
import random
import signal
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from local.server import DevServer, free_port
from store.database import Database
from store.schema import migrate
from tests.chaos import audit, town
from tests.chaos.emulators import Log, StormySendGrid, StormyTwilio, Temper
from tests.live.plant import ROOT, Handle, Plant
from worker import register_search_attributes
from workflows.invoice_dunning import InvoiceDunning

DATABASE = "dunwell.sqlite"
LOG = "providers.jsonl"
_PATIENCE = timedelta(seconds=15)
_BATCH = 20


@dataclass(frozen=True)
class Plan:
    """seconds: length of the storm; drain: how long cases get to end after it; enough: which share of them.

    fates: out of a hundred messages, how many are reported as delivered, as bounced, as failed, and not at all.
    """

    seed: int
    cases: int
    worker_kills: int
    server_kills: int
    seconds: float
    drain: float
    workers: int = 3
    days_a_second: float = 2.0
    long_answers: bool = True
    enough: float = 1.0
    fates: tuple[int, int, int, int] = (85, 5, 4, 6)


@dataclass
class StormyPlant(Plant):
    twilio: StormyTwilio = field(kw_only=True)

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "token",
            "TWILIO_FROM": "+15005550006",
            "TWILIO_API_URL": self.twilio.url,
        }

    def kill_one(self, chance: random.Random) -> None:
        """As the power would, and a new one in its place."""
        worker = self.workers.pop(chance.randrange(len(self.workers)))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.start_worker()


@asynccontextmanager
async def _plant(state: Path, log: Log, temper: Temper, tree: Path) -> AsyncIterator[StormyPlant]:
    database = Database(f"sqlite:///{state}/{DATABASE}")
    migrate(database)
    audit.watch(state / DATABASE)
    port = free_port()
    server = await asyncio.to_thread(DevServer.start, state, port=port, ui=False)
    client = await Client.connect(server.address, data_converter=pydantic_data_converter)
    await register_search_attributes(client)
    with StormySendGrid(log, temper) as sendgrid, StormyTwilio(log, temper) as twilio:
        plant = StormyPlant(state, database, sendgrid, port, server, client, twilio=twilio, tree=tree)
        try:
            yield plant
        finally:
            plant.kill_workers()
            plant.server.stop()
            database.close()


async def run(plan: Plan, state: Path, tree: Path = ROOT) -> None:
    """Leave in `state` all that the checker reads: the database, the providers' log, histories and statuses.

    The workers run the code of `tree`.
    """
    chance = random.Random(plan.seed)
    log, temper = Log(state / LOG), Temper(plan.seed, long=plan.long_answers)
    async with _plant(state, log, temper, tree) as plant:
        for _ in range(plan.workers):
            plant.start_worker()
        await _until_they_work(plan, state)
        invoices = town.invoices(chance, plan.cases)
        handles: dict[str, Handle] = {}
        postman = asyncio.create_task(_report_deliveries(plan, log, state / DATABASE, handles))
        lives = []
        for first in range(0, len(invoices), _BATCH):
            batch = invoices[first : first + _BATCH]
            started = await plant.start(batch, plan.days_a_second * 86_400)
            for invoice, handle in zip(batch, started, strict=True):
                handles[invoice.invoice_id] = handle
                deeds = sorted(town.deeds(chance, invoice), key=lambda deed: deed.after)
                lives.append(asyncio.create_task(_live(plan, deeds, handle)))
        await asyncio.gather(*lives, _kill(plan, plant), asyncio.sleep(plan.seconds))
        temper.stormy = False
        await _end_all(chance, handles)
        ended = await _wait_for_ends(plan, handles)
        postman.cancel()
        with suppress(asyncio.CancelledError):
            await postman
        await _keep(state, plant, ended)


async def _until_they_work(plan: Plan, state: Path) -> None:
    """A storm over before the first worker is up would prove nothing."""
    for _ in range(900):
        if (state / "worker.log").read_text().count("working on queue") >= plan.workers:
            return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the workers did not start in three minutes: read {state / 'worker.log'}")


async def _live(plan: Plan, deeds: Sequence[town.Deed], handle: Handle) -> None:
    """Every deed at its moment, whether or not anybody is there to listen."""
    begun = asyncio.get_running_loop().time()
    for deed in deeds:
        await asyncio.sleep(max(begun + deed.after * plan.seconds - asyncio.get_running_loop().time(), 0))
        await _tell(handle, deed.signal, deed.content)


async def _tell(handle: Handle, name: str, content: dict[str, str]) -> bool:
    """A signal, through the server's absences. False when the case has ended."""
    while True:
        try:
            await handle.signal(name, content, rpc_timeout=_PATIENCE)
            return True
        except RPCError as error:
            if "completed" in error.message or "not found" in error.message:
                return False
            await asyncio.sleep(0.3)


async def _kill(plan: Plan, plant: StormyPlant) -> None:
    chance = random.Random(plan.seed + 1)
    victims = ["worker"] * plan.worker_kills + ["server"] * plan.server_kills
    chance.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(plan.seconds / (len(victims) + 1) * chance.uniform(0.5, 1.2))
        if victim == "worker":
            await asyncio.to_thread(plant.kill_one, chance)
        else:
            await plant.restart_server()


async def _report_deliveries(plan: Plan, log: Log, database: Path, handles: dict[str, Handle]) -> None:
    """Tell the cases what became of their messages: repeated, in any order, sometimes bad news, sometimes none."""
    chance = random.Random(plan.seed + 2)
    known: set[str] = set()
    async with asyncio.TaskGroup() as letters:
        while True:
            for message_id, sent, invoices in await asyncio.to_thread(_accepted, database, log):
                if message_id in known or not handles.keys() >= set(invoices):
                    continue
                known.add(message_id)
                fate = chance.choices(("delivered", "bounced", "failed", ""), plan.fates)[0]
                if fate:
                    cases = [handles[one] for one in invoices]
                    letters.create_task(_report(chance, log, message_id, fate, sent, cases))
            await asyncio.sleep(0.2)


async def _report(
    chance: random.Random, log: Log, message_id: str, fate: str, sent: datetime, cases: list[Handle]
) -> None:
    log.write("reports", "reported", message_id, status=fate)
    at = (sent + timedelta(minutes=5)).isoformat()
    reports = [{"message_id": message_id, "status": status, "at": at} for status in ("accepted", fate, fate)]
    chance.shuffle(reports)
    for case in cases:
        for report in reports[: chance.choice((2, 3, 3))]:
            await _tell(case, "delivery_report", report)


def _accepted(database: Path, log: Log) -> list[tuple[str, datetime, list[str]]]:
    """The messages that a provider has: id, when, invoices."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        rows = connection.execute(
            "SELECT m.message_id, m.provider_id, m.claimed_at, group_concat(i.invoice_id) FROM messages m "
            "JOIN message_invoices i USING (message_id) GROUP BY m.message_id ORDER BY m.rowid"
        ).fetchall()
    connection.close()
    return [
        (message_id, datetime.fromisoformat(f"{claimed}+00:00"), sorted(invoices.split(",")))
        for message_id, sid, claimed, invoices in rows
        if message_id in log.taken or sid in log.taken
    ]


async def _end_all(chance: random.Random, handles: dict[str, Handle]) -> None:
    """Pay or cancel whatever still runs."""
    await asyncio.gather(*(_end(chance.random() < 0.6, name, handle) for name, handle in handles.items()))


async def _end(by_money: bool, name: str, handle: Handle) -> None:
    if by_money:
        content = {"payment_id": f"{name}.last", "amount": str(town.AMOUNT), "currency": "EUR"}
        await _tell(handle, "payment_received", content)
    else:
        await _tell(handle, "cancel", {"reason": "run-over", "by": "agent.1"})


async def _wait_for_ends(plan: Plan, handles: dict[str, Handle]) -> dict[str, Handle]:
    """The cases that ended within the plan's patience."""
    deadline = asyncio.get_running_loop().time() + plan.drain
    ended: dict[str, Handle] = {}
    while len(ended) < plan.enough * len(handles) and asyncio.get_running_loop().time() < deadline:
        for name, handle in handles.items():
            if name not in ended and await _has_ended(handle):
                ended[name] = handle
        await asyncio.sleep(0.5)
    return ended


async def _has_ended(handle: Handle) -> bool:
    try:
        described = await handle.describe(rpc_timeout=_PATIENCE)
    except RPCError:  # asked again in a moment
        return False
    return described.status is not WorkflowExecutionStatus.RUNNING


async def _keep(state: Path, plant: StormyPlant, ended: dict[str, Handle]) -> None:
    (state / "histories").mkdir()
    (state / "statuses").mkdir()
    for name, handle in ended.items():
        status = await handle.query(InvoiceDunning.status, rpc_timeout=timedelta(seconds=60))
        (state / "statuses" / f"{name}.json").write_text(status.model_dump_json())
        history = await handle.fetch_history()
        (state / "histories" / f"{name}.json").write_text(json.dumps(history.to_json_dict()))
    plant.kill_workers()  # from here on nobody writes, and the checker sees one state of things
