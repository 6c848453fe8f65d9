"""How a case stands, by what it says and by what the database has beyond it."""

from datetime import timedelta

import pytest

from domain.refusal import Refused
from domain.timeline import Entry
from intake.lookup import check_known, stored_status, with_written
from store import timeline
from store.database import Database
from tests.activities.conftest import REGISTERED, Office
from tests.builders import a_desk


def test_what_a_webhook_wrote_shows_before_the_case_wakes(database: Database) -> None:
    office = Office(a_desk(database))
    office.open()
    office.record("dispute_opened", "2027-02-21 12:00", reason="price", opened_by="user")
    told = stored_status(database, "inv-1")
    stopped = Entry(key="stop", at=REGISTERED + timedelta(hours=1), kind="stopped", reason="by sms")
    with database.writing("acme") as session:
        timeline.write(session, "inv-1", [stopped])
    known = with_written(database, told)
    assert [line.kind for line in known.timeline] == ["opened", "stopped", "dispute", "task"]
    assert with_written(database, known) == known
    assert known.model_copy(update={"timeline": told.timeline}) == told


def test_what_only_the_case_knows_yet_stays(database: Database) -> None:
    office = Office(a_desk(database))
    office.open()
    told = stored_status(database, "inv-1")
    refused = told.timeline[0].model_copy(update={"kind": "refused", "reason": "unknown signal"})
    ahead = told.model_copy(update={"timeline": [*told.timeline, refused]})
    assert with_written(database, ahead) == ahead


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("inv1", "did you mean inv-1?"),
        ("INV-01", "did you mean inv-1?"),
        ("inv-2", "`starter.py list` shows those that are"),  # another number is another invoice
        ("inv-11", "`starter.py list` shows those that are"),
    ],
)
def test_e1_another_invoice_is_never_proposed_for_a_slip(database: Database, wanted: str, said: str) -> None:
    Office(a_desk(database)).open()
    with database.reading() as session, pytest.raises(Refused) as refused:
        check_known(session, wanted)
    assert said in refused.value.reason
