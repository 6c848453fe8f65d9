"""The tutorial does what it says: each piece of the ladder passes, or is refused with the very words shown."""

import json
import re
import tomllib
from datetime import date
from pathlib import Path

from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.ladder_problems import PolicyError
from dunwell.intake.policy_files import FOLDER
from tests.builders import the_traits

TEXT = (Path(__file__).parents[2] / "docs" / "tutorial-ladder.md").read_text(encoding="utf-8")
PIECES = re.findall(r"```toml\n(.*?)```.*?```text\n(.*?)```", TEXT, re.DOTALL)


def checked(text: str) -> str:
    """What `policy check` prints."""
    try:
        policy = parse_policy(tomllib.loads(text), "policies/gym.toml", the_traits())
    except PolicyError as refused:
        return f"{refused}\n"
    steps = len(policy.steps)
    return f"ok: {policy.name}@{policy.version}, {steps} {'step' if steps == 1 else 'steps'}\n"


def test_every_stage_is_answered_as_shown() -> None:
    """A piece that is refused is taken out again; the others add up."""
    ladder, answers = "", []
    for piece, shown in PIECES:
        answers.append(checked(ladder + piece))
        assert answers[-1] == shown
        ladder += f"{piece}\n" if shown.startswith("ok") else ""
    assert [answer.startswith("ok") for answer in answers] == [False, True, False, True, True]


def test_the_invoice_of_the_tutorial_names_its_ladder() -> None:
    found = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    invoice = json.loads(found[1])
    assert invoice["policy"] == "gym" and not (FOLDER / "gym.toml").exists()
    assert date.fromisoformat(invoice["due_on"]) > date.fromisoformat(invoice["issued_on"])
