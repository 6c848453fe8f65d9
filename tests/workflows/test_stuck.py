"""A step that cannot be carried out stops neither the case nor what else it has to do."""

import pytest

from dunwell.domain.terms import Stage
from dunwell.services import message_facts
from dunwell.store import tasks
from tests.builders import an_invoice
from tests.workflows.house import House
from tests.workflows.lives import pay, today


def open_tasks(house: House) -> list[str]:
    with house.deps.database.reading() as session:
        return [task.task_id for task in tasks.open_tasks(session, "inv-1")]


async def test_a8_answers_and_agreed_days_go_on_beside_a_step_that_lacks_a_fact(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = message_facts.gather

    def lacks_a_name(session, case, customer, contact, execution, *rest):  # type: ignore[no-untyped-def]
        if execution.message == "reminder-first":
            raise KeyError("Ada Lovelace")
        return gather(session, case, customer, contact, execution, *rest)

    monkeypatch.setattr(message_facts, "gather", lacks_a_name)
    await house.start(an_invoice())
    await house.pass_time(days=10)
    assert open_tasks(house) == ["inv-1.first-reminder.stuck"]
    await house.tell("promise_to_pay", date=await today(house, 3), promised_by="accounts_payable")
    await house.pass_time(days=7)
    said = {message["step"] for message in house.messages()}
    assert said == {
        "promise-confirmed~1",
        f"promise-due~{(await house.status()).promises[0].date}",
        "promise-broken~2",
    }
    assert (await house.status()).promises[0].state == "broken"
    monkeypatch.undo()
    await house.pass_time(days=2)
    assert "first-reminder" in {message["step"] for message in house.messages()}
    assert open_tasks(house) == []
    await pay(house)
    assert (await house.case.result()).stage is Stage.PAID
