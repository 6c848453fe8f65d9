"""What activities are handed of the case: what changed, or all of it where the database has another copy."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select
from temporalio.client import WorkflowHandle

from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.terms import Stage
from dunwell.services.attempt import Attempt
from dunwell.services.failures import OtherCopy
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest
from dunwell.store import cases
from dunwell.store.tables import CaseRow
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today

STEPS = ["first-reminder", "second-reminder", "restrict", "last-letter", "hand-over"]


async def handed(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """How each activity of a run got the case: "whole", "unchanged", "changed"; "refused" where that was not it."""
    told: dict[int, str] = {}
    async for event in handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_id:
            told[event.event_id] = _handed(json.loads(scheduled.input.payloads[0].data))
        failed = event.activity_task_failed_event_attributes
        if failed.failure.application_failure_info.type == OtherCopy.kind:
            told[failed.scheduled_event_id] = "refused"
    return list(told.values())


def _handed(request: dict[str, Any]) -> str:
    if request["case"] is not None:
        return "whole"
    return "changed" if request["changes"]["facts"] else "unchanged"


def steps(harness: CaseHarness) -> list[str]:
    return list(dict.fromkeys(message["step"] for message in harness.messages()))


async def test_a_case_is_never_handed_whole_while_nothing_is_lost(harness: CaseHarness) -> None:
    """Steps get the case by its copy alone; events and agreed days name what they changed."""
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("promise_to_pay", date=await today(harness, 7), promised_by="accounts_payable")
    await harness.pass_time(days=14)
    await pay(harness)
    assert (await harness.case.result()).stage is Stage.PAID
    found = await handed(harness.case)
    assert set(found) == {"unchanged", "changed"}
    assert found.count("changed") == 4  # that a run has begun, the promise, its end, the payment


async def test_the_next_run_knows_the_copy(harness: CaseHarness) -> None:
    await harness.start(an_invoice(), history_limit=12)
    assert (await harness.case.result()).stage is Stage.HANDED_OVER
    run = harness.env.client.get_workflow_handle(harness.case.id, run_id=harness.case.first_execution_run_id)
    runs = 0
    while True:
        assert set(await handed(run)) <= {"unchanged", "changed"}
        closing = [event async for event in run.fetch_history_events()][-1]
        following = closing.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        if not following:
            break
        run = harness.env.client.get_workflow_handle(harness.case.id, run_id=following)
        runs += 1
    assert runs > 1


# The database has another copy ---------------------------------------------------------------------------


def row(harness: CaseHarness) -> dict[str, Any]:
    with harness.deps.database.reading() as session:
        return dict(session.execute(select(CaseRow.__table__)).mappings().one())


def prune(harness: CaseHarness, _: dict[str, Any]) -> None:
    with harness.deps.database.writing() as session:
        session.execute(delete(CaseRow))


def put_back(harness: CaseHarness, older: dict[str, Any]) -> None:
    with harness.deps.database.writing() as session:
        session.execute(delete(CaseRow))
        session.add(CaseRow(**older))


def write_another(harness: CaseHarness, _: dict[str, Any]) -> None:
    with harness.deps.database.writing() as session:
        found = session.scalars(select(CaseRow)).one()
        found.state = found.state | {"blocked_why": "another"}


@pytest.mark.parametrize("loses", [prune, put_back, write_another])
async def test_g13_another_copy_costs_one_call_more_and_the_story_goes_on(
    harness: CaseHarness, loses: Callable[[CaseHarness, dict[str, Any]], None]
) -> None:
    await harness.start(an_invoice())
    older = row(harness)
    await harness.pass_time(days=10)
    loses(harness, older)
    assert (await harness.case.result()).stage is Stage.HANDED_OVER
    assert steps(harness) == STEPS
    assert harness.broken_laws() == []
    found = await handed(harness.case)
    assert found[:3] == ["changed", "refused", "whole"]  # with the first step: that a run has begun
    assert found.count("whole") <= 2  # the step, and what brings database and case together
    assert found[-3:] == ["unchanged"] * 3


async def test_g1_a_payment_that_only_the_database_has_ends_the_case(harness: CaseHarness) -> None:
    """As after a reset of the run to before the payment."""
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    now = await harness.now()
    with harness.deps.database.reading() as session:
        case = cases.get(session, "inv-1")
    assert case is not None
    _pay_beside(harness, case, now)
    assert (await harness.case.result()).stage is Stage.PAID
    assert steps(harness) == ["first-reminder", "thank-you~1"]
    assert "refused" in await handed(harness.case)


def _pay_beside(harness: CaseHarness, case: Case, now: Any) -> None:
    written, content = case.mark, {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    case.apply(parse_event("payment_received", [content]), now)
    request = RecordRequest.whole(
        case, now=now, event="payment_received", content=content, rehearsal=True, written=written
    )
    Recording(harness.deps).record(request, Attempt(now))
