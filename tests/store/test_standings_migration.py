"""A database of an earlier release learns from its timelines how its invoices stood."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, insert, select

from dunwell.domain.terms import PromiseState, Stage
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.store.tables import Base, PromiseRow, StandingRow
from tests.builders import sample_deps
from tests.databases import opened
from tests.services.conftest import ServiceHarness

BEFORE = "0027"


def test_standings_and_promises_are_read_from_the_timeline(blank_file: Path, tmp_path: Path) -> None:
    """Carried over from before, they are as they would have been written."""
    shutil.copy(blank_file, tmp_path / "now.sqlite")
    database = opened(f"sqlite:///{tmp_path}/now.sqlite")
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.record("promise_to_pay", "2027-03-02 09:00", date="2027-03-04", promised_by="user")
    harness.record("dispute_opened", "2027-03-03 09:00", reason="quality", opened_by="user", amount="300.00")
    harness.record("dispute_resolved", "2027-03-05 09:00", outcome="upheld", by="manager")
    harness.record("invoice_amended", "2027-03-06 09:00", amount="800.00", due_on="2027-03-20", by="billing")
    harness.record("promise_to_pay", "2027-03-07 09:00", date="2027-03-09", promised_by="user")
    harness.pay("2027-03-08 09:00", "800.00")
    harness.record("payment_reversed", "2027-03-09 09:00", payment_id="p1", reason="bounced")
    harness.record("write_off", "2027-03-10 09:00", reason="small", by="manager")

    def written(found: Database) -> tuple[list[Any], list[Any]]:
        with found.reading() as session:
            rows = session.scalars(select(StandingRow).order_by(StandingRow.number)).all()
            promises = session.scalars(select(PromiseRow).order_by(PromiseRow.number)).all()
            return (
                [(row.since, row.amount, row.due_on, row.tolerance, row.end, row.disputed) for row in rows],
                [(row.made_at, row.date, row.amount, row.state, row.earlier) for row in promises],
            )

    before = written(database)
    assert [row[1:] for row in before[0]][-1] == (
        Decimal(800),
        date(2027, 3, 20),
        Decimal("0.50"),
        Stage.WRITTEN_OFF,
        Decimal(0),
    )
    assert PromiseState.KEPT in {row[3] for row in before[1]}
    migrated = Database(f"sqlite:///{tmp_path}/earlier.sqlite")
    migrate(migrated, BEFORE)
    _copy(database, migrated)
    migrate(migrated)
    assert written(migrated) == before
    migrated.close()
    database.close()


def _copy(source: Database, target: Database) -> None:
    """Copy what an earlier schema has of these tables."""
    for name in ("customers", "policies", "invoices", "cases", "timeline"):
        earlier, now = Table(name, MetaData(), autoload_with=target.engine), Base.metadata.tables[name]
        columns = [column for column in now.columns if column.name in earlier.columns]
        with source.engine.connect() as reading, target.engine.begin() as writing:
            for row in reading.execute(select(*columns)):
                writing.execute(insert(now).values(**row._mapping))
