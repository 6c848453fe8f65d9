"""G11: a replay does not see changed durations, so the times of each shipped ladder are written down and compared."""

import pytest

from dunwell.domain.policy import Policy
from tests.builders import the_ladders
from tests.schedules.schedule import FOLDER, schedule

ADVICE = "the times changed. If that is meant: .venv/bin/python -m tests.schedules, and read what git diff shows"


def test_every_shipped_ladder_has_its_schedule_and_no_other_is_kept() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(the_ladders()), ADVICE


@pytest.mark.parametrize("policy", the_ladders().values(), ids=the_ladders())
def test_the_times_of_a_shipped_ladder_are_those_written_down(policy: Policy) -> None:
    assert schedule(policy) == (FOLDER / f"{policy.name}.txt").read_text(encoding="utf-8"), f"{policy.name}: {ADVICE}"


def test_one_day_more_is_noticed() -> None:
    ladder = the_ladders()["gentle-saas"]
    later = [step.model_copy(update={"when": step.when.model_copy(update={"offset": 15})}) for step in ladder.steps]
    changed = ladder.model_copy(update={"steps": (ladder.steps[0], later[1], *ladder.steps[2:])})
    assert schedule(changed) != schedule(ladder)
