"""Random lives on the time-skipping server: the workflow must tell the story that the model of the laws tells.

`make laws` lives more of them. A life that fails is printed with the line that repeats it.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from domain.calendar import BusinessCalendar
from domain.case import Case
from domain.policy import Policy
from domain.terms import Role
from store.database import Database
from store.schema import migrate
from tests.laws.life import Happening, Life
from tests.laws.served import served
from tests.laws.test_laws import BEGIN, lives

LIVES = int(os.environ.get("LAWS", "750")) // 50
_QUIET = timedelta(days=250)
_PATIENCE = 60
"""Seconds for a life: an activity that never succeeds is tried for ever, and every try takes no time here."""
_APART = 3 / 60
"""Hours between any two moments that are told: the machines' own seconds must not turn a day into the next."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema of this release, to be copied."""
    path = tmp_path_factory.mktemp("laws") / "empty.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


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
    turns = [f"{calendar.local_date(done.at)} {done.step} {done.outcome}" for done in case.steps]
    words = [f"{promise.amount} for {promise.date}: {promise.state}" for promise in case.promises]
    money = f"{case.paid} of {case.amount}, {case.open_amount} open, {case.credit} too much"
    holds = f"{case.stage}, holds {sorted(case.holds)}"
    return [*told, *turns, *words, money, holds]


async def by_workflow(life: Life, happenings: list[Happening], database: Database) -> list[str]:
    async with served(life, BEGIN, database) as lived:
        await lived.live_through(happenings)
        return story(lived.case, lived.contacts(), life.calendar)


def by_model(life: Life, happenings: list[Happening]) -> list[str]:
    life.live_through(happenings)
    return story(life.case, [(one.at, one.step) for one in life.sent], life.calendar)


@settings(
    max_examples=LIVES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # a life takes a second: too long to look for the smallest
    report_multiple_bugs=False,
    database=None,
    print_blob=True,
)
@given(drawn=lives())
def test_the_workflow_tells_the_story_of_the_model(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Life, list[Happening]]
) -> None:
    life, happenings = drawn[0], at_rest(drawn[1])
    life = replace(life, policy=plain(life.policy), deliveries=[("delivered", h) for _, h in life.deliveries])
    life.quiet, life.post_from, life.case.customer_id = _QUIET, BEGIN, "rehearsal.acme"
    path = tmp_path_factory.mktemp("life") / "dunwell.sqlite"
    shutil.copy(empty, path)
    database = Database(f"sqlite:///{path}")
    told = asyncio.run(asyncio.wait_for(by_workflow(deepcopy(life), happenings, database), _PATIENCE))
    database.close()
    assert told == by_model(life, happenings)
