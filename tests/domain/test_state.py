"""A case in memory stands in groups; as JSON its facts stand side by side."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.agreements import Agreements
from dunwell.domain.case import Case
from dunwell.domain.model import MutableValue
from dunwell.domain.money import Money
from dunwell.domain.outstanding import Outstanding
from dunwell.domain.progress import Progress
from dunwell.domain.state import CaseState

HISTORIES = sorted((Path(__file__).parent.parent / "replay").glob("*.json"))
GROUPS: dict[str, type[MutableValue]] = {
    "money": Money,
    "agreements": Agreements,
    "progress": Progress,
    "outstanding": Outstanding,
}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_case_in_a_stored_history_is_read_and_written_as_it_stands_there(path: Path) -> None:
    cases = list(_cases(json.loads(path.read_text(encoding="utf-8"))))
    assert cases
    for facts in cases:
        case = Case.model_validate(facts)
        for written in (case.model_dump(mode="json"), json.loads(case.model_dump_json())):
            assert {name: written[name] for name in facts} == facts
            assert Case.model_validate(written) == case


def test_no_group_is_seen_on_the_wire() -> None:
    own = set(CaseState.model_fields) - GROUPS.keys()
    fields = [*own, *(field for group in GROUPS.values() for field in group.model_fields)]
    assert len(fields) == len(set(fields))  # no name is taken twice
    facts = next(_cases(json.loads(HISTORIES[0].read_text(encoding="utf-8"))))
    assert set(Case.model_validate(facts).model_dump(mode="json")) == set(fields)


def test_a_fact_that_only_a_later_release_knows_is_left_out() -> None:
    facts = next(_cases(json.loads(HISTORIES[0].read_text(encoding="utf-8"))))
    assert Case.model_validate(facts | {"of_later": 1}) == Case.model_validate(facts)


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
