"""What a case learns about a message while the step that sends it is still being carried out."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState, Stage
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.store import outbox
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import a_contact, a_customer, an_invoice, sample_deps
from tests.workflows.harness import CaseHarness, harness_on
from tests.workflows.lives import pay
from tests.workflows.test_letters import Interrupted
from workflows.invoice_dunning import InvoiceDunning

_PATIENCE = timedelta(minutes=1)


class FailsInFlight(OutboxGateway):
    """The case learns that the first e-mail of `step` failed before the call that sends it returns."""

    def __init__(self, step: str, database: Database) -> None:
        super().__init__(Channel.EMAIL)
        self._step, self._database, self._loop = step, database, asyncio.get_running_loop()
        self.harness: CaseHarness | None = None
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
        assert self.harness is not None
        await report_failure(self.harness, self.failed, self._step)


async def report_failure(harness: CaseHarness, message_id: str, step: str) -> None:
    """Report that the message failed, and wait until the case knows that its step has to reach further."""
    await harness.tell(
        "delivery_report", message_id=message_id, status="bounced", at=(await harness.now()).isoformat()
    )
    while step not in (await harness.case.query(InvoiceDunning.memory)).case.outstanding.again:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("step", ["first-reminder", "thank-you~1"])
async def test_g13_a_message_that_fails_while_its_step_is_carried_out_does_not_stop_the_case(
    time_skipping: WorkflowEnvironment, database: Database, step: str
) -> None:
    """The next channel reaches the contact once, and the case goes on to its end."""
    email = FailsInFlight(step, database)
    gateways = {**sample_deps(database).rehearsal_gateways, Channel.EMAIL: email}
    async with harness_on(time_skipping, database, rehearsal_gateways=gateways) as harness:
        email.harness = harness
        await harness.start(an_invoice(customer=a_customer(contacts=(a_contact(phone="+4930123456"),))))
        await harness.pass_time(days=10)
        case = (await harness.case.query(InvoiceDunning.memory)).case
        assert [done.step for done in case.progress.steps] == ["first-reminder"]
        assert (await harness.status()).next_action is not None
        await pay(harness)
        await harness.pass_time(days=4)
        case = (await harness.case.query(InvoiceDunning.memory)).case
        assert (case.stage, case.finished) == (Stage.PAID, True), "it still owes an answer that nothing sends"
        sent = {one["channel"]: one["state"] for one in harness.messages() if one["step"] == step}
        assert sent == {"email": "bounced", "sms": "delivered"}
        assert {one["step"] for one in harness.messages()} == {"first-reminder", "thank-you~1"}
        assert harness.broken_laws() == []


async def test_g13_a_message_that_fails_between_the_end_of_its_step_and_the_answer_is_not_forgotten(
    time_skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The next channel reaches the contact, though the case learned of the failure before it learned of the step."""
    database = Interrupted(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    async with harness_on(time_skipping, database) as harness:
        loop, failed = asyncio.get_running_loop(), list[str]()

        def fail_the_first_message() -> None:
            sent = harness.messages()
            if sent and not failed:
                failed.append(sent[0]["id"])
                reported = report_failure(harness, failed[0], "first-reminder")
                asyncio.run_coroutine_threadsafe(reported, loop).result(_PATIENCE.total_seconds())

        database.between = fail_the_first_message
        await harness.start(an_invoice(customer=a_customer(contacts=(a_contact(phone="+4930123456"),))))
        await harness.pass_time(days=10)
        assert {one["channel"]: one["state"] for one in harness.messages()} == {
            "email": "bounced",
            "sms": "delivered",
        }
        case = (await harness.case.query(InvoiceDunning.memory)).case
        assert ([done.step for done in case.progress.steps], case.outstanding.again) == (["first-reminder"], [])
        await harness.tell("cancel", reason="duplicate-invoice", by="billing")
        await harness.case.result()
    database.close()
