"""What operators do to cases and stores: terminate, cancel, reset, restore. Nothing is lost or sent twice."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.service import RPCError

from activities.reconciliation import ReconcileRequest
from dunwell.client.cases import Cases
from dunwell.client.customers import Customers, tell
from dunwell.client.server import Patience
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.principals import SYSTEM
from dunwell.domain.reconciliation_report import Finding, Kind, Report
from dunwell.domain.standstill import decision
from dunwell.local.temporal_server import SERVER_FILE, DevServer
from dunwell.services import standstill
from dunwell.services.alignment import LOST_TEXT
from dunwell.store import addresses, cases, outbox, payments, standstills, tasks, timeline
from dunwell.store.tables import ContactRow
from tests import backups
from tests.builders import sample_deps
from tests.gateways.fakes import Answer
from tests.live.plant import AS_OF, PATIENCE, Handle, Plant
from tests.live.test_plant import DAY_A_SECOND, invoices
from workflows.messages import RECONCILE_SIGNAL, WORKFLOW_TYPE, workflow_id
from workflows.options import TASK_QUEUE
from workflows.reconciler import ReconcileOnce

SIGNALS = ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL
UPDATES = ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE
SLOW = 1.0  # a rehearsal whose days do not pass while the test runs


async def reconcile(plant: Plant, *, apply: bool = False, hourly: bool = False) -> Report:
    request = ReconcileRequest(by="test", apply=apply, hourly=hourly)
    return await plant.client.execute_workflow(
        ReconcileOnce.run, request, id=f"reconcile-{uuid4().hex}", task_queue=TASK_QUEUE
    )


def about(report: Report, invoice_id: str = "inv-0") -> list[Finding]:
    return [one for one in report.findings if one.invoice_id == invoice_id]


def stored(plant: Plant, invoice_id: str = "inv-0") -> Case:
    with plant.database.reading() as session:
        case = cases.get(session, invoice_id)
    assert case is not None
    return case


def open_tasks(plant: Plant, invoice_id: str = "inv-0") -> list[str]:
    with plant.database.reading() as session:
        return [task.reason for task in tasks.open_tasks(session, invoice_id)]


async def pay(plant: Plant, amount: str, payment_id: str, invoice_id: str = "inv-0") -> None:
    facts = {"payment_id": payment_id, "amount": amount, "currency": "EUR"}
    patient = Cases(plant.client, plant.database, Patience(answer=timedelta(seconds=PATIENCE)))
    await patient.tell(invoice_id, "payment_received", facts)


async def listed(plant: Plant, count: int) -> None:
    """Until the list of the engine, which lags behind, shows so many running cases."""
    for _ in range(100):
        found = plant.client.list_workflows("WorkflowType = 'InvoiceDunning' AND ExecutionStatus = 'Running'")
        if len([one async for one in found]) == count:
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the list does not catch up")


async def forgotten(handle: Handle) -> None:
    """Until the engine has deleted the case."""
    with suppress(RPCError):
        for _ in range(100):
            await handle.describe()
            await asyncio.sleep(0.2)
        raise AssertionError("the case is still there")


# One case ------------------------------------------------------------------------------------------------


async def test_a9_a_case_that_was_taken_away_rests_until_a_person_decides(plant: Plant) -> None:
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    plant.kill_workers()
    await handle.signal("payment_received", {"payment_id": "p1", "amount": "100.00", "currency": "EUR"})
    await handle.terminate(reason="a slip of the mouse")
    plant.start_worker()
    await listed(plant, 0)
    report = await reconcile(plant, hourly=True)
    [found] = about(report)
    assert (found.kind, found.mended, report.restored) == (Kind.CLOSED, True, False)
    status = await plant.until(handle_of(plant), lambda status: str(status.amount_due) == "1100.00")
    assert (status.stage, status.next_action) == ("paused", None)
    assert [reason for reason in open_tasks(plant) if "end it, or go on?" in reason]
    await Cases(plant.client, plant.database).tell("inv-0", "resume", {"by": "agent-7"})
    assert open_tasks(plant) == []
    assert stored(plant).next_action is not None
    assert about(await reconcile(plant)) == []


def handle_of(plant: Plant, invoice_id: str = "inv-0") -> Handle:
    return plant.client.get_workflow_handle(workflow_id(invoice_id))


async def test_a10_a_case_that_waits_for_its_invoice_is_no_difference(plant: Plant) -> None:
    for number in range(3):
        name = f"unregistered-{number}"
        await plant.client.start_workflow(
            WORKFLOW_TYPE, {"invoice_id": name}, id=workflow_id(name), task_queue=TASK_QUEUE
        )
    await listed(plant, 3)
    report = await reconcile(plant, hourly=True)
    assert (report.findings, report.restored) == ([], False)


async def test_a9_a_case_the_engine_has_lost_rests_and_its_payments_are_checked(plant: Plant) -> None:
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    await pay(plant, "100.00", "p1")
    await plant.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=handle.id)
        )
    )
    await listed(plant, 0)
    await forgotten(handle)
    report = await reconcile(plant)
    assert [one.kind for one in about(report)] == [Kind.GONE], (report, stored(plant).revision)
    assert [one.mended for one in about(await reconcile(plant, hourly=True))] == [True]
    status = await plant.until(handle_of(plant), lambda status: status.stage == "paused")
    assert str(status.amount_due) == "1100.00"
    assert [reason for reason in open_tasks(plant) if "check payments since 2027-02-22" in reason]


async def test_a3_a_reset_case_catches_up_with_the_database(plant: Plant) -> None:
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    await pay(plant, "10.00", "before")
    events = [event async for event in handle.fetch_history_events()]
    first = next(one for one in events if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    await plant.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="test",
            workflow_task_finish_event_id=first.event_id,
            request_id=uuid4().hex,
            reset_reapply_exclude_types=[SIGNALS, UPDATES],
        )
    )
    current = handle_of(plant)
    await plant.until(current, lambda status: str(status.amount_due) == "1200.00")
    await pay(plant, "3.00", "after")
    status = await plant.until(current, lambda status: True)
    assert str(status.amount_due) == "1187.00"
    assert stored(plant).money.paid == 13
    assert about(await reconcile(plant)) == []


# A backup ------------------------------------------------------------------------------------------------


async def agreed(plant: Plant, count: int) -> None:
    """Ledger, stored cases and running cases say the same, and no message left twice."""
    assert [one for one in (await reconcile(plant)).findings if one.kind is not Kind.STILL] == []
    for number in range(count):
        with plant.database.reading() as session:
            case = cases.get(session, f"inv-{number}")
            assert case is not None
            assert payments.paid(session, case.invoice_id) == case.money.paid
            rows = {row.message_id for row in outbox.of_invoice(session, case.invoice_id)}
        assert {sent.message_id for sent in case.messages} <= rows
    assert set(plant.mails().values()) <= {1}, "a message was sent twice"


async def some_have_been_written_to(plant: Plant, handles: list[Handle], step: str) -> None:
    for handle in handles:
        await plant.until(handle, lambda status: [line for line in status.timeline if sent(line, step)])


def sent(line: Any, step: str) -> bool:
    return bool(line.step == step and line.kind == "sent")


async def live_on(plant: Plant) -> None:
    """What happens after the backup was made: money, also all of it, a dispute, a promise."""
    await pay(plant, "100.00", "part", "inv-0")
    await pay(plant, "1200.00", "whole", "inv-1")
    talk = Cases(plant.client, plant.database)
    await talk.tell("inv-2", "dispute_opened", {"reason": "wrong-quantity", "opened_by": "debtor"})
    await talk.tell("inv-3", "pause", {"reason": "hardship", "by": "agent-7"})
    await handle_of(plant, "inv-1").result()


LEFT, MOVED = "rehearsal.c3.accounts_payable.1", "rehearsal.c0.accounts_payable.1"


async def change_contacts(plant: Plant) -> None:
    """Somebody leaves the customer of inv-3, and an address of inv-0 is corrected."""
    people, talk = Customers(sample_deps(plant.database)), Cases(plant.client, plant.database)
    for changed in (
        people.close_contact(LEFT, "left", "agent-7"),
        people.set_contact(MOVED, {"email": "new@acme.example"}, "agent-7"),
    ):
        assert await tell(talk, changed, SYSTEM) == 0
    async with asyncio.timeout(PATIENCE):
        while not all(stored(plant, name).contact_changes for name in ("inv-0", "inv-3")):
            await asyncio.sleep(0.05)


def who_left(plant: Plant) -> str | None:
    with plant.database.reading() as session:
        return session.get_one(ContactRow, LEFT).closed_why


async def restore_database(plant: Plant, copy: Path) -> None:
    """With the workers stopped, as the documentation says."""
    plant.kill_workers()
    plant.database.close()
    backups.put_back(copy, plant.state / "dunwell.sqlite")
    plant.start_worker()
    await plant.until_ready()


async def test_e14_a_restored_database_stops_everything_until_a_person_reconciles(
    plant: Plant, tmp_path: Path
) -> None:
    """Four of six cases differ: that is no accident of one case."""
    handles = await plant.start(invoices(6), speed=SLOW)
    for handle in handles:
        await plant.until(handle, lambda status: status.next_action)
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    await live_on(plant)
    await change_contacts(plant)
    await restore_database(plant, tmp_path / "older.sqlite")
    assert who_left(plant) is None
    await listed(plant, 5)
    report = await reconcile(plant, hourly=True)
    assert (report.restored, report.applied, report.differing) == (True, False, 4)
    with plant.database.reading() as session:
        stands = standstills.in_force(session)
    assert stands is not None
    assert (stands.by, stands.reason) == ("reconciler", "looks-like-a-restore")
    plant.sendgrid.suppressed = {"bounces": ["payer4@acme.example"], "unsubscribes": ["payer5@acme.example"]}
    plant.sendgrid.next(Answer(), Answer(403))
    report = await reconcile(plant, apply=True)
    assert report.refused is not None and "list of invalid_emails cannot be read" in report.refused
    assert not any(one.mended for one in report.findings), "nothing is mended before the lists are read"
    with plant.database.reading() as session:
        closed = addresses.why_closed(session, Channel.EMAIL, "payer4@acme.example")
    assert closed is None, "no address is closed before all lists are read"
    plant.sendgrid.next(Answer(503), Answer(), Answer(429))  # what fails for now is asked for again
    report = await reconcile(plant, apply=True)
    assert (report.refused, report.closed) == (None, 2)
    with plant.database.reading() as session:
        assert addresses.why_closed(session, Channel.EMAIL, "Payer5@acme.example") == "stopped"
    assert [one for one in report.findings if not one.mended] == []
    assert [one.kind for one in about(report, "inv-1")] == [Kind.ENDED]
    with plant.database.reading() as session:
        assert standstills.in_force(session) is None
    assert stored(plant, "inv-0").money.paid == 100
    assert [stored(plant, f"inv-{number}").stage.value for number in (1, 2, 3)] == ["paid", "disputed", "paused"]
    assert who_left(plant) == "left"
    assert [f"e-mail of {MOVED} corrected" in reason for reason in open_tasks(plant)] == [True]
    await agreed(plant, 6)


async def test_e14_the_database_is_restored_while_messages_leave(plant: Plant, tmp_path: Path) -> None:
    """The copy knows of no message; those that left are not sent again, and what comes next is sent once."""
    handles = await plant.start(invoices(4), speed=DAY_A_SECOND)
    for handle in handles:
        await plant.until(handle, lambda status: status.next_action)
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    await some_have_been_written_to(plant, handles, "first-reminder")
    await pay(plant, "100.00", "part", "inv-0")
    await restore_database(plant, tmp_path / "older.sqlite")
    await some_have_been_written_to(plant, handles[1:], "second-reminder")
    await reconcile(plant, apply=True)
    assert stored(plant, "inv-0").money.paid == 100
    await agreed(plant, 4)
    with plant.database.reading() as session:
        first = [row for row in outbox.of_invoice(session, "inv-1") if row.step == "first-reminder"]
    assert [(row.reason, row.state) for row in first] == [(LOST_TEXT, "unknown")]


async def test_e14_late_money_does_not_hide_what_the_run_knew_that_has_ended(plant: Plant, tmp_path: Path) -> None:
    """A bank's webhook comes when the older copy is back, and nobody has reconciled yet."""
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    await pay(plant, "1200.00", "whole")
    await handle.result()
    await restore_database(plant, tmp_path / "older.sqlite")
    await pay(plant, "50.00", "late")
    await plant.until(handle_of(plant), lambda _: stored(plant).money.paid == 1250)
    await handle_of(plant).result()
    await agreed(plant, 1)


async def test_e14_late_money_of_a_case_that_has_ended_in_both_is_written_again(plant: Plant, tmp_path: Path) -> None:
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    await pay(plant, "1200.00", "whole")
    await handle.result()
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    await pay(plant, "50.00", "late")
    await handle_of(plant).result()
    await restore_database(plant, tmp_path / "older.sqlite")
    await listed(plant, 0)
    for _ in range(20):  # the list of those that have ended lags behind
        report = await reconcile(plant, apply=True)
        if about(report):
            break
    assert [(one.kind, one.mended) for one in about(report)] == [(Kind.ENDED, True)]
    assert stored(plant).money.paid == 1250
    await agreed(plant, 1)


async def test_e14_a_terminated_case_is_begun_again_with_what_its_run_knew(plant: Plant, tmp_path: Path) -> None:
    """The older copy lacks a payment that was told by an update, which no signal in the history repeats."""
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    await pay(plant, "100.00", "part")
    await handle.terminate(reason="a slip of the mouse")
    await restore_database(plant, tmp_path / "older.sqlite")
    await listed(plant, 0)
    [found] = about(await reconcile(plant, apply=True))
    assert (found.kind, found.mended) == (Kind.CLOSED, True)
    status = await plant.until(handle_of(plant), lambda status: status.stage == "paused")
    assert status.amount_due == 1100
    assert stored(plant).money.paid == 100


async def test_e14_a_case_that_read_a_line_which_the_older_copy_lacks_tells_the_restored_timeline(
    plant: Plant, tmp_path: Path
) -> None:
    """The case itself did not change, and the restored database has another line at the place of the lost one."""
    [handle] = await plant.start(invoices(1), speed=SLOW)
    await plant.until(handle, lambda status: status.next_action)
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "older.sqlite")
    standstill.begin(plant.database, decision("ops", "restore"), AS_OF)
    await handle.signal(RECONCILE_SIGNAL)
    await plant.until(handle, lambda status: len(status.timeline) == 2)
    await restore_database(plant, tmp_path / "older.sqlite")
    standstill.begin(plant.database, decision("ops", "again"), AS_OF + timedelta(minutes=5))
    report = await reconcile(plant, apply=True)
    assert [(one.kind, one.mended) for one in about(report)] == [(Kind.APART, True)]
    status = await plant.until(handle, lambda status: len(status.timeline) > 2)
    with plant.database.reading() as session:
        kept = [entry.reason for _, entry in timeline.read(session, "inv-0")]
    assert sorted(line.reason for line in status.timeline) == sorted(kept)
    assert len([reason for reason in kept if reason.startswith("nothing leaves")]) == 2
    assert about(await reconcile(plant)) == []


async def test_e14_the_engine_is_restored_from_an_older_copy(plant: Plant, tmp_path: Path) -> None:
    handles = await plant.start(invoices(5), speed=DAY_A_SECOND / 2)
    for handle in handles:
        await plant.until(handle, lambda status: status.next_action)
    plant.stop_workers()
    plant.server.stop()
    backups.back_up(tmp_path / SERVER_FILE, tmp_path / "older.sqlite")
    await start_server(plant)
    plant.start_worker()
    await plant.start([*invoices(6)][5:], speed=SLOW)  # the older copy will not know it
    await pay(plant, "10.00", "newer", "inv-5")
    await live_on(plant)
    await some_have_been_written_to(plant, handles[4:], "first-reminder")
    before = plant.mails()
    plant.stop_workers()
    plant.server.stop()
    backups.put_back(tmp_path / "older.sqlite", tmp_path / SERVER_FILE)
    await start_server(plant)
    plant.start_worker()
    await listed(plant, 5)
    report = await reconcile(plant, apply=True)
    assert [one.kind for one in about(report, "inv-5")] == [Kind.GONE]
    await handle_of(plant, "inv-1").result()
    assert stored(plant, "inv-0").money.paid == 100
    assert [stored(plant, f"inv-{number}").stage.value for number in (1, 2, 3)] == ["paid", "disputed", "paused"]
    assert (stored(plant, "inv-5").stage.value, stored(plant, "inv-5").money.paid) == ("paused", Decimal(10))
    await pay(plant, "5.00", "after", "inv-0")
    assert stored(plant, "inv-0").money.paid == 105
    await agreed(plant, 6)
    assert before <= plant.mails()


async def start_server(plant: Plant) -> None:
    plant.server = await asyncio.to_thread(DevServer.start, plant.state, port=plant.port, ui=False)
