"""A whole plant: the real server on its file, workers as processes, and emulated providers to count what left."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from dunwell.bootstrap import register_search_attributes
from dunwell.client.registration import Registrar
from dunwell.domain.clock import Clock
from dunwell.domain.invoice import Invoice
from dunwell.local.temporal_server import DevServer, free_port
from dunwell.process import READY
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import sample_deps, the_ladders
from tests.gateways.fakes import FakeSendGrid
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import Outcome, workflow_id
from workflows.options import TASK_QUEUE
from workflows.search_attributes import first_attributes
from workflows.status import Status
from workflows.ui_text import summary

ROOT = Path(__file__).parent.parent.parent
AS_OF = datetime(2027, 2, 22, 8, tzinfo=UTC)
WORKER_LOG = "worker.log"
PATIENCE = 120.0
"""Seconds until a test gives up; two quiet cores need a few, this is for busy ones."""

Handle = WorkflowHandle[InvoiceDunning, Outcome]


@dataclass
class Plant:
    state: Path
    database: Database
    sendgrid: FakeSendGrid
    port: int
    server: DevServer
    client: Client
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    tree: Path = ROOT
    """Whose code new workers run."""
    log_began: int = 0
    """At which byte of the workers' log the last one began."""
    begun: dict[str, datetime] = field(default_factory=dict)
    """When, by our own clock, it was AS_OF in the case of each invoice."""

    def environment(self) -> dict[str, str]:
        """Of a worker that sends e-mail to the emulator."""
        return {
            "PATH": os.environ["PATH"],
            "TEMPORAL_ADDRESS": self.server.address,
            "DATABASE_URL": self.database.url,
            "SENDGRID_API_KEY": "SG.of-the-emulator",
            "SENDGRID_API_URL": self.sendgrid.url,
            "MAIL_FROM": "Ana Lopez <ana@dunwell.example>",
        }

    def start_worker(self) -> None:
        """One more worker process."""
        with (self.state / WORKER_LOG).open("ab") as log:
            self.log_began = log.tell()
            self.workers.append(
                subprocess.Popen(
                    self.command_of("worker"), env=self.environment(), cwd=self.state, stdout=log, stderr=log
                )
            )

    def command_of(self, script: str) -> list[str]:
        """What starts `worker` or `starter`."""
        return [sys.executable, str(self.tree / f"{script}.py")]

    async def until_ready(self) -> None:
        """Wait until the last worker works: the days of a case pass, whether anybody works or not."""
        log = self.state / WORKER_LOG
        async with asyncio.timeout(PATIENCE):
            while f"INFO {READY}".encode() not in log.read_bytes()[self.log_began :]:
                await asyncio.sleep(0.05)

    def kill_workers(self) -> None:
        """As the power would: no chance to finish anything."""
        for worker in self.workers:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        self.workers.clear()

    def stop_workers(self) -> list[int]:
        """Politely. Returns the exit codes."""
        for worker in self.workers:
            worker.terminate()
        codes = [worker.wait(timeout=40) for worker in self.workers]
        self.workers.clear()
        return codes

    async def restart_server(self) -> None:
        """Kill the server and start it again on its file, where everybody looks for it."""
        self.server.kill()
        self.server = await asyncio.to_thread(DevServer.start, self.state, port=self.port, ui=False)

    async def start(self, invoices: Sequence[Invoice], speed: float) -> list[Handle]:
        """Rehearsals of `invoices`, one day in 86400/speed seconds."""
        registrar = Registrar(sample_deps(self.database), the_ladders())
        handles = []
        for invoice in invoices:
            self.begun[invoice.invoice_id] = begun = datetime.now(UTC)
            clock = Clock(rehearsal=True, speed=speed, real=begun, case=AS_OF)
            registered = await asyncio.to_thread(registrar.register, invoice, AS_OF, clock)
            case = registered.opening.case
            assert registered.start is not None
            handles.append(
                await self.client.start_workflow(
                    InvoiceDunning.run,
                    registered.start,
                    id=workflow_id(invoice.invoice_id),
                    task_queue=TASK_QUEUE,
                    search_attributes=first_attributes(case),
                    static_summary=summary(case, invoice.number),
                )
            )
        return handles

    async def until(self, handle: Handle, wanted: Any, seconds: float = PATIENCE) -> Status:
        """Ask for the status until `wanted(status)`; fails with the last status otherwise."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                status = await handle.query(InvoiceDunning.status, rpc_timeout=timedelta(seconds=20))
            except (RPCError, WorkflowQueryFailedError):  # a new worker takes its time, and a new run is opened first
                assert asyncio.get_running_loop().time() < deadline, "no worker answers"
                continue
            if wanted(status):
                return status
            assert asyncio.get_running_loop().time() < deadline, status
            await asyncio.sleep(0.1)

    async def until_fired(self, handle: Handle, seconds: float = PATIENCE) -> None:
        """Wait for the case's last timer, which needs no worker."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            events = [event async for event in handle.fetch_history_events()]
            started = [event for event in events if event.HasField("timer_started_event_attributes")]
            fired = [event for event in events if event.HasField("timer_fired_event_attributes")]
            if fired and fired[-1].timer_fired_event_attributes.started_event_id == started[-1].event_id:
                return
            assert asyncio.get_running_loop().time() < deadline, "the timer did not fire"
            await asyncio.sleep(0.1)

    def mails(self) -> Counter[str]:
        """How often the provider accepted each message, by message id."""
        return Counter(mail["personalizations"][0]["custom_args"]["message_id"] for mail in self.sendgrid.mails)


@asynccontextmanager
async def plant_in(state: Path) -> AsyncIterator[Plant]:
    database = Database(f"sqlite:///{state}/dunwell.sqlite")
    migrate(database)
    port = free_port()
    server = await asyncio.to_thread(DevServer.start, state, port=port, ui=False)
    client = await Client.connect(server.address, data_converter=pydantic_data_converter)
    await register_search_attributes(client)
    with FakeSendGrid() as sendgrid:
        plant = Plant(state, database, sendgrid, port, server, client)
        plant.start_worker()
        try:
            await plant.until_ready()
            yield plant
        finally:
            plant.kill_workers()
            plant.server.stop()
            database.close()
