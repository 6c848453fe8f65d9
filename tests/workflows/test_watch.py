"""Silence is no delivery: a message that nobody confirmed leads on to the next channel."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.gateways.sendgrid.client import SendGridGateway
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, sample_deps
from tests.gateways.fakes import FakeSendGrid
from tests.workflows.harness import CaseHarness
from worker import make_worker
from workflows.delivery_watch import WATCH_ID, DeliveryWatch
from workflows.options import TASK_QUEUE


@pytest.fixture
async def mailing(time_skipping: WorkflowEnvironment, database: Database) -> AsyncIterator[CaseHarness]:
    """A harness whose e-mail goes to a provider that takes everything and never reports."""
    with FakeSendGrid() as sendgrid, ThreadPoolExecutor(20) as executor:
        email = SendGridGateway("SG.test", ("ana@dunwell.example", "Ana Lopez"), sendgrid.url)
        deps = sample_deps(database, email=email)
        async with make_worker(time_skipping.client, deps, executor):
            yield CaseHarness(time_skipping, deps)


async def test_an_unconfirmed_letter_goes_on_by_sms(mailing: CaseHarness) -> None:
    """Real time, not a rehearsal: the day this test runs shifts the letter by some days, never its order."""
    people = (a_contact(phone="+15005550006"),)
    today = (await mailing.env.get_current_time()).date()
    invoice = an_invoice(customer=a_customer(contacts=people), issued_on=today, due_on=today)
    await mailing.start(invoice, real_time=True)
    await mailing.env.client.start_workflow(DeliveryWatch.run, 6 * 3600, id=WATCH_ID, task_queue=TASK_QUEUE)
    await mailing.pass_time(days=13)
    sent = [(m["step"], m["channel"], m["state"]) for m in mailing.messages()][:2]
    assert sent == [("first-reminder", "email", "failed"), ("first-reminder", "sms", "delivered")]
    assert any("not confirmed in 2 days" in reason for _, reason in mailing.timeline())
    await mailing.env.client.get_workflow_handle(WATCH_ID).terminate()
