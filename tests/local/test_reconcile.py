"""`starter.py reconcile`: says what is wrong, and mends it when told to."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client

from dunwell.client.runs import Runs
from dunwell.codec import KeyRing, sealed_with
from dunwell.commands import reconcile
from tests.local.conftest import Place, Run, Said, an_item
from tests.local.test_starter import a_file
from workflows.event_intake import EventIntake
from workflows.messages import MEMORY_QUERY, Carried, workflow_id


async def terminate(address: str, invoice_id: str) -> None:
    client = await Client.connect(address)
    await client.get_workflow_handle(workflow_id(invoice_id)).terminate(reason="a slip of the mouse")


def reconciled(run: Run, *arguments: str) -> Said:
    """Once the server's list, which lags behind, shows the case no more."""
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while "TERM-1" not in (said := run("reconcile", *arguments)).out:
        assert datetime.now(UTC) < deadline, said
    return said


def test_a9_a_terminated_case_is_found_and_started_again_resting(here: Place, run: Run) -> None:
    file = a_file(an_item("TERM-1"), an_item("TERM-2"))
    run("start", file)
    asyncio.run(terminate(here.address, "TERM-1"))
    again = run("start", file)
    assert again.code == 1
    assert "1 already running, 0 already ended, 1 interrupted in Temporal" in again.out
    assert "starter.py reconcile" in again.err
    assert "`starter.py reconcile --apply` begins it again" in run("pause", "TERM-1", "--reason", "audit").err
    shown = reconciled(run)
    assert shown.code == 0
    assert "its run was terminated in the engine" in shown.out
    assert "cases compared: 2; different: 1; findings: 1" in shown.out
    stands = run("status", "TERM-1")
    assert stands.out.startswith("TERM-1: scheduled"), "without --apply nothing is changed"
    assert "its run was terminated in Temporal" in stands.err
    assert "next: waits for a person" in stands.out
    assert run("status", "TERM-1", "--json").json["interrupted"] == "terminated"
    listed = {one["invoice_id"]: one["interrupted"] for one in run("list", "--json").json}
    assert listed == {"TERM-1": True, "TERM-2": False}
    assert "scheduled, interrupted in Temporal" in run("list").out
    [found] = reconciled(run, "--json").json["findings"]
    assert (found["kind"], found["mended"]) == ("closed", False)
    mended = reconciled(run, "--apply")
    assert (mended.code, mended.err) == (0, "")
    assert "yes: started again, resting" in mended.out
    [task] = run("tasks", "--json").json
    assert "by " in task["reason"] and "(a slip of the mouse)" in task["reason"]
    assert run("status", "TERM-1").out.startswith("TERM-1: paused")
    assert not any(one["interrupted"] for one in run("list", "--json").json)
    assert run("resume", "TERM-1").out.startswith("TERM-1: scheduled")
    assert run("tasks", "--json").json == []
    assert "different: 0; findings: 0" in run("reconcile").out
    asyncio.run(terminate(here.address, "TERM-2"))
    paid = run("pay", "TERM-2", "10.00", "--payment-id", "p1")
    assert (paid.code, "paused" in paid.out) == (0, True)
    [task] = run("tasks", "--json").json
    assert "its run was terminated in the engine by " in task["reason"] and "(a slip of the mouse)" in task["reason"]


def test_a6_what_a_terminated_case_kept_sealed_is_kept_by_the_next_run(here: Place, run: Run) -> None:
    async def tell_sealed() -> None:
        ring = KeyRing.parse(f"lost:{base64.b64encode(bytes(32)).decode()}")
        client = await Client.connect(here.address, data_converter=sealed_with(ring))
        case = client.get_workflow_handle(workflow_id("TERM-1"))
        for name in ("payment_received", "promise_to_pay"):
            await case.signal(name, {"payment_id": "p1", "amount": "1.00", "currency": "EUR"})

    def waiting() -> list[str]:
        return [task["reason"] for task in run("tasks", "--json").json if ".sealed." in task["task_id"]]

    run("start", a_file(an_item("TERM-1")))
    asyncio.run(tell_sealed())
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while not waiting() or not waiting()[0].startswith("2 signal(s)"):
        assert datetime.now(UTC) < deadline, waiting()
    asyncio.run(terminate(here.address, "TERM-1"))
    reconciled(run, "--apply")

    async def kept() -> list[str]:
        memory = await Client.connect(here.address, data_converter=sealed_with(KeyRing()))
        carried = await memory.get_workflow_handle(workflow_id("TERM-1")).query(MEMORY_QUERY, result_type=Carried)
        return sorted(signal.name for signal in carried.sealed)

    while asyncio.run(kept()) != ["payment_received", "promise_to_pay"]:
        assert datetime.now(UTC) < deadline + timedelta(seconds=30), asyncio.run(kept())


def test_g13_a_case_whose_workflow_tasks_fail_is_found_and_begun_again(
    here: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes about a minute: the server reports a run only after five failures in a row, each later than the last."""
    run("start", a_file(an_item("TERM-1"), an_item("TERM-2")))
    usual = EventIntake.take_in

    async def fails(intake: EventIntake, name: str, values: list[object]) -> None:
        if workflow.info().workflow_id == workflow_id("TERM-1"):
            raise RuntimeError("a history that does not replay")
        await usual(intake, name, values)

    async def pay() -> None:
        client = await Client.connect(here.address)
        for invoice_id in ("TERM-1", "TERM-2"):
            payment = {"payment_id": "p1", "amount": "1.00", "currency": "EUR"}
            await client.get_workflow_handle(workflow_id(invoice_id)).signal("payment_received", payment)

    with monkeypatch.context() as broken:
        broken.setattr(EventIntake, "take_in", fails)
        asyncio.run(pay())
        deadline = datetime.now(UTC) + timedelta(minutes=4)
        while "workflow tasks fail" not in (said := run("reconcile")).out:
            assert datetime.now(UTC) < deadline, said
        assert "TERM-2" not in said.out
        run("reconcile", "--apply")
        [reason] = [task["reason"] for task in run("tasks", "--json").json if "failing" in task["task_id"]]
        assert "temporal workflow terminate --workflow-id invoice-TERM-1" in reason
    asyncio.run(terminate(here.address, "TERM-1"))

    async def fails_still() -> bool:
        return await Runs(await Client.connect(here.address)).fails("TERM-1")

    assert not asyncio.run(fails_still()), "the server keeps the failed task of a run that was terminated"
    mended = reconciled(run, "--apply")
    assert "its run was terminated in the engine" in mended.out
    assert "yes: started again, resting" in mended.out
    deadline = datetime.now(UTC) + timedelta(minutes=2)
    while run("status", "TERM-1", "--json").json["amount_due"] != "1199.00":
        assert datetime.now(UTC) < deadline, run("status", "TERM-1").out
    assert run("status", "TERM-1").out.startswith("TERM-1: paused")


def test_g13_without_a_worker_it_says_so(here: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "TASK_QUEUE", "nobody-works-here")
    monkeypatch.setattr(reconcile, "_BEGUN_BY", 0.5)
    said = run("reconcile")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("No worker took it, so nothing was compared")
