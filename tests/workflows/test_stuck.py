"""A step that cannot be carried out stops neither the case nor what else it has to do."""

import pytest

from dunwell.domain.terms import Stage
from dunwell.services import message_facts
from dunwell.store import tasks
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today


def open_tasks(harness: CaseHarness) -> list[str]:
    with harness.deps.database.reading() as session:
        return [task.task_id for task in tasks.open_tasks(session, "inv-1")]


async def test_a8_answers_and_agreed_days_go_on_beside_a_step_that_lacks_a_fact(
    harness: CaseHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = message_facts.gather

    def lacks_a_name(session, case, customer, contact, execution, *rest):  # type: ignore[no-untyped-def]
        if execution.message == "reminder-first":
            raise KeyError("Ada Lovelace")
        return gather(session, case, customer, contact, execution, *rest)

    monkeypatch.setattr(message_facts, "gather", lacks_a_name)
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    assert open_tasks(harness) == ["inv-1.first-reminder.stuck"]
    await harness.tell("promise_to_pay", date=await today(harness, 3), promised_by="accounts_payable")
    await harness.pass_time(days=7)
    said = {message["step"] for message in harness.messages()}
    assert said == {
        "promise-confirmed~1",
        f"promise-due~{(await harness.status()).promises[0].date}",
        "promise-broken~2",
    }
    assert (await harness.status()).promises[0].state == "broken"
    monkeypatch.undo()
    await harness.pass_time(days=2)
    assert "first-reminder" in {message["step"] for message in harness.messages()}
    assert open_tasks(harness) == []
    await pay(harness)
    assert (await harness.case.result()).stage is Stage.PAID
