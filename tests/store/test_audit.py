"""The audit: a chain for each object, that shows every change to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import text

from dunwell.store import audit
from dunwell.store.database import Database
from tests.web.principals import OPERATOR

NOW = datetime(2027, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


def write(database: Database, about: str, key: str, **facts: object) -> bool:
    with database.writing_beside_customers() as session:
        return audit.append(session, OPERATOR, about, "done", NOW, key=key, details=facts)


def broken(database: Database) -> Sequence[tuple[str, str]]:
    with database.reading() as session:
        return list(audit.verify(session))


def test_entries_of_an_object_are_a_chain_and_a_repetition_is_not_written(database: Database) -> None:
    assert write(database, "invoice/1", "a", amount="1.00", nothing=None)
    assert write(database, "invoice/2", "a")
    assert write(database, "invoice/1", "b", on=NOW)
    assert not write(database, "invoice/1", "a", amount="2.00")
    with database.reading() as session:
        found = audit.read(session)
        assert [(one.object, one.number) for one in found] == [("invoice/1", 1), ("invoice/2", 1), ("invoice/1", 2)]
        assert found[2].prev == found[0].hash
        assert found[0].details == {"amount": "1.00"}
        assert [one.key for one in audit.read(session, about="invoice/1", after=found[0].entry_id)] == ["b"]
        assert [one.key for one in audit.read(session, who="operator", since=NOW, limit=1)] == ["a"]
        assert not audit.read(session, who="somebody") and not audit.read(session, since=NOW + timedelta(seconds=1))
    assert not broken(database)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("update audit set principal = 'other' where number = 2", "entry 2 was changed"),
        ('update audit set details = \'{"amount": "9"}\' where number = 1', "entry 1 was changed"),
        ("update audit set action = 'x', hash = prev where number = 3", "entry 3 was changed"),
        ("delete from audit where number = 2", "entry 2 is missing"),
        ("update audit set number = 9 where number = 1", "entry 1 is missing"),
        ("update audit set prev = hash where number = 3", "entry 3 does not follow"),
    ],
)
def test_whoever_changes_the_record_is_found(database: Database, statement: str, says: str) -> None:
    for key in "abc":
        write(database, "invoice/1", key)
        write(database, "invoice/2", key) if key == "a" else None
    with database.engine.begin() as connection:
        connection.execute(text(statement + " and object = 'invoice/1'"))
    ((name, why),) = broken(database)
    assert name == "invoice/1" and why.startswith(says)


def test_many_at_once_make_one_chain(database: Database) -> None:
    threads = [Thread(target=write, args=(database, "invoice/1", str(number))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken(database)
    with database.reading() as session:
        assert [one.number for one in audit.read(session)] == list(range(1, 9))
