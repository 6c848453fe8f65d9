"""Whole lives of cases on the time-skipping server: what was sent, what was decided, how it ended."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from dunwell.domain.terms import Access, Stage
from dunwell.store.tables import TaskRow
from tests.replay import commands, tasks
from tests.workflows.harness import CaseHarness
from tests.workflows.lives import LIVES


@dataclass(frozen=True)
class Told:
    """How a life ends. `said` are the steps and answers that went out, in order, with the day of the first."""

    stage: Stage
    said: str
    kinds: frozenset[str] = frozenset()
    access: Access = Access.FULL


EXPECTED = {
    # the whole ladder, the account restricted to the end
    "never_pays": Told(
        Stage.HANDED_OVER,
        "03-02 first-reminder, 03-16 second-reminder, 03-22 restrict, 04-05 last-letter, 04-19 hand-over",
        access=Access.RESTRICTED,
    ),
    # nobody was ever written to, so nobody is thanked
    "pays_at_once": Told(Stage.PAID, ""),
    "pays_after_first_letter": Told(Stage.PAID, "03-02 first-reminder, 03-04 thank-you~1"),
    # the signal that puts it first says nothing, and is not told of
    "promises_and_keeps": Told(
        Stage.PAID, "03-02 first-reminder, 03-04 promise-confirmed~1, 03-10 thank-you~2", frozenset({"promise_kept"})
    ),
    # the broken promise is told on the next open day, and the next letter follows a day later
    "promises_and_breaks": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-04 promise-confirmed~1, 03-10 promise-due~2027-03-11, 03-15 promise-broken~2, "
        "03-16 second-reminder, 03-22 restrict, 04-05 restored~3",
        frozenset({"promise_broken", "access"}),
    ),
    "pays_in_parts": Told(Stage.PAID, "03-02 first-reminder, 03-04 part-received~1, 03-08 thank-you~2"),
    # 20 days of dispute do not count on the ladder; Good Friday and Easter Monday are closed
    "disputes": Told(
        Stage.PAID, "03-02 first-reminder, 03-04 dispute-received~1, 03-24 dispute-closed~2, 03-30 thank-you~3"
    ),
    "is_paused": Told(Stage.PAID, "03-02 first-reminder, 05-03 thank-you~1", frozenset({"paused", "resumed"})),
    # a word on the business day before each instalment; the last of them crosses with the money
    "pays_by_plan": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-04 plan-agreed~1, 03-12 instalment-due~2027-03-14, "
        "04-12 instalment-due~2027-04-13, 04-12 thank-you~2",
    ),
    "misses_an_instalment": Told(
        Stage.WRITTEN_OFF,
        "03-02 first-reminder, 03-04 plan-agreed~1, 03-08 instalment-due~2027-03-09, 03-11 instalment-missed~2, "
        "03-12 second-reminder, 03-18 restrict",
        frozenset({"plan_broken"}),
    ),
    "is_restricted_then_pays": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-16 second-reminder, 03-22 restrict, 03-24 restored~1",
        frozenset({"access"}),
    ),
    "pays_and_the_bank_reverses": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-03 part-received~1, 03-15 thank-you~2",
        frozenset({"reversed", "credit"}),
    ),
    # by SMS, because both e-mail addresses are dead
    "bounces": Told(
        Stage.CANCELLED,
        "03-02 first-reminder, 03-16 second-reminder, 03-22 restrict",
        frozenset({"bounced", "withheld"}),
    ),
    "is_called": Told(
        Stage.PAID, "03-02 promise-confirmed~1, 03-04 thank-you~2", frozenset({"task", "call", "promise"})
    ),
    # the ladder begins anew after the new due date
    "is_amended": Told(
        Stage.PAID, "03-02 first-reminder, 04-05 first-reminder.round2, 04-08 thank-you~1", frozenset({"round"})
    ),
    # three tries on the day of the call; the demand call of the next day comes all the same
    "does_not_answer": Told(Stage.PAID, "03-02 letter, 03-05 thank-you~1", frozenset({"task", "call"})),
    # the day passes without a letter: the demand call comes at nine on Friday
    "owes_a_date_in_writing": Told(
        Stage.PAID, "03-02 letter, 03-08 thank-you~1", frozenset({"awaited", "promise_missing", "task"})
    ),
    "writes_the_date_in_time": Told(
        Stage.PAID,
        "03-02 letter, 03-03 promise-confirmed~1, 03-05 promise-due~2027-03-08, 03-08 thank-you~2",
        frozenset({"awaited", "promise"}),
    ),
    # two business days of waiting, then the ladder goes on
    "says_it_is_paid": Told(
        Stage.PAID, "03-02 letter, 03-09 thank-you~1", frozenset({"awaited", "payment_missing", "task"})
    ),
    # the complaint leaves a day after the call; what it announced keeps its ten business days
    "refuses": Told(Stage.HANDED_OVER, "03-02 letter, 03-05 complaint, 03-19 hand-over", frozenset({"hurried"})),
    "is_called_at_a_wrong_number": Told(
        Stage.PAID,
        "03-02 letter, 03-03 promise-confirmed~1, 03-05 promise-due~2027-03-06, 03-05 thank-you~2",
        frozenset({"withheld", "promise"}),
    ),
    "hears_nonsense": Told(Stage.PAID, "", frozenset({"refused"})),
    # three days on it is Easter Saturday: the message names Tuesday, and the restriction comes back on it
    "is_granted_grace": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-16 second-reminder, 03-22 restrict, 03-24 grace-confirmed~1, "
        "03-30 restrict.grace1, 04-05 restored~2",
        frozenset({"grace", "access"}),
    ),
    # a manager hears after two business days and a week later; nothing leaves before it is handled, nor for the call
    "writes_to_us": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-22 thank-you~1",
        frozenset({"reply", "escalated", "reply_handled", "call", "call_missing", "announced", "awaited", "task"}),
    ),
}


@pytest.mark.parametrize("name", LIVES)
async def test_life(harness: CaseHarness, name: str) -> None:
    await LIVES[name](harness)
    outcome = await harness.case.result()
    status = await harness.status()
    told = EXPECTED[name]
    said: dict[str, str] = {}
    for message in harness.messages():
        if message["state"] in {"accepted", "delivered"}:
            said.setdefault(message["step"], f"{message['at']:%m-%d}")
    assert ", ".join(f"{day} {step}" for step, day in said.items()) == told.said
    assert (outcome.stage, status.access) == (told.stage, told.access)
    assert told.kinds <= {line.kind for line in status.timeline}
    assert not harness.broken_laws()
    history = await harness.case.fetch_history()
    assert not tasks.quiet(history)
    if name not in commands.RACING:
        asked = commands.fingerprint(history)
        assert asked == commands.recorded(name), f"{name}: {commands.ADVICE}"


@pytest.mark.parametrize(
    ("life", "calls"),
    [
        (
            "does_not_answer",
            "early-call 02-24 09h, due-call 03-01 11h, promise-call 03-03 10h, promise-call~2 03-03 12h, "
            "promise-call~3 03-03 14h, demand-call 03-04 10h",
        ),
        (
            "owes_a_date_in_writing",
            "early-call 02-24 09h, due-call 03-01 11h, promise-call 03-03 10h, demand-call 03-05 08h",
        ),
        (
            "says_it_is_paid",
            "early-call 02-24 09h, due-call 03-01 11h, promise-call 03-03 10h, demand-call 03-08 10h",
        ),
    ],
)
async def test_when_people_are_called(harness: CaseHarness, life: str, calls: str) -> None:
    await LIVES[life](harness)
    await harness.case.result()
    with harness.deps.database.reading() as session:
        rows = session.scalars(select(TaskRow).order_by(TaskRow.due_at)).all()
    names = [row.task_id.removeprefix("inv-1.").replace(".accounts_payable", "") for row in rows]
    shown = [f"{name} {row.due_at:%m-%d %Hh}" for name, row in zip(names, rows, strict=True)]
    assert ", ".join(shown) == calls


async def test_every_nonsense_is_answered(harness: CaseHarness) -> None:
    """Fourteen bad signals, fourteen refusals with field and reason; the payment after them still counts."""
    await LIVES["hears_nonsense"](harness)
    await harness.case.result()
    refusals = [line.reason for line in (await harness.status()).timeline if line.kind == "refused"]
    assert len(refusals) == 14
    history = await harness.case.fetch_history()
    assert not [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
    assert all(reason.count(": ") >= 2 for reason in refusals)


async def test_the_timeline_is_the_same_everywhere(harness: CaseHarness) -> None:
    """G9: the query and the database tell the same decisions, in number and in words."""
    await LIVES["promises_and_breaks"](harness)
    await harness.case.result()
    asked = [(line.kind, line.reason) for line in (await harness.status()).timeline]
    assert sorted(asked) == sorted(harness.timeline())
