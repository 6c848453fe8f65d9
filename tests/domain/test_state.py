"""A case in memory stands in groups; as JSON its facts stand side by side."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.case import Case
from domain.state import CaseState

HISTORIES = sorted((Path(__file__).parent.parent / "replay").glob("*.json"))
GROUPS = {
    "money": "currency digits amount paid payments reversed_payments doubted receipts imported_at imported_paid "
    "questioned credit_notes given",
    "agreements": "pause customer_pause dispute plan missed promises awaited said_paid",
    "progress": "ladder legal threatened steps round former_steps shift rest_since awake_since hurry hurry_why "
    "consequences redo",
    "outstanding": "owed reminded last_answer_at answers blocked_until blocked_why blocked_step stuck again "
    "undecided approved",
}
"""The facts of each group, by their names on the wire, in the database and in Temporal's history."""


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_case_written_to_a_history_is_read_and_written_alike(path: Path) -> None:
    cases = list(_cases(json.loads(path.read_text(encoding="utf-8"))))
    assert cases
    for facts in cases:
        assert Case.model_validate(facts).model_dump(mode="json") == facts
        assert json.loads(Case.model_validate(facts).model_dump_json()) == facts


def test_no_group_is_seen_on_the_wire() -> None:
    grouped = {name: set(fields.split()) for name, fields in GROUPS.items()}
    assert {name: set(CaseState.model_fields[name].annotation.model_fields) for name in grouped} == grouped  # type: ignore[union-attr]
    own = set(CaseState.model_fields) - grouped.keys()
    assert sum(map(len, grouped.values())) + len(own) == len(
        set().union(own, *grouped.values())
    )  # no name is taken twice
    facts = next(_cases(json.loads(HISTORIES[0].read_text(encoding="utf-8"))))
    assert facts.keys() == set().union(own, *grouped.values())


def test_a_fact_that_only_a_later_release_knows_is_left_out() -> None:
    facts = next(_cases(json.loads(HISTORIES[0].read_text(encoding="utf-8"))))
    assert Case.model_validate(facts | {"of_later": 1}).model_dump(mode="json") == facts


def _cases(history: Any) -> Iterator[dict[str, Any]]:
    """Every case in a history's payloads."""
    if isinstance(history, list):
        for one in history:
            yield from _cases(one)
    elif isinstance(history, dict):
        if isinstance(history.get("data"), str):
            try:
                yield from _cases(json.loads(base64.b64decode(history["data"])))
            except ValueError:
                return
        elif {"invoice_id", "payments", "owed", "turns"} <= history.keys():
            yield history
        else:
            for one in history.values():
                yield from _cases(one)
