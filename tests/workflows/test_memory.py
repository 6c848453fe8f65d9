"""What a run remembers: across runs, after its end, and when it begins with nothing but an id."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from dunwell.domain.terms import Access, Stage
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import pay, today
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart, workflow_id
from workflows.options import TASK_QUEUE


async def test_continue_as_new_carries_everything(harness: CaseHarness) -> None:
    """A limit of a few events forces a new run after nearly every step; the story is the same."""
    await harness.start(an_invoice(), history_limit=12)
    await harness.pass_time(days=10)
    await harness.tell("promise_to_pay", date=await today(harness, 7), promised_by="accounts_payable")
    await harness.pass_time(days=4)
    promised = await harness.status()
    assert promised.stage is Stage.PROMISED
    outcome = await harness.case.result()
    status = await harness.status()
    steps = list(dict.fromkeys(message["step"] for message in harness.messages()))
    assert steps == [
        "first-reminder",
        "promise-confirmed~1",
        "promise-due~2027-03-11",
        "promise-broken~2",
        "second-reminder",
        "restrict",
        "last-letter",
        "hand-over",
    ]
    assert outcome.stage is Stage.HANDED_OVER
    assert sorted(harness.timeline()) == sorted((line.kind, line.reason) for line in status.timeline)
    assert promised.timeline == status.timeline[: len(promised.timeline)]
    first = harness.env.client.get_workflow_handle(harness.case.id, run_id=harness.case.first_execution_run_id)
    closing = [event async for event in first.fetch_history_events()][-1]
    assert closing.HasField("workflow_execution_continued_as_new_event_attributes")


async def test_an_id_is_enough_to_start(harness: CaseHarness) -> None:
    """A client in any language starts with {invoice_id}; the search attributes are set by the case itself."""
    await harness.start(an_invoice(), prepared=False)
    await harness.pass_time(days=10)
    assert (await harness.status()).stage is Stage.CHASING
    await pay(harness)
    assert (await harness.case.result()).stage is Stage.PAID


async def reopen(harness: CaseHarness, signal: str, **content: str) -> None:
    """What the command line does with news about a case that has ended."""
    harness.handle = await harness.env.client.start_workflow(
        InvoiceDunning.run,
        CaseStart(invoice_id="inv-1", clock=harness.clock),
        id=workflow_id("inv-1"),
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=signal,
        start_signal_args=[content],
    )


async def test_a_reversal_after_the_end_goes_on_where_it_stood(harness: CaseHarness) -> None:
    """Restricted, paid, restored, ended; then the bank takes the money back.

    No first friendly letter again: the restriction is announced again, and done after the days that it waits.
    """
    await harness.start(an_invoice())
    await harness.pass_time(days=30)
    await pay(harness)
    assert (await harness.case.result()).stage is Stage.PAID
    assert (await harness.status()).access is Access.FULL
    before = [message["step"] for message in harness.messages()]
    await reopen(harness, "payment_reversed", payment_id="p1", reason="R01")
    await harness.pass_time(days=3)
    status = await harness.status()
    assert (status.stage, status.access) == (Stage.CHASING, Access.FULL)
    after = [message["step"] for message in harness.messages()][len(before) :]
    assert set(after) == {"second-reminder.again1"}
    await harness.pass_time(days=8)
    assert (await harness.status()).access is Access.RESTRICTED
    assert harness.messages()[-1]["step"] == "restrict.again1"
    await pay(harness, payment_id="p2")
    assert (await harness.case.result()).stage is Stage.PAID
    assert (await harness.status()).access is Access.FULL


async def test_a_payment_after_the_end_is_credit(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await pay(harness)
    await harness.case.result()
    await reopen(harness, "payment_received", payment_id="p2", amount="50.00", currency="EUR")
    outcome = await harness.case.result()
    assert (outcome.stage, str(outcome.credit)) == (Stage.PAID, "50.00")
    assert not harness.messages()


async def test_a_payment_after_the_hand_over_gives_access_back(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    assert (await harness.case.result()).stage is Stage.HANDED_OVER
    await reopen(harness, "payment_received", payment_id="p1", amount="1200.00", currency="EUR")
    assert (await harness.case.result()).stage is Stage.PAID
    assert (await harness.status()).access is Access.FULL


async def test_an_update_answers_at_once(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    promise = {"date": await today(harness, 5), "promised_by": "accounts_payable"}
    status = await harness.case.execute_update("promise_to_pay", promise)
    assert status["stage"] == "promised"
    assert status["next_action"]["step"] == "promise-confirmed~1"


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        # a day that is over
        ("promise_to_pay", {"date": "2020-01-01", "promised_by": "user"}, "date"),
        # further off than the ladder allows
        ("promise_to_pay", {"date": "2027-12-01", "promised_by": "user"}, "date"),
        # more than is open
        ("promise_to_pay", {"date": "2027-02-25", "amount": "9999.00", "promised_by": "user"}, "amount"),
        # an e-mail address where an id belongs (G8)
        ("pause", {"reason": "x", "by": "jane@acme.example"}, "by"),
        # nothing to resume
        ("resume", {"by": "agent-7"}, "stage"),
        # not everything that is open
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2027-03-05", "amount": "1.00"}], "by": "a"},
            "instalments",
        ),
        # a typo in a field's name
        ("write_off", {"reason": "x", "by": "a", "resaon": "y"}, "resaon"),
        # no object
        ("cancel", "please", "message"),
        # a machine's message is no update
        ("delivery_report", {"message_id": "m", "status": "delivered", "at": "2027-01-01T00:00:00Z"}, "update"),
        # no such thing
        ("teleport", {}, "update"),
    ],
)
async def test_an_update_is_refused_with_field_and_reason(
    harness: CaseHarness, name: str, content: object, field: str
) -> None:
    await harness.start(an_invoice())
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await harness.case.execute_update(name, content)
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.details[0]) == ("Refused", field)
    assert (await harness.status()).stage is Stage.SCHEDULED


async def test_the_same_payment_twice_counts_once(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    for _ in range(3):
        await pay(harness, "100.00", "p1")
    await harness.pass_time(hours=1)
    assert str((await harness.status()).amount_due) == "1100.00"
    assert sum(kind == "payment" for kind, _ in harness.timeline()) == 1


async def test_a_refusal_is_written_down_though_the_run_ends_with_it(harness: CaseHarness) -> None:
    """Each run here is as long as it may be, so the next one has to do what this one was about to."""
    await harness.start(an_invoice(), history_limit=1)
    await harness.tell("resume", by="agent-7")
    await harness.pass_time(hours=1)
    assert ("refused", "resume: stage: it is not paused") in harness.timeline()
