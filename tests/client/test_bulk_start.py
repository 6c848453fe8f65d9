"""Starting the cases of a file, when the server goes away in the middle of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from dunwell.client import server
from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.cases import Cases
from dunwell.client.registration import Registered, Registrar
from dunwell.client.server import Patience
from dunwell.client.starting import Start
from dunwell.domain.clock import Clock
from dunwell.domain.invoice import Invoice
from dunwell.domain.refusal import Refused
from dunwell.store import cases
from dunwell.store.database import Database
from tests.builders import an_invoice, another_customer, sample_deps, the_ladders
from workflows.messages import CaseStart, workflow_id
from workflows.options import CUSTOMER_ID

NOW = datetime(2027, 2, 20, 12, tzinfo=UTC)


@dataclass
class FakeServer(Interceptor):
    """Stands for the Temporal server: starts each workflow once, and goes away after so many."""

    patience: int = 10_000
    started: dict[str, CaseStart] = field(default_factory=dict)

    def intercept_client(self, _next: OutboundInterceptor) -> OutboundInterceptor:
        return _Calls(self)


class _Calls(OutboundInterceptor):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def start_workflow(self, input: StartWorkflowInput) -> Any:
        server = self._server
        if input.id in server.started:
            raise WorkflowAlreadyStartedError(input.id, input.workflow)
        if len(server.started) >= server.patience:
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        server.started[input.id] = input.args[0]


async def describe(*_: object) -> DescribeWorkflowExecutionResponse:
    """How the fake server describes a workflow: it runs, and its case is open."""
    found = DescribeWorkflowExecutionResponse()
    found.workflow_execution_info.status = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
    found.workflow_execution_info.search_attributes.indexed_fields[CUSTOMER_ID.name].data = b'"acme"'
    return found


class BulkHarness:
    """A registrar and a client of the fake server, on one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.server = FakeServer()
        self.registrar = Registrar(sample_deps(database), the_ladders())

    async def start(self, found: Sequence[Invoice], clock: Clock | None = None) -> tuple[list[Result], str | None]:
        results: list[Result] = []

        def register(some: Sequence[Invoice]) -> list[Registered | Refused]:
            return self.registrar.register_all(some, NOW, clock)

        client = await Client.connect("127.0.0.1:9", lazy=True, interceptors=[self.server])
        talk = Cases(client, self.database, Patience(server=timedelta()))
        return results, await start_all(talk, found, register, results.append)


@pytest.fixture
def harness(database: Database, monkeypatch: pytest.MonkeyPatch) -> BulkHarness:
    monkeypatch.setattr(server, "describe", describe)
    return BulkHarness(database)


def bills(count: int) -> list[Invoice]:
    return [
        an_invoice(invoice_id=f"b{n}", number=f"N{n}", customer=another_customer(f"c{n // 3}")) for n in range(count)
    ]


def ids(found: Sequence[Invoice]) -> set[str]:
    return {workflow_id(one.invoice_id) for one in found}


@pytest.mark.parametrize("count", [0, 1, 50, 51, 130])
async def test_every_invoice_is_started_once(harness: BulkHarness, count: int) -> None:
    found = bills(count)
    assert await harness.start(found) == ([Start.STARTED] * count, None)
    assert harness.server.started.keys() == ids(found)
    assert await harness.start(found) == ([Start.RUNNING] * count, None)


@pytest.mark.parametrize("patience", [0, 1, 49, 50, 75, 100, 129])
async def test_what_an_outage_left_starts_when_the_file_is_repeated(harness: BulkHarness, patience: int) -> None:
    found = bills(130)
    harness.server.patience = patience
    results, away = await harness.start(found)
    assert away is not None
    assert results.count(Start.STARTED) == patience
    left = [one for one in results if isinstance(one, RefusedInvoice)]
    assert left
    assert all("registered but not started" in one.reason for one in left)
    harness.server.patience = 10_000
    results, away = await harness.start(found)
    assert (results.count(Start.RUNNING), results.count(Start.STARTED), away) == (patience, 130 - patience, None)
    assert harness.server.started.keys() == ids(found)


async def test_whatever_is_registered_and_was_not_started_can_be_started(harness: BulkHarness) -> None:
    """The program died between the two: what it wrote is all that a new one finds."""
    found = bills(60)
    harness.registrar.register_all(found[:50], NOW)
    again = BulkHarness(harness.database)
    assert await again.start(found) == ([Start.STARTED] * 60, None)
    with harness.database.reading() as session:
        kept = cases.get_rows(session, [one.invoice_id for one in found])
    openings = {name: begin.opening for name, begin in again.server.started.items()}
    for name, row in kept.items():
        opening = openings[workflow_id(name)]
        assert opening is not None
        assert opening.case.model_dump(mode="json") == row.state
        assert [entry.kind for entry in opening.answer.entries] == ["opened"]


async def test_a_rehearsals_clock_stands_still_until_its_case_starts(harness: BulkHarness) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    before = datetime.now(UTC)
    await harness.start(bills(3), Clock(rehearsal=True, speed=86_400, real=long_ago, case=NOW))
    for begin in harness.server.started.values():
        assert begin.clock.real is not None
        assert before <= begin.clock.real <= datetime.now(UTC)
        assert begin.clock.case == NOW
