"""A run: the real server on its file, workers and the web service as processes, providers with moods, and somebody
who kills things."""

import asyncio
import json
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from dunwell.bootstrap import register_search_attributes
from dunwell.client.registration import Registered, Registrar
from dunwell.domain.clock import Clock
from dunwell.domain.invoice import Invoice
from dunwell.domain.reconciliation_report import Finding
from dunwell.domain.reconciliation_report import Kind as Difference
from dunwell.domain.refusal import Refused
from dunwell.local.temporal_server import DevServer, free_port
from dunwell.store.database import Database
from tests.builders import sample_deps, the_ladders
from tests.chaos import standing, town
from tests.chaos.account_clerks import AccountClerks
from tests.chaos.answerers import Answerers
from tests.chaos.bank import Bank, keep_layout
from tests.chaos.clerks import Clerks
from tests.chaos.debtors import Debtors
from tests.chaos.emulators import Log, StormySendGrid, StormyTwilio, Temper
from tests.chaos.ground import Ground, Kind, ground
from tests.chaos.office import Office
from tests.chaos.operator import Operator
from tests.chaos.payers import Ledger, Payers, payers
from tests.chaos.postman import Postman
from tests.chaos.process import CLOCK
from tests.chaos.records import TO_HAND_ON, UNMATCHED
from tests.chaos.restricted import Restricted
from tests.chaos.site import PROCESS, Site
from tests.chaos.watchers import Watchers
from tests.live.plant import AS_OF, ROOT, Handle, Plant
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import workflow_id

LOG = "providers.jsonl"
_PATIENCE = timedelta(seconds=15)
_BATCH = 20
_RECONCILES = 40.0
"""Seconds that a comparison of database and engine may take before another one is asked for."""
RESTORE_WAITS = 180.0
"""Seconds that docs/operating.md asks for between `hold on` and a restore."""
_ASKED = 3  # times; on busy cores an ended case, which is replayed to be asked, may take longer than a query waits
_AWAY = 8.0
"""Seconds, at most, that a killed database is away: enough for everybody's connections to fail more than once."""

_UNHEARD = """
SELECT count(*) FROM webhook_events e JOIN messages m
ON m.message_id = e.body -> 'event' ->> 'message_id' OR m.provider_id = e.body -> 'event' ->> 'provider_id'
WHERE e.done_at IS NULL
"""

_ON_ITS_WAY = f"""
SELECT (SELECT count(*) FROM billing_subjects WHERE state = 'due')
+ (SELECT count(*) FROM bank_entries e WHERE {TO_HAND_ON})
+ (SELECT count(*) FROM bookings b WHERE undone_at IS NULL AND refused IS NULL AND (told_at IS NULL OR NOT EXISTS
  (SELECT 1 FROM payments p WHERE p.invoice_id = b.invoice_id AND p.payment_id = b.payment_id)))
+ (SELECT count(*) FROM bookings WHERE undone_at IS NOT NULL AND undone_told_at IS NULL)
"""

_OPEN = "(SELECT customer_id FROM cases WHERE stage NOT IN ('paid', 'cancelled', 'written_off', 'handed_over'))"
_WRITTEN_TO = f"""
SELECT contact_id FROM contacts
WHERE closed_at IS NULL AND retired_at IS NULL AND role <> 'account_manager' AND customer_id IN {_OPEN}
ORDER BY contact_id
"""
_MAILS = f"""
SELECT message_id, address FROM messages
WHERE channel = 'email' AND call = 'answered' AND contact_id NOT LIKE '%account_manager%' AND customer_id IN {_OPEN}
ORDER BY message_id
"""
_LIMITED = "SELECT DISTINCT customer_id FROM holds WHERE released_at IS NULL ORDER BY customer_id"
_LEAVE = 4  # contacts who leave, and readers who unsubscribe, between the copy and the restore

Door = Callable[[town.Deed], Awaitable[object]]
"""A way to tell a case what its debtor did."""


@dataclass(frozen=True)
class Plan:
    """seconds: length of the storm; drain: how long cases get to end after it; enough: which share of them.

    restores: 1 for a database that is restored from a copy once, 0 for one that is not.
    watched: at which share of the customers somebody pays in the very moment of a message.
    fates: out of a hundred messages, how many are reported as delivered, as bounced, as failed, and not at all.
    """

    seed: int
    cases: int
    worker_kills: int
    server_kills: int
    seconds: float
    drain: float
    web_kills: int = 1
    database: Kind = "sqlite"
    database_kills: int = 0
    operator_acts: int = 0
    restores: int = 0
    watched: float = 0.3
    workers: int = 3
    days_a_second: float = 2.0
    long_answers: bool = True
    enough: float = 1.0
    fates: tuple[int, int, int, int] = (85, 5, 4, 6)

    @property
    def span(self) -> timedelta:
        """How far the clocks of the cases run while it storms."""
        return timedelta(days=self.days_a_second * self.seconds)


WHATSAPP_TEXTS = "whatsapp.toml"


@dataclass
class StormyPlant(Plant):
    twilio: StormyTwilio = field(kw_only=True)
    site: Site = field(kw_only=True)
    ground: Ground = field(kw_only=True)
    clerks: Clerks = field(kw_only=True)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, kw_only=True)
    """Whoever kills, or has the database open in this process, or needs that nobody does."""

    def environment(self) -> dict[str, str]:
        """One for the workers and the web service, as one `.env` is."""
        return super().environment() | {
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_FROM": "+15005550006",
            "TWILIO_API_URL": self.twilio.url,
            "TWILIO_WHATSAPP_FROM": "+14155238886",
            "TWILIO_WHATSAPP_TEXTS": str(self.state / WHATSAPP_TEXTS),
            "PYTHONPATH": str(self.tree),
            CLOCK: str(self.state / "clock"),
            **self.site.settings(),
        }

    def set_clock(self, speed: float) -> None:
        """From now on it is the time of the storm for whoever matches payments."""
        (self.state / "clock").write_text(f"{datetime.now(UTC).isoformat()} {town.BEGINS.isoformat()} {speed}")

    def command_of(self, script: str) -> list[str]:
        return [*PROCESS, script]

    def kill_one(self, chance: random.Random) -> None:
        """As the power would, and a new one in its place."""
        worker = self.workers.pop(chance.randrange(len(self.workers)))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.start_worker()

    def revive(self) -> None:
        """Start those workers again that found no database when they started, as their supervisor would."""
        gone = [worker for worker in self.workers if worker.poll() is not None]
        self.workers = [worker for worker in self.workers if worker not in gone]
        for _ in gone:
            self.start_worker()

    def command(self, *words: str) -> None:
        """`starter.py` with these words. Raises RuntimeError with what it said when it fails."""
        command = [*self.command_of("starter"), *words]
        done = subprocess.run(
            command, env=self.environment(), cwd=self.state, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"starter.py {' '.join(words)} failed: {done.stdout}{done.stderr}")

    def restore(self) -> None:
        """The database is an older one, once workers and web service have stopped.

        A worker that a busy machine lets take too long is killed, as its supervisor would.
        """
        try:
            self.stop_workers()
        except subprocess.TimeoutExpired:
            self.kill_workers()
        self.site.kill()
        self.ground.restore()

    def restart_site(self) -> None:
        """The same to the web service."""
        self.site.kill()
        self.site.start(self.environment())


@asynccontextmanager
async def _plant(state: Path, log: Log, temper: Temper, tree: Path, plan: Plan) -> AsyncIterator[StormyPlant]:
    with (
        ground(plan.database, state) as under,
        StormySendGrid(log, temper) as sendgrid,
        StormyTwilio(log, temper) as twilio,
    ):
        twilio.approve(state / WHATSAPP_TEXTS)
        port = free_port()
        server = await asyncio.to_thread(DevServer.start, state, port=port, ui=False)
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        await register_search_attributes(client)
        site = Site(state, tree)
        plant = StormyPlant(
            state,
            under.database,
            sendgrid,
            port,
            server,
            client,
            twilio=twilio,
            site=site,
            ground=under,
            clerks=Clerks(site, state, plan.seed),
            tree=tree,
        )
        try:
            yield plant
        finally:
            plant.kill_workers()
            await plant.clerks.close()
            await site.close()
            plant.server.stop()


async def run(plan: Plan, state: Path, tree: Path = ROOT) -> None:
    """Leave in `state` all that the checker reads: the database, the providers' log, histories and statuses.

    The workers and the web service run the code of `tree`.
    """
    chance, doors = random.Random(plan.seed), random.Random(plan.seed + 3)
    log, temper = Log(state / LOG), Temper(plan.seed, long=plan.long_answers)
    async with _plant(state, log, temper, tree, plan) as plant:
        plant.set_clock(plan.days_a_second * 86_400)
        for _ in range(plan.workers):
            plant.start_worker()
        plant.restart_site()
        await _until_they_work(plan, state)
        await plant.site.until_open()
        await asyncio.to_thread(plant.clerks.hire, plant.database)
        await asyncio.to_thread(keep_layout, plant.database)
        plant.set_clock(plan.days_a_second * 86_400)
        invoices = town.invoices(chance, plan.cases)
        handles: dict[str, Handle] = {}
        told = _Told()
        watchers = _watchers(plan, plant, invoices, handles, told)
        log.listeners.append(watchers.called)
        watching = asyncio.create_task(watchers.run(plant.database, plant.turn))
        lists = plant.sendgrid.suppressed
        postman = Postman(random.Random(plan.seed + 2), plan.fates, log, plant.site, lists)
        round_ = asyncio.create_task(postman.run())
        lives = []
        for first in range(0, len(invoices), _BATCH):
            batch = invoices[first : first + _BATCH]
            started = await plant.start(batch, plan.days_a_second * 86_400)
            for invoice, handle in zip(batch, started, strict=True):
                handles[invoice.invoice_id] = handle
                deeds = sorted(town.deeds(chance, invoice, plan.span), key=lambda deed: deed.after)
                ways = [
                    _by_record(plant, invoice, plan)
                    if deed.signal == town.NEW_RECORD
                    else doors.choice(_doors(plant, handle))
                    for deed in deeds
                ]
                lives.append(asyncio.create_task(_live(plan, list(zip(deeds, ways, strict=True)), told)))
        operator = Operator(random.Random(plan.seed + 4), plant.client, plant.database, plant.command)
        money = _Money(plan, plant, handles)
        importing = asyncio.create_task(money.office.run())
        debtors = Debtors(plan.seed, plant.site, state)
        log.readers.append(debtors.read)
        reading = asyncio.create_task(debtors.run())
        restricted = _restricted(plan, plant, invoices, handles, told)
        meeting = asyncio.create_task(restricted.run())
        answerers = Answerers(plan.seed, plant.site, state, plant.clerks.all)
        answering = asyncio.create_task(answerers.run())
        lives += [asyncio.create_task(one) for one in money.lives(invoices)]
        others = [_kill(plan, plant), _operate(plan, plant, operator, handles)]
        others += [_restore(plan, plant, operator, told, money)]
        others += [AccountClerks(plant.clerks, state, plan.seed, invoices, plan.seconds, plan.span).run()]
        await asyncio.gather(*lives, *others, asyncio.sleep(plan.seconds))
        temper.stormy = False
        watching.cancel()
        await watchers.finish()
        for one in (debtors, restricted, money.office):
            one.close()
        await asyncio.gather(importing, reading, meeting)
        answerers.close()
        await answering
        await _until_booked(plan, plant, operator)
        if plan.operator_acts:
            await _bring_back(operator)
        await standing.look(state, plant.database, handles)
        await operator.resume(handles)
        await _end_all(chance, invoices, handles)
        ended = await _wait_for_ends(plan, handles)
        await standing.look(state, plant.database, handles)
        await _keep(state, plant, handles, ended)
        plant.kill_workers()  # from here on nobody sends
        postman.finish()
        await round_
        await _until_acted_on(plant.database, plant.site)
        (state / UNMATCHED).write_text((await plant.site.ask("GET", "/api/incoming-payments")).text)
        plant.site.kill()  # and from here on nobody writes, and the checker sees one state of things
        await asyncio.to_thread(plant.ground.keep)


async def _until_they_work(plan: Plan, state: Path) -> None:
    """A storm over before the first worker is up would prove nothing."""
    for _ in range(900):
        if (state / "worker.log").read_text().count("ready: works") >= plan.workers:
            return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the workers did not start in three minutes: read {state / 'worker.log'}")


class _Told:
    """The payments that cases were told of, and when."""

    def __init__(self) -> None:
        self._payments: list[tuple[float, town.Deed, Door]] = []

    async def tell(self, deed: town.Deed, door: Door) -> None:
        await door(deed)
        if deed.signal == "payment_received":
            self._payments.append((time.monotonic(), deed, door))

    async def again(self, since: float) -> None:
        """As whoever restored the database does who has a list of what was paid since the copy was made."""
        await asyncio.gather(*(door(deed) for at, deed, door in self._payments.copy() if at >= since))


class _Money:
    """Those who pay by Stripe, by webhook and by bank, and those who import what the bank tells."""

    def __init__(self, plan: Plan, plant: StormyPlant, handles: dict[str, Handle]) -> None:
        self._plan, bank = plan, Bank(random.Random(plan.seed + 8))

        async def tell(invoice_id: str, content: Mapping[str, Any]) -> None:
            await _tell(handles[invoice_id], "payment_received", dict(content))

        clerk, folder = plant.clerks.manager, plant.state / "statements"
        self._payers = Payers(plant.site, bank, Ledger(plant.state), tell)
        self.office = Office(plan.seed, bank, plant.site, clerk, plant.command, folder)

    def lives(self, invoices: Sequence[Invoice]) -> list[Coroutine[Any, Any, None]]:
        return [self._payers.live(one, self._plan.seconds) for one in payers(self._plan.seed, invoices)]

    async def again(self, since: float) -> None:
        """As whoever restored the database lets Stripe deliver anew, and imports the statements since the copy."""
        await self._payers.again(since)
        await self.office.again(since)


async def _until_booked(plan: Plan, plant: StormyPlant, operator: Operator) -> None:
    """Wait for what was reported to reach its case: what a killed process held is free again after five minutes."""
    for number in range(round(plan.drain)):
        with plant.database.reading() as session:
            left = session.scalar(text(_ON_ITS_WAY))
        if not left:
            return
        if number % 20 == 10:
            await operator.reconcile(_RECONCILES)
        await asyncio.sleep(1)


async def _live(plan: Plan, deeds: Sequence[tuple[town.Deed, Door]], told: _Told) -> None:
    """Every deed at its moment, whether or not anybody is there to listen."""
    begun = asyncio.get_running_loop().time()
    for deed, door in deeds:
        await asyncio.sleep(max(begun + deed.after * plan.seconds - asyncio.get_running_loop().time(), 0))
        await told.tell(deed, door)


def _watchers(
    plan: Plan, plant: StormyPlant, invoices: Sequence[Invoice], handles: dict[str, Handle], told: _Told
) -> Watchers:
    chance = random.Random(plan.seed + 5)

    async def pay(deed: town.Deed) -> None:
        if deed.invoice_id in handles:  # or it has not begun yet
            await told.tell(deed, chance.choice(_doors(plant, handles[deed.invoice_id])))

    def due(invoice_id: str, at: datetime) -> datetime | None:
        begun = plant.begun.get(invoice_id)
        return begun and begun + (at - AS_OF) / (plan.days_a_second * 86_400)

    return Watchers(town.watches(chance, invoices, plan.watched), chance, pay, due)


def _restricted(
    plan: Plan, plant: StormyPlant, invoices: Sequence[Invoice], handles: dict[str, Handle], told: _Told
) -> Restricted:
    chance, known = random.Random(plan.seed + 9), {one.invoice_id: one for one in invoices}

    async def pay(invoice_id: str) -> None:
        content = {"payment_id": f"{invoice_id}.restricted", "amount": str(town.AMOUNT)}
        content |= {"currency": known[invoice_id].currency}
        deed = town.Deed(invoice_id, 0.0, "payment_received", content)
        await told.tell(deed, chance.choice(_doors(plant, handles[invoice_id])))

    async def limited() -> list[str]:
        async with plant.turn:
            with suppress(SQLAlchemyError):  # it may be away
                return await asyncio.to_thread(_limited, plant.database)
        return []

    return Restricted(plan.seed, plant.site, plant.state, limited, pay)


def _limited(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(text(_LIMITED)))


def _doors(plant: StormyPlant, handle: Handle) -> tuple[Door, ...]:
    """All ways in: what a Temporal client sends, what `starter.py` sends, the HTTP API, and the console's forms."""
    return _by_signal(handle), _by_update(handle), _by_http(plant.site), plant.clerks.tell


def _by_signal(handle: Handle) -> Door:
    return lambda deed: _tell(handle, deed.signal, deed.content)


def _by_update(handle: Handle) -> Door:
    async def tell(deed: town.Deed) -> bool:
        """As one request, however often it takes. False when it was refused, or the case has ended."""
        id_ = uuid4().hex
        while True:
            try:
                await handle.execute_update(deed.signal, deed.content, id=id_, rpc_timeout=_PATIENCE)
                return True
            except WorkflowUpdateFailedError:
                return False
            except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
                if _is_cancelled():  # the storm is over
                    raise
                if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                    return False
                await asyncio.sleep(0.3)

    return tell


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _by_http(site: Site) -> Door:
    return lambda deed: site.tell_case(deed.invoice_id, deed.signal, deed.content, f"{deed.signal}-{uuid4().hex}")


def _by_record(plant: StormyPlant, invoice: Invoice, plan: Plan) -> Door:
    """The invoice is exported again, without somebody who left, as `starter.py start` takes it."""

    async def export(deed: town.Deed) -> None:
        registrar = Registrar(sample_deps(plant.database), the_ladders())
        now = town.BEGINS + deed.after * plan.span
        clock = Clock(rehearsal=True, speed=plan.days_a_second * 86_400, real=datetime.now(UTC), case=now)
        newest = town.without_one(invoice)
        try:
            async with plant.turn:
                registered = await asyncio.to_thread(_through_absences, registrar, newest, now, clock)
        except Refused:  # the case was amended since, and an export that says otherwise changes nothing
            return
        for name in registered.tell:
            told: WorkflowHandle[Any, Any] = plant.client.get_workflow_handle(workflow_id(name))
            await _tell(told, "contacts_changed", {"by": "billing"})

    return export


def _through_absences(registrar: Registrar, invoice: Invoice, now: datetime, clock: Clock) -> Registered:
    """Registered as soon as the database is there."""
    while True:
        try:
            return registrar.register(invoice, now, clock)
        except OperationalError:
            time.sleep(0.3)


async def _tell(handle: Handle, name: str, content: dict[str, Any]) -> bool:
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
    victims = ["worker"] * plan.worker_kills + ["server"] * plan.server_kills + ["web"] * plan.web_kills
    victims += ["database"] * plan.database_kills
    chance.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(plan.seconds / (len(victims) + 1) * chance.uniform(0.5, 1.2))
        async with plant.turn:
            if victim == "worker":
                await asyncio.to_thread(plant.kill_one, chance)
            elif victim == "web":
                await asyncio.to_thread(plant.restart_site)
            elif victim == "database":
                await asyncio.to_thread(plant.ground.crash, chance.uniform(0, _AWAY))
                plant.revive()
            else:
                await plant.restart_server()


async def _operate(plan: Plan, plant: StormyPlant, operator: Operator, handles: dict[str, Handle]) -> None:
    """Slips of the mouse, and every now and then somebody who mends them."""
    for number in range(1, plan.operator_acts + 1):
        await asyncio.sleep(plan.seconds / (plan.operator_acts + 1))
        async with operator.at_work:
            await operator.act(handles)
            if number % 3 == 0:
                await operator.reconcile(_RECONCILES)
                async with plant.turn:
                    await operator.resume(handles)


async def _restore(plan: Plan, plant: StormyPlant, operator: Operator, told: _Told, money: "_Money") -> None:
    """The database is restored from a copy, by the steps of docs/operating.md."""
    if not plan.restores:
        return
    chance, storm = random.Random(plan.seed + 7), plan.seconds - RESTORE_WAITS
    await asyncio.sleep(storm * chance.uniform(0.3, 0.45))
    copied = time.monotonic()
    async with plant.turn:
        await asyncio.to_thread(plant.ground.back_up)
    await _say_who_left(plant, chance)
    await asyncio.sleep(storm * chance.uniform(0.1, 0.2))
    async with operator.at_work:  # nobody plays with cases while the database is restored
        async with plant.turn:
            await operator.hold("on")
        await asyncio.sleep(RESTORE_WAITS)
        async with plant.turn:
            await asyncio.to_thread(plant.restore)
            await operator.hold("on")  # the older database does not know of the first
            for _ in range(plan.workers):
                plant.start_worker()
            plant.site.start(plant.environment())
        await _bring_back(operator, tries=6)
        await told.again(copied)
        await money.again(copied)
        async with plant.turn:
            await operator.hold("off")


async def _say_who_left(plant: StormyPlant, chance: random.Random) -> None:
    """What the copy will not know: contacts who left, and readers who unsubscribe, which Dunwell alone is told."""
    people, mails = await asyncio.to_thread(_at_hand, plant.database)
    for contact in chance.sample(people, min(_LEAVE, len(people))):
        await plant.site.ask("POST", f"/api/contacts/{contact}/close", {"reason": "left", "by": "agent.1"})
    for message_id, address in chance.sample(mails, min(_LEAVE, len(mails))):
        event = {"event": "unsubscribe", "message_id": message_id, "email": address}
        await plant.site.sendgrid([event | {"sg_event_id": f"unsubscribe-{message_id}"}])


def _at_hand(database: Database) -> tuple[list[str], list[tuple[str, str]]]:
    """Contacts who are written to about an open case, and mails to such customers, each with its address."""
    with database.reading() as session:
        people = list(session.scalars(text(_WRITTEN_TO)))
        return people, [(row.message_id, row.address) for row in session.execute(text(_MAILS))]


async def _bring_back(operator: Operator, tries: int = 3) -> None:
    """Until a comparison has mended all that it found, as a person would try again."""
    for _ in range(tries):
        report = await operator.reconcile(_RECONCILES)
        if report is not None and report.applied and all(map(_is_settled, report.findings)):
            return


def _is_settled(finding: Finding) -> bool:
    """Not a case that could not be compared, because the machine was too busy for it to answer."""
    return finding.mended and finding.kind not in {Difference.SILENT, Difference.FAILING}


async def _end_all(chance: random.Random, invoices: Sequence[Invoice], handles: dict[str, Handle]) -> None:
    """Pay or cancel whatever still runs."""
    await asyncio.gather(*(_end(chance.random() < 0.6, one, handles[one.invoice_id]) for one in invoices))


async def _end(by_money: bool, invoice: Invoice, handle: Handle) -> None:
    if by_money:
        amount, payment_id = town.LAST, f"{invoice.invoice_id}.last"
        content = {"payment_id": payment_id, "amount": str(amount), "currency": invoice.currency}
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


async def _keep(state: Path, plant: StormyPlant, handles: dict[str, Handle], ended: dict[str, Handle]) -> None:
    """Every history, and what those cases tell that have ended.

    One that cannot be asked counts as under way, and so does one that runs again: to send a clerk's answer, say.
    """
    (state / "histories").mkdir()
    (state / "statuses").mkdir()
    for name, handle in ended.items():
        if not await _has_ended(handle):
            continue
        for _ in range(_ASKED):
            with suppress(RPCError, WorkflowQueryFailedError):
                status = await handle.query(InvoiceDunning.status, rpc_timeout=timedelta(seconds=60))
                (state / "statuses" / f"{name}.json").write_text(status.model_dump_json())
                break
    for name, handle in handles.items():
        events = [event for run in await _runs(plant.client, handle) for event in run["events"]]
        (state / "histories" / f"{name}.json").write_text(json.dumps({"events": events}))


async def _runs(client: Client, handle: Handle) -> list[dict[str, Any]]:
    """The histories of a case, oldest first: late money begins a new run of a case that has ended."""
    found = [run async for run in client.list_workflows(f'WorkflowId = "{handle.id}"')]
    found.sort(key=lambda run: run.start_time)
    histories = [await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history() for run in found]
    return [history.to_json_dict() for history in histories]


async def _until_acted_on(database: Database, site: Site) -> None:
    """What overtook its message waits until the next webhook; a provider always has one more."""
    for _ in range(30):
        await site.sendgrid([{"event": "open", "sg_event_id": "the-last"}])
        await asyncio.sleep(0.5)
        if not await asyncio.to_thread(_unheard, database):
            return


def _unheard(database: Database) -> int:
    """Reports of messages we know that have led to nothing yet."""
    with database.reading() as session:
        return session.scalar(text(_UNHEARD)) or 0
