"""G8: names, addresses, numbers and texts never reach the engine."""

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

from dunwell.domain.terms import Role
from tests.builders import a_contact, a_customer, an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today

NAME, COMPANY, MAIL, PHONE, STREET = "Zyxwanda", "Qwopperton", "zyxmail", "+15005550006", "Vlimburgerstreet"
MARKS = (NAME, COMPANY, MAIL, PHONE, STREET, "pay.example", "Dear ", "STOP")


async def plain_history(harness: CaseHarness) -> str:
    """Every byte of the history as the engine keeps it; its JSON form would hide payloads in base64."""
    history = await harness.case.fetch_history()
    return b"".join(event.SerializeToString() for event in history.events).decode("utf-8", errors="replace")


async def plain_description(harness: CaseHarness) -> str:
    """What the engine shows of the workflow. Asked without the client's reading: the test server keeps attributes
    that were unset, which it cannot read.
    """
    client = harness.env.client
    asked = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=harness.case.id)
    )
    return str(await client.workflow_service.describe_workflow_execution(asked))


async def test_no_personal_data_in_history_memo_or_search_attributes(harness: CaseHarness) -> None:
    person = a_contact(name=NAME, email=f"bounce.{MAIL}@acme.example", phone=PHONE, post=f"{STREET} 1")
    other = a_contact(Role.USER, name=f"{NAME} Two", email=f"{MAIL}2@acme.example")
    await harness.start(an_invoice(customer=a_customer(name=COMPANY, contacts=(person, other))))
    await harness.pass_time(days=10)
    await harness.tell("promise_to_pay", date=await today(harness, 4), promised_by="accounts_payable")
    await harness.pass_time(days=20)
    await harness.tell("dispute_opened", reason="late-delivery", opened_by="caller@acme.example")
    await pay(harness)
    await harness.case.result()

    body = " ".join(message["body"] for message in harness.messages())
    assert all(mark in body for mark in (NAME, "pay.example")), "the marks must be in what was sent"
    history = await plain_history(harness)
    described = await plain_description(harness)
    leaked = [mark for mark in MARKS if mark in history or mark in described]
    assert not leaked


async def test_a_failing_activity_quotes_nothing(harness: CaseHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database or a library may put a whole row into its error; the history gets kind and place only."""

    def fail(*_: object) -> None:
        raise RuntimeError(f"could not write {NAME} <{MAIL}@acme.example>")

    monkeypatch.setattr("dunwell.services.steps.Steps._dispatch", fail)
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    history = await plain_history(harness)
    assert "RuntimeError at test_privacy.py:" in history
    assert NAME not in history
    assert MAIL not in history
    assert any(kind == "trouble" for kind in (line.kind for line in (await harness.status()).timeline))
    monkeypatch.undo()
    await pay(harness)
    await harness.case.result()
