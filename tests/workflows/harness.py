"""A harness for one case: the time-skipping server, a worker, a database. Months pass in a moment."""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from dunwell.client.registration import Registrar
from dunwell.domain.clock import Clock
from dunwell.domain.contact_labels import with_roles
from dunwell.domain.invoice import Invoice
from dunwell.domain.keys import StepKey
from dunwell.services.dependencies import Dependencies
from dunwell.store import cases, invoices, outbox, timeline
from dunwell.store.database import Database
from tests.builders import sample_deps, the_ladders
from tests.conftest import binary
from worker import make_worker
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart, Outcome, workflow_id
from workflows.options import SEARCH_ATTRIBUTES, TASK_QUEUE
from workflows.status import Status

AS_OF = datetime(2027, 2, 22, 8, tzinfo=UTC)
"""A Monday, a week before the invoices of the builders are due."""
LATER = datetime(2038, 2, 22, 8, tzinfo=UTC)
"""The same Monday in a year with the same days: where the server's own clock is set for tests of lateness."""
_PATIENCE = timedelta(minutes=5)


@asynccontextmanager
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """Its clock is shared by all workflows and races ahead, so one case lives on it at a time."""
    env = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=pydantic_data_converter
    )
    kinds = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{k.upper()}") for name, k in SEARCH_ATTRIBUTES.items()}
    await env.client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=kinds)
    )
    yield env
    await env.shutdown()


@dataclass
class CaseHarness:
    """A case being lived through, and what came of it."""

    env: WorkflowEnvironment
    deps: Dependencies
    handle: WorkflowHandle[InvoiceDunning, Outcome] | None = None
    clock: Clock = field(default_factory=Clock)

    async def outage(self, **delta: float) -> None:
        """Server and worker are lost; after that time the case is started again and goes on by the database.

        A person says so in the same request.
        """
        invoice_id = self.case.id.removeprefix("invoice-")
        await self.case.terminate("the server was lost")
        await self.pass_time(**delta)
        with self.deps.database.reading() as session:
            case = cases.get(session, invoice_id)
        go_on: dict[str, Any] = {"start_signal": "resume", "start_signal_args": [{"by": "agent-7"}]}
        options = go_on if case is not None and case.begun and case.ended is None else {}
        await self.begin(CaseStart(invoice_id=invoice_id, clock=self.clock), **options)

    async def turn_server_clock(self, to: datetime) -> None:
        """A rehearsal's clock waits for whoever is late, so tests of lateness need the server's own."""
        await self.sleep(to - await self.env.get_current_time())

    async def now(self) -> datetime:
        """The case's time. It begins at AS_OF, so that no test depends on the day it runs."""
        return self.clock.at(await self.env.get_current_time())

    async def start(
        self,
        invoice: Invoice,
        *,
        prepared: bool = True,
        real_time: bool = False,
        speed: float = 1,
        **options: Any,
    ) -> None:
        """Register and start. `prepared=False` starts with the invoice id alone, as other clients do.

        speed: of the rehearsal, beside the server's own leaps.
        """
        server_time = await self.env.get_current_time()
        if not real_time:
            self.clock = Clock(rehearsal=True, speed=speed, real=server_time, case=AS_OF)
        registered = Registrar(self.deps, the_ladders()).register(invoice, await self.now(), self.clock)
        start = registered.start if prepared else CaseStart(invoice_id=invoice.invoice_id, clock=self.clock)
        assert start is not None
        await self.begin(start.model_copy(update=options))

    async def begin(self, start: CaseStart, **options: Any) -> None:
        self.handle = await self.env.client.start_workflow(
            InvoiceDunning.run, start, id=workflow_id(start.invoice_id), task_queue=TASK_QUEUE, **options
        )

    @property
    def case(self) -> WorkflowHandle[InvoiceDunning, Outcome]:
        assert self.handle is not None
        return self.handle

    async def tell(self, name: str, **content: Any) -> None:
        await self.case.signal(name, content)

    async def status(self) -> Status:
        return await self.case.query(InvoiceDunning.status)

    async def pass_time(self, **delta: float) -> None:
        await self.sleep(timedelta(**delta))

    async def sleep(self, span: timedelta) -> None:
        """Let the server's clock skip ahead. On busy cores what happens meanwhile outlasts a usual call."""
        request = SleepRequest()
        request.duration.FromTimedelta(span)
        await self.env.client.test_service.unlock_time_skipping_with_sleep(request, timeout=_PATIENCE)

    def messages(self, invoice_id: str = "inv-1", *, copies: bool = False) -> list[Mapping[str, Any]]:
        """What was written to those whom the steps name; with `copies`, to everybody."""
        with self.deps.database.reading() as session:
            return [
                {
                    "id": row.message_id,
                    "step": row.step,
                    "message": row.message,
                    "channel": row.channel,
                    "contact": row.contact_id,
                    "state": row.state,
                    "at": row.claimed_at,
                    "body": row.body,
                }
                for row in outbox.of_invoice(session, invoice_id)
                if copies or not StepKey.parse(row.step).copied
            ]

    def timeline(self, invoice_id: str = "inv-1") -> list[tuple[str, str]]:
        """What the database has, with people by their role, as the engine tells it."""
        with self.deps.database.reading() as session:
            row = invoices.get_row(session, invoice_id)
            customer_id = row.customer_id if row else ""
            return [
                (entry.kind, with_roles(entry.reason, customer_id)) for _, entry in timeline.read(session, invoice_id)
            ]

    def broken_laws(self) -> list[str]:
        """What no life may ever show: a message outside of the window, or the same one twice."""
        broken = []
        zone = ZoneInfo("Europe/Berlin")
        seen = set()
        for message in self.messages(copies=True):
            local = message["at"].astimezone(zone)
            if local.weekday() > 4 or not 9 <= local.hour < 17:
                broken.append(f"{message['step']} at {local}")
            key = (message["step"], message["contact"], message["channel"])
            if key in seen:
                broken.append(f"{key} twice")
            seen.add(key)
        return broken


@asynccontextmanager
async def harness_on(env: WorkflowEnvironment, database: Database, **changes: Any) -> AsyncIterator[CaseHarness]:
    deps = replace(sample_deps(database), **changes)
    with ThreadPoolExecutor(20) as executor:
        async with make_worker(env.client, deps, executor, runner=SandboxedWorkflowRunner()):
            yield CaseHarness(env, deps)
