"""Each test finds the PostgreSQL database that all share empty, whatever the test before it did."""

import pytest
from sqlalchemy import text

from dunwell.store import notes
from tests.builders import an_invoice, at, sample_deps
from tests.databases import opened
from tests.services.conftest import ServiceHarness
from tests.shared_postgres import SharedPostgres


@pytest.mark.parametrize("change", [None, "drop table notes", "alter table notes rename column text to words"])
def test_what_a_test_did_is_gone(shared_postgres: SharedPostgres, change: str | None) -> None:
    for _ in range(2):
        database = opened(shared_postgres.url)
        ServiceHarness(sample_deps(database)).open(an_invoice())
        with database.writing("acme") as session:
            notes.add(session, note_id="n", invoice_id="inv-1", author="a", text="t", now=at("2027-03-01 12:00"))
            if change:
                session.execute(text(change))
        with database.engine.connect() as left_open:
            left_open.execute(text("select 1 from invoices"))
            shared_postgres.empty()
            left_open.invalidate()
        database.close()
