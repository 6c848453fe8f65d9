"""How a case stands, by what it says and by what the database has beyond it."""

from datetime import timedelta

from domain.timeline import Entry
from intake.lookup import stored_status, with_written
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
    assert [line.kind for line in known.timeline] == ["opened", "stopped", "dispute"]
    assert with_written(database, known) == known
    assert known.model_copy(update={"timeline": told.timeline}) == told


def test_what_only_the_case_knows_yet_stays(database: Database) -> None:
    office = Office(a_desk(database))
    office.open()
    told = stored_status(database, "inv-1")
    refused = told.timeline[0].model_copy(update={"kind": "refused", "reason": "unknown signal"})
    ahead = told.model_copy(update={"timeline": [*told.timeline, refused]})
    assert with_written(database, ahead) == ahead
