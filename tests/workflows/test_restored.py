"""What a run makes of answers of a database that was restored from an older copy. No engine is needed for that."""

from datetime import UTC, datetime

import pytest

from dunwell.domain.clock import Clock
from dunwell.domain.timeline import Entry
from dunwell.services.exchange import CaseAnswer, RecordAnswer
from tests.services.conftest import Office, empty_file, file_database, make_office, office  # noqa: F401
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import Carried, CaseStart

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
SEEN = 20
"""How many entries of the timeline the run has read."""


def entry(key: str, reason: str) -> Entry:
    return Entry(key=key, at=NOW, kind="payment", reason=reason)


@pytest.fixture
def run(office: Office) -> InvoiceDunning:  # noqa: F811
    """A run that has read the timeline, and whose own entry is written."""
    carried = Carried(
        case=office.open(), timeline=[entry("told.1", "100.00 EUR received")], unsaved=[], seen=SEEN, said=1
    )
    return InvoiceDunning(CaseStart(invoice_id="inv-1", clock=Clock(), carried=carried))


def answered(run: InvoiceDunning, *entries: Entry, seen: int, apart: bool = False) -> CaseAnswer:
    """What the database answers that has these entries, the last of them with this number."""
    answer = RecordAnswer(apart=apart)
    answer.recall(run.memory().case, [], seen)
    return answer.model_copy(update={"entries": list(entries), "seen": seen})


def test_a4_an_answer_under_way_does_not_count_as_having_read_the_restored_timeline(run: InvoiceDunning) -> None:
    """It was asked for before the run learned that all has to be read anew; the older database has five entries."""
    run._take_newer_case(answered(run, seen=5, apart=True), -1, seen=SEEN)
    assert run.memory().seen == 0
    run._take_newer_case(answered(run, seen=6), -1, seen=SEEN)
    assert run.memory().seen == 0, "what stands below was never read"
    run._take_newer_case(answered(run, entry("restored", "completed"), seen=7), -1, seen=0)
    assert run.memory().seen == 7
    assert [one.key for one in run.memory().timeline] == ["told.1", "restored"]


def test_a4_of_one_fact_told_in_two_ways_the_words_of_the_database_stand(run: InvoiceDunning) -> None:
    run._take_newer_case(answered(run, entry("told.1", "100.00 EUR received again"), seen=SEEN + 1), -1, seen=SEEN)
    assert [one.reason for one in run.memory().timeline] == ["100.00 EUR received again"]
