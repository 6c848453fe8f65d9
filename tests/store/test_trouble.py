"""What is said when the database cannot be used."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dunwell.store import database as module
from dunwell.store.database import Database, explanation, problem_of
from dunwell.store.schema import migrate


@pytest.fixture
def on_a_file(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    return database


def test_e8_a_full_disk_is_told_as_such(on_a_file: Database) -> None:
    with pytest.raises(OperationalError) as caught, on_a_file.writing() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        for number in range(2000):
            session.execute(
                text("insert into closed_addresses (channel, address, reason, since) values ('email', :a, :r, :s)"),
                {"a": f"{number}@full.example", "r": "x" * 150, "s": "2027-03-01 00:00:00.000000"},
            )
    assert problem_of(caught.value) == "has no room left on its disk"
    assert "make room" in explanation(caught.value)
    assert "full.example" not in explanation(caught.value)


def test_e8_health_says_so_before_the_last_byte_is_written(
    on_a_file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_a_file.problem() is None
    monkeypatch.setattr(module, "_LEAST_FREE", 2**70)
    assert on_a_file.problem() == "has no room left on its disk"


def test_e8_other_troubles_are_not_called_silence(on_a_file: Database, tmp_path: Path) -> None:
    with on_a_file.writing() as session:
        session.execute(text("drop table webhook_events"))
    with pytest.raises(OperationalError) as caught, on_a_file.reading() as session:
        session.execute(text("select * from webhook_events"))
    assert "compare it with a backup" in explanation(caught.value)
