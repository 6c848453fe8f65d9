"""What a new user would try on the real server: kill things, pay in the middle, start twice, use the raw CLI."""

import asyncio
import json
import random
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistoryEventFilterType
from temporalio.exceptions import WorkflowAlreadyStartedError

from dunwell.client.answers import TellOutcome
from dunwell.client.cases import Cases
from dunwell.client.server import Patience
from dunwell.domain.invoice import Invoice
from dunwell.domain.terms import Stage
from dunwell.store import outbox
from tests.builders import a_contact, a_customer, an_invoice
from tests.conftest import binary
from tests.gateways.fakes import Answer
from tests.live.plant import PATIENCE, Handle, Plant
from tests.replay import tasks
from tests.replay.test_replay import replay
from workflows.messages import workflow_id

DAY_A_SECOND = 86_400.0
SEED = 20270301


def invoices(count: int) -> list[Invoice]:
    """Invoices of as many customers, each with one payer who has an e-mail address."""
    made = []
    for number in range(count):
        contact = a_contact(contact_id=f"c{number}.accounts_payable.1", email=f"payer{number}@acme.example")
        customer = a_customer(customer_id=f"c{number}", contacts=(contact,))
        made.append(an_invoice(invoice_id=f"inv-{number}", customer=customer))
    return made


async def test_workers_and_server_are_killed_in_the_middle(plant: Plant) -> None:
    """Nothing lost, nothing sent twice: every case gets its first letter, is paid and ends."""
    chance = random.Random(SEED)
    handles = await plant.start(invoices(12), speed=2 * DAY_A_SECOND)
    for round_ in range(4):
        await asyncio.sleep(chance.uniform(0.6, 1.6))
        plant.kill_workers()
        if round_ == 2:
            await plant.restart_server()
        plant.start_worker()
    for handle in handles:
        await plant.until(handle, lambda status: status.stage is not Stage.SCHEDULED)
    for number, handle in enumerate(handles):
        await handle.signal("payment_received", {"payment_id": f"p{number}", "amount": "1200.00", "currency": "EUR"})
    outcomes = await asyncio.gather(*(handle.result() for handle in handles))
    assert {outcome.stage for outcome in outcomes} == {Stage.PAID}
    assert max(plant.mails().values()) == 1, "a message was sent twice"
    for number in range(12):
        with plant.database.reading() as session:
            first = [row for row in outbox.of_invoice(session, f"inv-{number}") if row.step == "first-reminder"]
        assert [row.state for row in first] in (["accepted"], ["unknown"])


async def test_money_silences_the_step_in_flight(plant: Plant) -> None:
    """The first of two letters is on its way when the money comes: the second is never sent."""
    people = tuple(a_contact(contact_id=f"acme.accounts_payable.{n}", email=f"payer{n}@acme.example") for n in (1, 2))
    plant.sendgrid.next(Answer(delay=3, accepts=True))
    [handle] = await plant.start([an_invoice(customer=a_customer(contacts=people))], speed=10 * DAY_A_SECOND)
    while not plant.sendgrid.requests:
        await asyncio.sleep(0.05)
    await handle.signal("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"})
    await plant.until(handle, lambda status: status.stage is Stage.PAID, seconds=10)
    assert (await handle.result()).stage is Stage.PAID
    with plant.database.reading() as session:
        asked = [row for row in outbox.of_invoice(session, "inv-1") if row.message == "reminder-first"]
    assert [row.contact_id for row in asked] == ["rehearsal.acme.accounts_payable.1"]


async def test_money_overtakes_those_who_came_before(plant: Plant) -> None:
    """Eighty cases wait for a worker, and the last of them is paid: a worker takes it up among the first."""
    plant.kill_workers()
    handles = await plant.start(invoices(80), speed=1)
    patient = Cases(plant.client, plant.database, Patience(answer=timedelta(seconds=PATIENCE)))
    payment = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    telling = asyncio.create_task(patient.tell("inv-79", "payment_received", payment))
    await until_put_first(handles[-1])
    plant.start_worker()
    told = await telling
    assert told.how is TellOutcome.DONE
    assert told.status is not None and told.status.stage is Stage.PAID
    for handle in handles[:-1]:
        await plant.until(handle, lambda status: status.next_action)
    taken = [await first_taken(handle) for handle in handles]
    # In the order of arrival 79 would come first; how many slip in before it depends on how busy the machine is.
    assert sum(moment < taken[-1] for moment in taken) < 60, "it stood in line"
    history = await handles[-1].fetch_history()
    await replay(history)
    assert not tasks.quiet(history)


async def until_put_first(handle: Handle) -> None:
    """Until the server has written down that the case has another priority."""
    while not await events(handle, "workflow_execution_options_updated_event_attributes"):
        await asyncio.sleep(0.05)


async def first_taken(handle: Handle) -> datetime:
    """When a worker took the first task of the case."""
    [first, *_] = await events(handle, "workflow_task_started_event_attributes")
    return first.event_time.ToDatetime(UTC)


async def events(handle: Handle, kind: str) -> list[HistoryEvent]:
    return [event async for event in handle.fetch_history_events() if event.HasField(kind)]  # type: ignore[arg-type]


async def test_an_instalment_paid_while_no_worker_ran_is_met(plant: Plant) -> None:
    """The payment and the end of the first one's grace reach the case at once: the second is not missed for it."""
    [handle] = await plant.start(invoices(1), speed=DAY_A_SECOND)
    plan = [{"date": day, "amount": "600.00"} for day in ("2027-03-01", "2027-06-01")]
    await handle.signal("payment_plan_agreed", {"instalments": plan, "by": "agent-7"})
    await plant.until(handle, lambda status: status.next_action and status.next_action.step == "@instalment")
    plant.kill_workers()
    await plant.until_fired(handle)
    await handle.signal("payment_received", {"payment_id": "p1", "amount": "600.00", "currency": "EUR"})
    plant.start_worker()
    await plant.until_ready()
    await plant.until(handle, lambda status: "1 of 2 instalments are met" in str(status.timeline))
    status = await plant.until(handle, lambda status: status.next_action and "1 of 2" not in status.next_action.why)
    assert (status.stage, "plan_broken" in str(status.timeline)) == (Stage.PLAN, False)


async def test_the_temporal_command_line_is_enough(plant: Plant) -> None:
    """An operator without any of our tools pays twice and promises nonsense."""
    [handle] = await plant.start(invoices(1), speed=1)

    def signal(name: str, content: object) -> None:
        subprocess.run(
            [
                *(binary("temporal"), "workflow", "signal", "--address", plant.server.address),
                *("--workflow-id", handle.id, "--name", name, "--input", json.dumps(content)),
            ],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )

    payment = {"payment_id": "p1", "amount": "200.00", "currency": "EUR"}
    await asyncio.to_thread(signal, "payment_received", payment)
    await asyncio.to_thread(signal, "payment_received", payment)
    await asyncio.to_thread(signal, "promise_to_pay", {"date": "2020-01-01", "promised_by": "user"})
    await asyncio.to_thread(signal, "payment_received", 7)
    status = await plant.until(handle, lambda status: len(status.timeline) >= 4)
    assert str(status.amount_due) == "1000.00"
    assert [line.kind for line in status.timeline] == ["opened", "payment", "refused", "refused"]
    found = [
        item.id
        async for item in plant.client.list_workflows("DunningStage = 'scheduled' and CustomerId = 'rehearsal.c0'")
    ]
    assert found == [handle.id]


async def test_a_double_start_changes_nothing(plant: Plant) -> None:
    [handle] = await plant.start(invoices(1), speed=1)
    with pytest.raises(WorkflowAlreadyStartedError):
        await plant.start(invoices(1), speed=1)
    events = [
        e async for e in handle.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.ALL_EVENT)
    ]
    assert sum(e.HasField("workflow_execution_started_event_attributes") for e in events) == 1
    assert handle.id == workflow_id("inv-0")


async def test_an_update_to_a_worker_that_never_saw_the_case_replays(plant: Plant) -> None:
    """A report and the end of a step are taken in while nothing is left to do; days later somebody else decides."""
    [handle] = await plant.start(invoices(1), speed=10 * DAY_A_SECOND)
    while not plant.sendgrid.requests:
        await asyncio.sleep(0.05)
    await plant.until(handle, lambda status: "reminder" in str([line.step for line in status.timeline]))
    with plant.database.reading() as session:
        [letter] = [row.message_id for row in outbox.of_invoice(session, "inv-0")]
    plant.sendgrid.next(Answer(delay=3, accepts=True))
    await handle.execute_update("dispute_opened", {"reason": "damaged", "opened_by": "user"})
    while len(plant.sendgrid.requests) < 2:
        await asyncio.sleep(0.05)
    await handle.signal(
        "delivery_report", {"message_id": letter, "status": "delivered", "at": "2027-03-01T10:00:00Z"}
    )
    await plant.until(handle, lambda status: "dispute-received" in str([line.step for line in status.timeline]))
    plant.kill_workers()
    plant.start_worker()
    await handle.execute_update("dispute_resolved", {"outcome": "rejected", "by": "agent-7"})
    history = await handle.fetch_history()
    assert tasks.quiet(history) == []
    await replay(history)


async def test_a_decision_is_judged_by_the_signal_before_it(plant: Plant) -> None:
    """Both wait for the same worker: what the signal began, the update may end."""
    [handle] = await plant.start(invoices(1), speed=1)
    await plant.until(handle, lambda status: status.stage is Stage.SCHEDULED)
    plant.kill_workers()
    await handle.signal("dispute_opened", {"reason": "damaged", "opened_by": "user"})
    decided = asyncio.create_task(handle.execute_update("dispute_resolved", {"outcome": "rejected", "by": "agent-7"}))
    await asyncio.sleep(1)
    plant.start_worker()
    assert (await decided)["stage"] == Stage.SCHEDULED


async def test_a_worker_stops_politely(plant: Plant) -> None:
    """SIGTERM in the middle of a step: the step is finished and recorded, the process ends with 0."""
    plant.sendgrid.next(Answer(delay=2, accepts=True))
    [_handle] = await plant.start(invoices(1), speed=10 * DAY_A_SECOND)
    while not plant.sendgrid.requests:
        await asyncio.sleep(0.05)
    assert await asyncio.to_thread(plant.stop_workers) == [0]
    with plant.database.reading() as session:
        assert [row.state for row in outbox.of_invoice(session, "inv-0")] == ["accepted"]


async def test_ten_invoices_of_one_customer_make_one_mail_a_step(plant: Plant) -> None:
    """Ten workflows wake for the same step; one letter about all of them leaves, and each case has it as its own."""
    payer = a_customer(contacts=(a_contact(),))
    many = [an_invoice(invoice_id=f"inv-{n}", number=f"N{n}", customer=payer) for n in range(10)]
    handles = await plant.start(many, speed=DAY_A_SECOND)
    for handle in handles:
        await plant.until(handle, lambda status: any(line.kind == "sent" for line in status.timeline))
    mails = plant.sendgrid.mails
    assert [mail["subject"] for mail in mails] == [mails[0]["subject"]]
    assert all(f"N{n}" in mails[0]["content"][0]["value"] for n in range(10))
    for handle in handles:
        await handle.signal("cancel", {"reason": "test-over", "by": "test"})
    assert {(await handle.result()).stage for handle in handles} == {Stage.CANCELLED}
