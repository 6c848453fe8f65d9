"""What a case learns about a message while the step that sends it is still being carried out."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState, Stage
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.store import outbox
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, sample_deps
from tests.workflows.house import House, house_on
from tests.workflows.lives import pay
from workflows.invoice_dunning import InvoiceDunning

_PATIENCE = timedelta(minutes=2)


class FailsInFlight(OutboxGateway):
    """The case learns that the first e-mail of `step` failed before the call that sends it returns."""

    def __init__(self, step: str, database: Database) -> None:
        super().__init__(Channel.EMAIL)
        self._step, self._database, self._loop = step, database, asyncio.get_running_loop()
        self.house: House | None = None
        self.failed = ""

    def send(self, envelope: Envelope) -> Receipt:
        with self._database.reading() as session:
            row = outbox.get(session, envelope.message_id)
            step = row.step if row is not None else ""
        if step != self._step or self.failed:
            return super().send(envelope)
        self.failed = envelope.message_id
        asyncio.run_coroutine_threadsafe(self._report(), self._loop).result(_PATIENCE.total_seconds())
        return Receipt(self.name, "provider-1", MessageState.ACCEPTED)

    async def _report(self) -> None:
        assert self.house is not None
        at = (await self.house.now()).isoformat()
        await self.house.tell("delivery_report", message_id=self.failed, status="failed", at=at)
        while not await self._is_known():
            await asyncio.sleep(0.05)

    async def _is_known(self) -> bool:
        assert self.house is not None
        return self._step in (await self.house.case.query(InvoiceDunning.memory)).case.outstanding.again


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("step", ["first-reminder", "thank-you~1"])
async def test_g13_a_message_that_fails_while_its_step_is_carried_out_does_not_stop_the_case(
    time_skipping: WorkflowEnvironment, database: Database, step: str
) -> None:
    """The next channel reaches the contact once, and the case goes on to its end."""
    email = FailsInFlight(step, database)
    gateways = {**sample_deps(database).rehearsal_gateways, Channel.EMAIL: email}
    async with house_on(time_skipping, database, rehearsal_gateways=gateways) as house:
        email.house = house
        await house.start(an_invoice(customer=a_customer(contacts=(a_contact(phone="+4930123456"),))))
        await house.pass_time(days=10)
        case = (await house.case.query(InvoiceDunning.memory)).case
        assert [done.step for done in case.progress.steps] == ["first-reminder"]
        assert (await house.status()).next_action is not None
        await pay(house)
        await house.pass_time(days=4)
        case = (await house.case.query(InvoiceDunning.memory)).case
        assert (case.stage, case.finished) == (Stage.PAID, True), "it still owes an answer that nothing sends"
        sent = {one["channel"]: one["state"] for one in house.messages() if one["step"] == step}
        assert sent == {"email": "failed", "sms": "delivered"}
        assert {one["step"] for one in house.messages()} == {"first-reminder", "thank-you~1"}
        assert house.broken_laws() == []
