"""A case handed as its difference from a copy: nothing is lost, and changes to another copy are refused."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.case import Case
from dunwell.domain.case_copy import CaseCopy
from dunwell.domain.events import parse_event
from dunwell.domain.step_outcome import StepOutcome

NOW = datetime(2027, 3, 2, 9, tzinfo=UTC)
HISTORY = next((Path(__file__).parent.parent / "replay").glob("*-never-pays.json"))


@pytest.fixture
def case() -> Case:
    """As the recorded run began with it."""
    started = json.loads(HISTORY.read_text(encoding="utf-8"))["events"][0]["workflowExecutionStartedEventAttributes"]
    start = json.loads(base64.b64decode(started["input"]["payloads"][0]["data"]))
    return Case.model_validate(start["opening"]["case"])


def tell(name: str, **content: Any) -> Callable[[Case], object]:
    return lambda case: case.apply(parse_event(name, [content]), NOW)


CHANGES: dict[str, Callable[[Case], object]] = {
    "nothing": lambda _: None,
    "a payment": tell("payment_received", payment_id="p1", amount="100.00", currency="EUR"),
    "the whole": tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR"),
    "a promise": tell("promise_to_pay", date="2027-03-10", promised_by="user"),
    "a pause": tell("pause", reason="holiday", by="agent-7"),
    "a step": lambda case: case.take(StepOutcome(step="first-reminder", status="done", at=NOW)),
    "a trouble": lambda case: case.in_trouble("first-reminder", "away", NOW, NOW),
    "a rest": lambda case: setattr(case.outstanding, "blocked_until", NOW),
    "a plan": lambda case: setattr(case, "next_action", None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_changes_to_a_copy_make_it_the_case(case: Case, change: Callable[[Case], object]) -> None:
    copy, before = CaseCopy.of(case), case.model_copy(deep=True)
    change(case)
    changes = copy.changes_to(case)
    assert bool(changes.facts) == (case != before)
    assert copy.changed(changes) == case
    # and back: a fact that is what it was at first is named again
    assert CaseCopy.of(case).changed(CaseCopy.of(case).changes_to(before)) == before


def test_a_payment_names_only_what_it_changes(case: Case) -> None:
    copy = CaseCopy.of(case)
    CHANGES["a payment"](case)
    assert copy.changes_to(case).facts.keys() == {
        "paid",
        "payments",
        "counted",
        "receipts",
        "revision",
        "turns",
        "digest",
    }


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "nothing"])
def test_changes_to_another_copy_are_refused(case: Case, name: str) -> None:
    """Also where revision, turns and events are the same, as after a trouble or a rest."""
    copy = CaseCopy.of(case)
    CHANGES[name](case)
    with pytest.raises(ValueError, match="another copy"):
        CaseCopy.of(case).changed(copy.changes_to(case))


def test_the_order_of_facts_in_the_database_does_not_matter(case: Case) -> None:
    CHANGES["a payment"](case)
    facts = case.model_dump(mode="json")
    turned = Case.model_validate(dict(reversed(facts.items())))
    assert CaseCopy.of(turned).digest == CaseCopy.of(case).digest
