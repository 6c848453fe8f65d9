"""A workflow on the time-skipping server: months pass in a moment, one case at a time."""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.desk import Desk
from domain.invoice import Invoice
from intake.registrar import Registrar
from store import outbox
from store.database import Database
from tests.builders import a_desk, the_ladders
from tests.conftest import binary
from worker import make_worker
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart, Outcome, Status, workflow_id
from workflows.options import SEARCH_ATTRIBUTES, TASK_QUEUE


@pytest.fixture
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
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
class House:
    """A case being lived through, and what came of it."""

    env: WorkflowEnvironment
    desk: Desk
    handle: WorkflowHandle[InvoiceDunning, Outcome] | None = None

    async def start(self, invoice: Invoice, prepared: bool = True, **options: Any) -> None:
        now = await self.env.get_current_time()
        registered = Registrar(self.desk, the_ladders()).register(invoice, now)
        start = registered.start if prepared else CaseStart(invoice_id=invoice.invoice_id)
        assert start is not None
        self.handle = await self.env.client.start_workflow(
            InvoiceDunning.run,
            start.model_copy(update=options),
            id=workflow_id(invoice.invoice_id),
            task_queue=TASK_QUEUE,
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
        await self.env.sleep(timedelta(**delta))

    async def pass_until(self, moment: datetime) -> None:
        now = await self.env.get_current_time()
        if moment > now:
            await self.env.sleep(moment - now)

    def messages(self, invoice_id: str = "inv-1") -> list[Mapping[str, Any]]:
        with self.desk.database.reading() as session:
            return [
                {
                    "step": row.step,
                    "message": row.message,
                    "channel": row.channel,
                    "contact": row.contact_id,
                    "state": row.state,
                    "at": row.claimed_at,
                    "body": row.body,
                }
                for row in outbox.of_invoice(session, invoice_id)
            ]

    def count(self, table: str) -> int:
        with self.desk.database.reading() as session:
            return int(session.execute(text(f"select count(*) from {table}")).scalar_one())


@pytest.fixture
async def house(time_skipping: WorkflowEnvironment, database: Database) -> AsyncIterator[House]:
    desk = a_desk(database)
    with ThreadPoolExecutor(8) as executor:
        async with make_worker(time_skipping.client, desk, executor):
            yield House(time_skipping, desk)
