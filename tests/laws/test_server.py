"""Random lives on the time-skipping server: the workflow keeps the laws and tells the story of their model.

`make laws` lives more of them. A life that fails is printed with the line that repeats it.
"""

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Role
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import a_contact, the_ladders
from tests.chaos import audit, checker
from tests.chaos.records import Records, moment
from tests.gateways.fakes import Answer
from tests.laws.life import Delivery, Happening, Life, begun
from tests.laws.served import served
from tests.laws.test_laws import BEGIN, lives
from tests.replay import tasks

LIVES = int(os.environ.get("LAWS", "800")) // 100
"""Of each kind."""

MakeFolder = Callable[[], Path]

_QUIET = timedelta(days=250)
_PATIENCE = 60
"""Seconds for a life: an activity that never succeeds is tried for ever, and every try takes no time here."""
_APART = 3 / 60
"""Hours between any two moments that are told: the machines' own seconds must not turn a day into the next."""

ALONE = (a_contact(phone="+4930123456"),)
PEOPLE = (
    a_contact(phone="+4930123456"),
    a_contact(Role.USER),
    a_contact(Role.MANAGER, phone="+4930123457"),
    a_contact(Role.EXECUTIVE),
    a_contact(Role.ACCOUNT_MANAGER),
)
_TROUBLES = [
    *[Answer()] * 4,
    Answer(503),
    Answer(429),
    Answer(400, wrong="personalizations.0.to.0.email"),
    Answer(drop=True),
    Answer(drop=True, accepts=True),
]

on_a_server = settings(
    max_examples=LIVES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # a life takes a second: too long to look for the smallest
    report_multiple_bugs=False,
    database=None,
    print_blob=True,
)


@pytest.fixture(scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    """Folders with an empty, watched database each."""
    path = tmp_path_factory.mktemp("laws") / "empty.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    audit.watch(database)
    database.close()

    def make() -> Path:
        folder = tmp_path_factory.mktemp("life")
        shutil.copy(path, folder / "dunwell.sqlite")
        return folder

    return make


# One story ------------------------------------------------------------------------------------------------


def plain(policy: Policy) -> Policy:
    """The ladder without what the model does not know: several people, a manager's yes, caps by the week."""
    steps = tuple(
        step.model_copy(
            update={"to": (Role.ACCOUNTS_PAYABLE,) if step.to else (), "copies": (), "approval": False, "once": None}
        )
        for step in policy.steps
    )
    calls = policy.calls.model_copy(update={"rest_after_conversation_days": 0})
    wide = {"contacts_per_week": 1000, "calls_per_week": 1000, "copies": (), "calls": calls, "steps": steps}
    return policy.model_copy(update=wide)


def at_rest(happenings: Iterable[Happening]) -> list[Happening]:
    """The same, none of them while a step is being carried out and no two at the same minute of their hours."""
    return [replace(one, wait=one.wait + _APART, in_flight=False) for one in happenings]


def story(case: Case, contacts: Iterable[tuple[datetime, str]], calendar: BusinessCalendar) -> list[str]:
    """What a life came to, line by line, in the debtor's days."""
    told = [f"{calendar.local_date(at)} {step.partition('.')[0]} left" for at, step in sorted(contacts)]
    turns = [f"{calendar.local_date(done.at)} {done.step} {done.outcome}" for done in case.progress.steps]
    words = [f"{promise.amount} for {promise.date}: {promise.state}" for promise in case.agreements.promises]
    money = f"{case.money.paid} of {case.money.amount}, {case.open_amount} open, {case.credit} too much"
    holds = f"{case.stage}, holds {sorted(case.holds)}"
    return [*told, *turns, *words, money, holds]


async def by_workflow(life: Life, happenings: list[Happening], folder: Path) -> list[str]:
    async with asyncio.timeout(_PATIENCE), served(life, BEGIN, folder, ALONE) as lived:
        await lived.live_through(happenings)
        return story(lived.case, lived.contacts(), life.calendar)


def by_model(life: Life, happenings: list[Happening]) -> list[str]:
    life.live_through(happenings)
    case = life.case.model_copy(update={"holds": sorted(life.holds)})
    return story(case, [(one.at, one.step) for one in life.sent], life.calendar)


@on_a_server
@given(drawn=lives())
def test_the_workflow_tells_the_story_of_the_model(
    make_folder: MakeFolder, drawn: tuple[Life, list[Happening]]
) -> None:
    """Every message arrives, sooner or later; nothing happens while a step is being carried out."""
    life, happenings = drawn[0], at_rest(drawn[1])
    reported: list[Delivery] = [("delivered", hours) for _, hours in life.deliveries]
    life = replace(life, policy=plain(life.policy), deliveries=reported, owed=None)
    life.quiet, life.post_from, life.case.customer_id = _QUIET, BEGIN, "rehearsal.acme"
    told = asyncio.run(by_workflow(deepcopy(life), happenings, make_folder()))
    assert told == by_model(life, happenings)


# The laws -------------------------------------------------------------------------------------------------


def broken(records: Records, case: Case, life: Life) -> Iterator[str]:
    """What no life may leave behind, by the checker of the storm and by what it cannot know of a drawn ladder."""
    yield from checker.silent_after_money(records)
    yield from checker.no_restriction_without_proof(records)
    yield from checker.once(records)
    if life.policy.floor is None:
        yield from checker.no_step_lost(records)
    yield from indecent(records, life.calendar, life.policy)
    yield from checker.back_at_once(records)
    yield from checker.explained_alike(records)
    yield from checker.claim_by_heads(records)
    yield from checker.what_was_asked(records)
    came, went = (
        sum((Decimal(row["amount"]) for row in records.rows(f"SELECT amount FROM {table}")), Decimal(0))
        for table in ("payments", "payment_reversals")
    )
    if case.money.paid != came - went:
        yield f"{case.money.paid} is counted as paid, the payments say {came} less {went}"
    if not (case.finished or case.next_action or case.agreements.pauses or case.agreements.dispute):
        behind = {done.step for done in case.progress.steps}
        left = [one.id for one in life.policy.steps if one.id not in behind and life.policy.applies(one, case.asked)]
        if left:
            yield f"the case is {case.stage}, waits for nothing and has still to do {left}"
    if case.stranded and not records.rows("SELECT 1 FROM tasks WHERE state = 'open'"):
        yield f"the case is {case.stage}, {case.asked} are asked for, and neither ladder nor person has it in hand"


def indecent(records: Records, calendar: BusinessCalendar, policy: Policy) -> Iterator[str]:
    """G5: outside of the window, on a day off, or too often in a week, for which a confirmation only counts."""
    heard = defaultdict[str, list[tuple[datetime, bool]]](list)
    for row in records.messages.values():
        at = moment(row["claimed_at"])
        if row["state"] != "withheld" and not calendar.is_open(at):
            yield f"{row['message_id']} left at {at.astimezone(calendar.zone):%a %d %b %H:%M}"
        if row["state"] not in {"bounced", "failed", "withheld"}:
            heard[row["contact_id"]].append((at, row["message"] in policy.reactions.confirmations))
    for contact, times in heard.items():
        ends = [at for at, confirms in times if not confirms]
        most = max((sum(end - timedelta(days=7) < at <= end for at, _ in times) for end in ends), default=0)
        if most > policy.contacts_per_week:
            yield f"{contact} got {most} messages in 7 days, cap {policy.contacts_per_week}"


async def judged(life: Life, happenings: list[Happening], folder: Path, troubles: list[Answer]) -> list[str]:
    async with asyncio.timeout(_PATIENCE), served(life, BEGIN, folder, PEOPLE, troubles) as lived:
        await lived.live_through(happenings)
        history = await lived.harness.case.fetch_history()
        idle = [f"event {event}: a quiet task" for event in tasks.quiet(history)]
        return [*broken(Records(folder), lived.case, life), *idle]


@st.composite
def interrupted(draw: st.DrawFn) -> tuple[Life, list[Happening]]:
    """A life in which, every second time, all of the money comes while a message leaves."""
    life, happenings = draw(lives())
    if draw(st.booleans()):
        content = {"payment_id": "all", "amount": str(life.case.money.amount), "currency": life.case.currency}
        place = draw(st.integers(0, min(len(happenings), 2)))
        happenings.insert(place, Happening(draw(st.integers(0, 900)), "payment_received", content, in_flight=True))
    return life, happenings


def paid_between_two_letters() -> tuple[Life, list[Happening]]:
    """The first of two people is just being written to; the second must not be asked."""
    money = {"payment_id": "all", "amount": "1200.00", "currency": "EUR"}
    return begun(the_ladders()["gentle-saas"], BEGIN), [Happening(1, "payment_received", money, in_flight=True)]


def warned_by_sms() -> tuple[Life, list[Happening]]:
    """An SMS that arrived is proof, too; the checker once looked for its report under our own id."""
    policy = the_ladders()["gentle-saas"]
    texts = {"by": (Channel.SMS,)}
    steps = tuple(step.model_copy(update=texts) for step in policy.steps)
    return begun(policy.model_copy(update={"steps": steps}), BEGIN), []


@on_a_server
@example(drawn=paid_between_two_letters(), troubles=[])
@example(drawn=warned_by_sms(), troubles=[])
@given(drawn=interrupted(), troubles=st.lists(st.sampled_from(_TROUBLES), max_size=12))
def test_no_life_on_a_server_breaks_a_guarantee(
    make_folder: MakeFolder, drawn: tuple[Life, list[Happening]], troubles: list[Answer]
) -> None:
    """Five people, bounces and silence, a mail provider that fails, and news in the middle of a step."""
    life, happenings = drawn
    life.quiet, life.post_from, life.case.customer_id = _QUIET, BEGIN, "rehearsal.acme"
    assert not asyncio.run(judged(life, happenings, make_folder(), troubles))
