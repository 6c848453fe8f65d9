"""What a run remembers after answers of a database that was restored from an older copy: no engine is needed."""

from datetime import UTC, datetime

import pytest

from dunwell.domain.clock import Clock
from dunwell.domain.timeline import Entry
from dunwell.services.request_models import CaseAnswer
from tests.services.conftest import ServiceHarness, empty_file, file_database, harness, make_harness  # noqa: F401
from workflows.case_clock import CaseClock
from workflows.memory import Memory
from workflows.messages import Carried

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
SEEN = 20
"""The number of the last timeline entry that the run has read."""


def entry(key: str, reason: str) -> Entry:
    return Entry(key=key, at=NOW, kind="payment", reason=reason)


@pytest.fixture
def memory(harness: ServiceHarness) -> Memory:  # noqa: F811
    """Of a run that has read the timeline, and whose own entry is written."""
    carried = Carried(
        case=harness.open(), timeline=[entry("told.1", "100.00 EUR received")], unsaved=[], seen=SEEN, said=1
    )
    return Memory(CaseClock(Clock()), carried)


def answer(memory: Memory, *entries: Entry, seen: int, apart: bool = False) -> CaseAnswer:
    """The answer of a database that has these entries, the last of them with this number."""
    said = CaseAnswer(apart=apart)
    said.fill(memory.case, [], seen)
    return said.model_copy(update={"entries": list(entries), "seen": seen})


def seen(memory: Memory) -> int:
    return memory.carried(publishing=False).seen


def test_a4_an_answer_under_way_does_not_count_as_having_read_the_restored_timeline(memory: Memory) -> None:
    """It was asked for before the run learned that all has to be read anew; the older database has five entries."""
    memory.take(answer(memory, seen=5, apart=True), -1, seen=SEEN)
    assert seen(memory) == 0
    memory.take(answer(memory, seen=6), -1, seen=SEEN)
    assert seen(memory) == 0, "the first six entries were never read"
    memory.take(answer(memory, entry("restored", "completed"), seen=7), -1, seen=0)
    assert seen(memory) == 7
    assert [one.key for one in memory.timeline] == ["told.1", "restored"]


def test_a4_of_one_fact_told_in_two_ways_the_words_of_the_database_stand(memory: Memory) -> None:
    memory.take(answer(memory, entry("told.1", "100.00 EUR received again"), seen=SEEN + 1), -1, seen=SEEN)
    assert [one.reason for one in memory.timeline] == ["100.00 EUR received again"]
