"""What is refused at the door leaves no trace, and a case that was asked for it replays as if it had not been."""

import asyncio
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from dunwell.domain.channels import Channel
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness, harness_on
from tests.workflows.lives import pay
from workflows.invoice_dunning import InvoiceDunning


class SlowOutbox(OutboxGateway):
    """Its first message leaves when it is let go."""

    def __init__(self) -> None:
        super().__init__(Channel.EMAIL)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def send(self, envelope: Envelope) -> Receipt:
        self.asked.set()
        self.let_go.wait(20)
        return super().send(envelope)


async def test_a17_a_payment_from_the_future_is_refused_by_signal_and_update(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    moment = (await harness.now() + timedelta(days=4)).isoformat()
    slip = {"payment_id": "p1", "amount": "10.00", "currency": "EUR", "received_at": moment}
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await harness.case.execute_update("payment_received", slip)
    assert "received_at" in str(error.value.cause)
    await harness.tell("payment_received", **slip)
    status = await harness.status()
    assert (status.amount_due, status.timeline[-1].kind) == (Decimal("1200.00"), "refused")
    assert "payment_received: received_at: lies more than 3 days ahead" in status.timeline[-1].reason
    await harness.tell("payment_received", **slip, from_provider=True)
    assert (await harness.status()).amount_due == Decimal("1190.00")


async def test_a11_credit_that_the_ledger_does_not_have_is_refused_by_signal_and_update(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    credit = {"credit_id": "c1", "from_invoice": "inv-0", "amount": "10.00", "currency": "EUR", "by": "agent-7"}
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await harness.case.execute_update("credit_applied", credit)
    assert "from_invoice" in str(error.value.cause)
    await harness.tell("credit_applied", **credit)
    await harness.pass_time(seconds=1)
    status = await harness.status()
    assert status.amount_due == Decimal("1200.00")
    assert [line.reason for line in status.timeline if line.kind == "refused"][-1].startswith(
        "credit_applied: from_invoice: 'inv-0' is not registered"
    )


async def test_a_refusal_during_a_step_does_not_turn_the_clock(
    time_skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The step takes three weeks of this rehearsal, and whoever asks in the midst of it is refused."""
    database = Database(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    slow = SlowOutbox()
    gateways = {Channel.EMAIL: slow, Channel.LETTER: OutboxGateway(Channel.LETTER)}
    async with harness_on(time_skipping, database, rehearsal_gateways=gateways) as harness:
        await harness.start(an_invoice(), speed=10 * 86_400)
        await harness.pass_time(seconds=1)
        assert await asyncio.to_thread(slow.asked.wait, 20)
        await asyncio.sleep(2.1)
        with pytest.raises(WorkflowUpdateFailedError):
            await harness.case.execute_update("resume", {"by": "agent-7"})
        slow.let_go.set()
        await harness.pass_time(seconds=0.1)
        await pay(harness)
        await harness.case.result()
        history = await harness.case.fetch_history()
    await Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter).replay_workflow(history)
    database.close()
