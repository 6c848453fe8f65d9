"""G8: names, addresses, numbers and texts never reach the engine."""

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

from dunwell.domain.terms import Role
from tests.builders import a_contact, a_customer, an_invoice
from tests.workflows.house import House
from tests.workflows.lives import pay, today

NAME, COMPANY, MAIL, PHONE, STREET = "Zyxwanda", "Qwopperton", "zyxmail", "+15005550006", "Vlimburgerstreet"
MARKS = (NAME, COMPANY, MAIL, PHONE, STREET, "pay.example", "Dear ", "STOP")


async def plain_history(house: House) -> str:
    """Every byte of the history as the engine keeps it; its JSON form would hide payloads in base64."""
    history = await house.case.fetch_history()
    return b"".join(event.SerializeToString() for event in history.events).decode("utf-8", errors="replace")


async def plain_description(house: House) -> str:
    """What the engine shows of the workflow. Asked without the client's reading: the test server keeps attributes
    that were unset, which it cannot read.
    """
    client = house.env.client
    asked = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=house.case.id)
    )
    return str(await client.workflow_service.describe_workflow_execution(asked))


async def test_no_personal_data_in_history_memo_or_search_attributes(house: House) -> None:
    person = a_contact(name=NAME, email=f"bounce.{MAIL}@acme.example", phone=PHONE, post=f"{STREET} 1")
    other = a_contact(Role.USER, name=f"{NAME} Two", email=f"{MAIL}2@acme.example")
    await house.start(an_invoice(customer=a_customer(name=COMPANY, contacts=(person, other))))
    await house.pass_time(days=10)
    await house.tell("promise_to_pay", date=await today(house, 4), promised_by="accounts_payable")
    await house.pass_time(days=20)
    await house.tell("dispute_opened", reason="late delivery", opened_by="caller@acme.example")
    await pay(house)
    await house.case.result()

    body = " ".join(message["body"] for message in house.messages())
    assert all(mark in body for mark in (NAME, "pay.example")), "the marks must be in what was sent"
    history = await plain_history(house)
    described = await plain_description(house)
    leaked = [mark for mark in MARKS if mark in history or mark in described]
    assert not leaked


async def test_a_failing_activity_quotes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database or a library may put a whole row into its error; the history gets kind and place only."""

    def fail(*_: object) -> None:
        raise RuntimeError(f"could not write {NAME} <{MAIL}@acme.example>")

    monkeypatch.setattr("dunwell.services.steps.Steps._dispatch", fail)
    await house.start(an_invoice())
    await house.pass_time(days=9)
    history = await plain_history(house)
    assert "RuntimeError at test_privacy.py:" in history
    assert NAME not in history
    assert MAIL not in history
    assert any(kind == "trouble" for kind in (line.kind for line in (await house.status()).timeline))
    monkeypatch.undo()
    await pay(house)
    await house.case.result()
