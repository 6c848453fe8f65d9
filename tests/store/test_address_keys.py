"""The migration that gives every address its key, on a database that was used before, of either kind."""

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from dunwell.domain.channels import Channel
from dunwell.store import addresses
from dunwell.store.database import Database
from dunwell.store.schema import _config, migrate

BEFORE = ("0002", "0004", "0007")
EARLY, LATER = datetime(2027, 3, 2, 9, tzinfo=UTC), datetime(2027, 3, 9, 9, tzinfo=UTC)
CLOSED = [
    ("email", "Oda.Out@x.example", "bounced", EARLY),
    ("email", "oda.out@x.example", "stopped", LATER),
    ("email", "rehearsal:Reh@x.example", "bounced", EARLY),
    ("sms", "+4915112345678", "is a wrong number", EARLY),
    ("letter", "Werkstraße 12\n10115 Berlin", "bounced", EARLY),
]
MESSAGES = [
    ("m1", "acme", "email", "Oda.Out@x.example"),
    ("m2", "rehearsal.acme", "email", "Oda.Out@x.example"),
    ("m3", "acme", "sms", "+4915112345678"),
    ("m4", "acme", "letter", "Werkstraße 12\n10115 Berlin"),
]


def to(database: Database, revision: str) -> None:
    with database.engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(connection: Connection, table: str, **facts: Any) -> None:
    """A row of a schema as it was; what has to be said and is not named here is blank."""
    blanks: dict[str, Any] = {"INTEGER": 0, "BOOLEAN": False, "NUMERIC": 0}
    for column in inspect(connection).get_columns(table):
        if not column["nullable"] and column["default"] is None and column["name"] not in facts:
            facts[column["name"]] = blanks.get(str(column["type"]).partition("(")[0], "")
    names = ", ".join(f'"{name}"' for name in facts)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in facts)})"), facts
    )


@pytest.mark.parametrize("revision", BEFORE)
def test_b5_a_used_database_gets_keys_for_its_addresses(database_url: str, revision: str) -> None:
    database = Database(database_url)
    to(database, revision)
    with database.engine.begin() as connection:
        for customer_id in ("acme", "rehearsal.acme"):
            fill(connection, "customers", customer_id=customer_id, name="Acme", country="DE", time_zone="UTC")
        for channel, address, reason, since in CLOSED:
            fill(connection, "closed_addresses", channel=channel, address=address, reason=reason, since=since)
        for message_id, customer_id, channel, address in MESSAGES:
            facts = {"channel": channel, "address": address, "planned_at": EARLY, "claimed_at": EARLY}
            fill(connection, "messages", message_id=message_id, customer_id=customer_id, **facts)
    migrate(database)
    with database.reading() as session:
        closed: list[tuple[Channel, str, str | None]] = [
            (Channel.EMAIL, "ODA.OUT@X.EXAMPLE", "stopped"),
            (Channel.SMS, "+49 151 12345678", "is a wrong number"),
            (Channel.LETTER, "WERKSTRASSE 12, 10115 BERLIN", "bounced"),
            (Channel.EMAIL, "reh@x.example", None),
        ]
        for kind, spelling, why in closed:
            assert addresses.why_closed(session, kind, spelling) == why
        assert addresses.why_closed(session, Channel.EMAIL, "REH@x.example", rehearsal=True) == "bounced"
        kept = session.execute(text("SELECT message_id, address, address_key FROM messages ORDER BY message_id"))
        assert [tuple(row) for row in kept] == [
            ("m1", "Oda.Out@x.example", "oda.out@x.example"),
            ("m2", "Oda.Out@x.example", "rehearsal:oda.out@x.example"),
            ("m3", "+4915112345678", "+4915112345678"),
            ("m4", "Werkstraße 12\n10115 Berlin", "werkstrasse 12 10115 berlin"),
        ]
    database.close()
