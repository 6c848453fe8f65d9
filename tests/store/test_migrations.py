"""Every migration is applied to a database in use: filled tables of each earlier schema, SQLite and PostgreSQL."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from dunwell.store import provider_events
from dunwell.store.database import Database
from dunwell.store.schema import AHEAD, SchemaError, check_schema, migrate, revisions
from dunwell.store.tables import Base, MessageInvoiceRow

_MADE_ON = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)
_USUAL: dict[tuple[str, str], tuple[Any, Any]] = {
    ("customers", "country"): ("DE", "US"),
    ("customers", "time_zone"): ("Europe/Berlin", "America/New_York"),
    ("customers", "language"): ("en", "es"),
    ("contacts", "contact_id"): ("C-1.accounts_payable.1", "C-2.user.1"),
    ("contacts", "role"): ("accounts_payable", "user"),
    ("contacts", "email"): ("Ada@Debtor.example", "bob@debtor.example"),
    ("contacts", "phone"): ("+4930123456", "+12025550123"),
    ("closed_addresses", "channel"): ("email", "sms"),
    ("closed_addresses", "address"): ("Ada@Debtor.example", "+12025550123"),
    ("messages", "channel"): ("email", "sms"),
    ("messages", "contact_id"): ("C-1.accounts_payable.1", "C-2.user.1"),
    ("messages", "address"): ("Ada@Debtor.example", "+12025550123"),
    ("message_invoices", "contact_id"): ("C-1.accounts_payable.1", "C-2.user.1"),
    ("message_invoices", "channel"): ("email", "sms"),
    ("tasks", "contact_id"): ("C-1.accounts_payable.1", "C-2.user.1"),
    ("tasks", "state"): ("open", "done"),
    ("cases", "stage"): ("chasing", "paid"),
    ("payments", "currency"): ("EUR", "USD"),
}
"""Where a migration reads what stands there, what stands there looks like the real thing."""


def a_value(column: Column[Any], number: int) -> Any:
    """What stands in this column of the row `number`, 0 or 1; rows refer to the rows of the same number."""
    for key in column.foreign_keys:
        return a_value(key.column, number)
    usual = _USUAL.get((column.table.name, column.name))
    if usual is not None:
        return usual[number]
    kind = column.type.python_type
    length = getattr(column.type, "length", None)
    words = f"{number}-{column.table.name}-{column.name}"
    values = {
        str: words[:length],
        bytes: b"%PDF",
        int: number + 1,
        bool: False,
        Decimal: Decimal("12.50"),
        float: 12.5,
        date: _MADE_ON.date(),
        datetime: _MADE_ON,
        object: {"paid": "0"},  # JSON
    }
    return values[kind]


def fill(connection: Connection) -> dict[str, int]:
    """Two rows in every table. Returns the number of rows by table."""
    known = MetaData()
    known.reflect(connection)
    tables = [table for table in known.sorted_tables if table.name != "alembic_version"]
    for table in tables:
        for number in (0, 1):
            connection.execute(insert(table), {column.name: a_value(column, number) for column in table.columns})
    return {table.name: rows_of(connection, table) for table in tables}


def rows_of(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.parametrize("revision", revisions())
def test_e5_a_database_in_use_is_migrated_from_every_earlier_schema(database_url: str, revision: str) -> None:
    database = Database(database_url)
    migrate(database, revision)
    with database.engine.begin() as connection:
        before = fill(connection)
    assert before, "nothing was filled"
    migrate(database)
    check_schema(database)
    with database.engine.connect() as connection:
        known = MetaData()
        known.reflect(connection)
        kept = {name: rows_of(connection, known.tables[name]) for name in before if name in known.tables}
    assert kept == {name: before[name] for name in kept}
    database.close()


def test_what_messages_claimed_is_kept_to_the_cent(database_url: str) -> None:
    database = Database(database_url)
    migrate(database, "0028")
    with database.engine.begin() as connection:
        fill(connection)
        for number, amount in enumerate(("9.10", "123456789012.33")):
            connection.execute(
                text("update message_invoices set claimed = :amount where message_id = :id"),
                {"amount": amount, "id": a_value(Base.metadata.tables["messages"].c.message_id, number)},
            )
    migrate(database)
    with database.engine.connect() as connection:
        claimed = select(MessageInvoiceRow.claimed).order_by(MessageInvoiceRow.message_id)
        assert [str(one) for one in connection.scalars(claimed)] == ["9.10", "123456789012.33"]
        if connection.dialect.name == "sqlite":
            kinds = connection.scalars(text("select distinct typeof(claimed) from message_invoices"))
            assert kinds.all() == ["text"], "SQLite computes with numbers as floats"
    database.close()


def test_what_a_provider_reported_keeps_its_content(database_url: str) -> None:
    """Of an event that waits for its message, so that it is applied after the migration as it was reported."""
    bodies = {"e1": {"news": {"kind": "delivered"}, "tell": ["inv-1"]}, "e2": {"news": {"kind": "bounce"}}}
    database = Database(database_url)
    migrate(database, "0032")
    with database.engine.begin() as connection:
        events = Table("webhook_events", MetaData(), autoload_with=connection)
        rows = [
            {"provider": "twilio", "event_id": key, "kind": "k", "body": body, "received_at": _MADE_ON}
            for key, body in bodies.items()
        ]
        connection.execute(insert(events), rows)
    migrate(database)
    with database.reading() as session:
        kept = {row.event_id: row.body for row in provider_events.waiting(session)}
    assert kept == {"e1": {"event": {"kind": "delivered"}, "tell": ["inv-1"]}, "e2": {"event": {"kind": "bounce"}}}
    database.close()


def test_e5_references_are_checked_again_afterwards(database_url: str) -> None:
    database = Database(database_url)
    migrate(database)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(
            text("insert into notes (note_id, invoice_id, author, text, at) values ('n', 'nobody', 'a', 't', :at)"),
            {"at": _MADE_ON},
        )
    database.close()


def test_e16_a_newer_schema_is_told_in_one_sentence_and_left_as_it_is(database_url: str) -> None:
    database = Database(database_url)
    migrate(database)
    with database.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    for ask in (check_schema, migrate):
        with pytest.raises(SchemaError) as said:
            ask(database)
        assert str(said.value) == AHEAD
    database.close()


def test_a_database_that_is_behind_says_what_to_run(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(SchemaError, match="--set-up"):
        check_schema(database)
    migrate(database, revisions()[0])
    with pytest.raises(SchemaError, match="--set-up"):
        check_schema(database)
    database.close()
