"""How a run begins: only with its own invoice and clock, and if need be before the invoice is there."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.client.starting import Start
from dunwell.domain.clock import Clock
from dunwell.domain.terms import Stage
from dunwell.store import tasks
from dunwell.store.tables import CaseRow, MessageRow, PaymentRow, ReversalRow
from tests.builders import an_invoice, the_ladders
from tests.workflows.harness import AS_OF, CaseHarness
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart
from workflows.options import TASK_QUEUE

PAYMENT = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}


async def refused(harness: CaseHarness, start: CaseStart, name: str) -> str:
    handle = await harness.env.client.start_workflow(InvoiceDunning.run, start, id=name, task_queue=TASK_QUEUE)
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    return str(failure.value.cause)


def written(harness: CaseHarness) -> tuple[int, int]:
    with harness.deps.database.reading() as session:
        rows = session.scalars(select(CaseRow)).all()
        assert not any(row.rehearsal for row in rows)
        return sum(row.revision for row in rows), session.scalar(select(func.count()).select_from(MessageRow)) or 0


async def test_a5_a_run_under_another_id_or_clock_touches_nothing(harness: CaseHarness) -> None:
    now = await harness.env.get_current_time()
    Registrar(harness.deps, the_ladders()).register(an_invoice(), now)
    before = written(harness)
    fast = Clock(rehearsal=True, speed=86_400, real=now, case=AS_OF + timedelta(days=4_000))
    plain = CaseStart(invoice_id="inv-1")
    assert "has the id invoice-inv-1" in await refused(harness, plain, "my-test")
    assert "has the id invoice-inv-1" in await refused(harness, plain.model_copy(update={"clock": fast}), "my-test")
    said = await refused(harness, plain.model_copy(update={"clock": fast}), "invoice-inv-1")
    assert said == "Refused: clock: inv-1 is a real invoice, and this run is a rehearsal"
    assert written(harness) == before


@pytest.mark.parametrize("speed", [0, -1.0, 1e12])
async def test_a5_the_speed_of_a_rehearsal_is_bounded(harness: CaseHarness, speed: float) -> None:
    now = await harness.env.get_current_time()
    clock = Clock(rehearsal=True, speed=speed, real=now, case=AS_OF)
    assert "clock.speed" in await refused(harness, CaseStart(invoice_id="inv-1", clock=clock), "invoice-inv-1")


async def test_a5_a_prepared_opening_of_a_real_invoice_is_no_rehearsal(harness: CaseHarness) -> None:
    now = await harness.env.get_current_time()
    registered = Registrar(harness.deps, the_ladders()).register(an_invoice(), now)
    assert registered.start is not None
    clock = Clock(rehearsal=True, speed=86_400, real=now, case=AS_OF)
    start = registered.start.model_copy(update={"clock": clock})
    assert "clock" in await refused(harness, start, "invoice-inv-1")


@pytest.mark.parametrize("start", ["text", 7, {"invoice_id": 5}, {"invoice_id": "inv-1", "clock": {"speed": "fast"}}])
async def test_a5_a_start_that_cannot_be_read_ends_at_once(harness: CaseHarness, start: object) -> None:
    handle = await harness.env.client.start_workflow(
        "InvoiceDunning", start, id="invoice-inv-1", task_queue=TASK_QUEUE, result_type=str
    )
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert str(failure.value.cause).startswith("Refused: ")


async def test_a10_a_run_waits_for_its_invoice_and_keeps_what_it_is_told(harness: CaseHarness) -> None:
    await harness.begin(CaseStart(invoice_id="inv-1"))
    await harness.tell("payment_received", **PAYMENT)
    await harness.tell("payment_reversed", payment_id="p1", reason="R01")
    await harness.pass_time(hours=1)
    status = await harness.status()
    assert (status.stage, status.amount_due, status.currency, status.due_on, status.policy) == (
        Stage.SCHEDULED,
        None,
        None,
        None,
        None,
    )
    assert [line.kind for line in status.timeline] == ["waiting"]
    assert "not registered yet" in status.timeline[0].reason
    with pytest.raises(WorkflowUpdateFailedError) as said:
        await harness.case.execute_update("pause", {"reason": "audit", "by": "agent-7"})
    assert "not registered yet" in str(said.value.cause)

    await harness.pass_time(days=2)
    with harness.deps.database.reading() as session:
        assert [task.task_id for task in tasks.open_tasks(session)] == ["inv-1.opening"]

    registered = Registrar(harness.deps, the_ladders()).register(an_invoice(), await harness.env.get_current_time())
    talk = Cases(harness.env.client, harness.deps.database)
    assert await talk.start(registered) is Start.RUNNING
    await harness.tell("payment_received", **PAYMENT | {"payment_id": "p2"})
    assert (await harness.case.result()).stage is Stage.PAID
    with harness.deps.database.reading() as session:
        rows = session.scalars(select(PaymentRow).order_by(PaymentRow.payment_id)).all()
        assert [row.payment_id for row in rows] == ["p1", "p2"]
        assert [row.payment_id for row in session.scalars(select(ReversalRow))] == ["p1"]
        assert tasks.open_tasks(session) == []


async def test_a10_a_run_for_nothing_may_be_cancelled(harness: CaseHarness) -> None:
    await harness.begin(CaseStart(invoice_id="inv-9"))
    await harness.pass_time(hours=1)
    await harness.case.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await harness.case.result()
    assert isinstance(failure.value.cause, CancelledError)
