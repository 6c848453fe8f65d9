"""Whole lives of cases on the time-skipping server: what was sent, what was decided, how it ended."""

from dataclasses import dataclass

import pytest

from domain.terms import Access, Stage
from tests.replay import commands
from tests.workflows.house import House
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
    "promises_and_keeps": Told(
        Stage.PAID, "03-02 first-reminder, 03-04 promise-confirmed~1, 03-10 thank-you~2", frozenset({"promise_kept"})
    ),
    # the broken promise is told on the next open day, and the next letter follows a day later
    "promises_and_breaks": Told(
        Stage.PAID,
        "03-02 first-reminder, 03-04 promise-confirmed~1, 03-15 promise-broken~2, 03-16 second-reminder, "
        "03-22 restrict, 04-05 restored~3",
        frozenset({"promise_broken", "access"}),
    ),
    "pays_in_parts": Told(Stage.PAID, "03-02 first-reminder, 03-04 part-received~1, 03-08 thank-you~2"),
    # 20 days of dispute do not count on the ladder; Good Friday and Easter Monday are closed
    "disputes": Told(
        Stage.PAID, "03-02 first-reminder, 03-04 dispute-received~1, 03-24 dispute-closed~2, 03-30 thank-you~3"
    ),
    "is_paused": Told(Stage.PAID, "03-02 first-reminder, 05-03 thank-you~1", frozenset({"paused", "resumed"})),
    "pays_by_plan": Told(Stage.PAID, "03-02 first-reminder, 03-04 plan-agreed~1, 04-12 thank-you~2"),
    "misses_an_instalment": Told(
        Stage.WRITTEN_OFF,
        "03-02 first-reminder, 03-04 plan-agreed~1, 03-11 instalment-missed~2, 03-12 second-reminder, 03-18 restrict",
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
    # the second letter waits for the new due date to pass
    "is_amended": Told(Stage.PAID, "03-02 first-reminder, 04-05 second-reminder, 04-08 thank-you~1"),
    "hears_nonsense": Told(Stage.PAID, "", frozenset({"refused"})),
}


@pytest.mark.parametrize("name", LIVES)
async def test_life(house: House, name: str) -> None:
    await LIVES[name](house)
    outcome = await house.case.result()
    status = await house.status()
    told = EXPECTED[name]
    said: dict[str, str] = {}
    for message in house.messages():
        if message["state"] in {"accepted", "delivered"}:
            said.setdefault(message["step"], f"{message['at']:%m-%d}")
    assert ", ".join(f"{day} {step}" for step, day in said.items()) == told.said
    assert (outcome.stage, status.access) == (told.stage, told.access)
    assert told.kinds <= {line.kind for line in status.timeline}
    assert not house.broken_laws()
    if name not in commands.RACING:
        asked = commands.fingerprint(await house.case.fetch_history())
        assert asked == commands.recorded(name), f"{name}: {commands.ADVICE}"


async def test_every_nonsense_is_answered(house: House) -> None:
    """Fourteen bad signals, fourteen refusals with field and reason; the payment after them still counts."""
    await LIVES["hears_nonsense"](house)
    await house.case.result()
    refusals = [line.reason for line in (await house.status()).timeline if line.kind == "refused"]
    assert len(refusals) == 14
    history = await house.case.fetch_history()
    assert not [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
    assert all(reason.count(": ") >= 2 for reason in refusals)


async def test_the_timeline_is_the_same_everywhere(house: House) -> None:
    """G9: the query and the database tell the same decisions, in number and in words."""
    await LIVES["promises_and_breaks"](house)
    await house.case.result()
    asked = [(line.kind, line.reason) for line in (await house.status()).timeline]
    assert sorted(asked) == sorted(house.timeline())
