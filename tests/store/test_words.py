"""Columns that hold a word of a closed set: the text in the database stays what it was, and no other word gets in."""

from collections.abc import Iterator
from enum import StrEnum

import pytest
from sqlalchemy import Column, String, insert, select, text
from sqlalchemy.exc import StatementError

from dunwell.domain.channels import Channel
from dunwell.domain.terms import Level, MessageState, ProviderCall, TaskKind, TaskState
from dunwell.store.column_types import Name, UnknownWord, Word
from dunwell.store.database import Database
from dunwell.store.tables import Base, ClosedAddressRow
from tests.builders import at

OPEN_SETS = {
    "billing_events.kind",  # the provider's word
    "confirmations.field",  # the name of a value in a file of jurisdictions/
    "timeline.kind",  # every decision has a kind of its own
    "webhook_events.kind",  # the provider's word
}
WORDS = {"state", "stage", "kind", "channel", "level", "access", "role", "call", "result", "event", "field"}


def test_every_word_of_a_closed_set_is_checked() -> None:
    columns = {f"{column.table.name}.{column.name}": column for column in _columns() if column.name in WORDS}
    free = {name for name, column in columns.items() if isinstance(column.type, String)}
    assert free == OPEN_SETS
    assert all(isinstance(columns[name].type, Word | Name) for name in columns.keys() - OPEN_SETS - {"cases.state"})


def test_words_are_kept_as_the_text_they_are(database: Database) -> None:
    _close(database, Channel.SMS)
    with database.reading() as session:
        assert session.execute(text("SELECT channel FROM closed_addresses")).scalars().all() == ["sms"]
        assert session.scalars(select(ClosedAddressRow.channel)).all() == [Channel.SMS]
        assert isinstance(session.scalars(select(ClosedAddressRow.channel)).one(), Channel)


def test_no_other_word_is_written_or_looked_for(database: Database) -> None:
    with pytest.raises(StatementError, match=r"'pigeon' is no Channel that this release knows: email, sms"):
        _close(database, "pigeon")
    with database.reading() as session, pytest.raises(StatementError, match="'pigeon' is no Channel"):
        session.scalars(select(ClosedAddressRow).where(ClosedAddressRow.channel == "pigeon")).all()


def test_a_word_that_this_release_does_not_know_is_not_taken_for_another(database: Database) -> None:
    _close(database, Channel.SMS)
    with database.writing() as session:
        session.execute(text("UPDATE closed_addresses SET channel = 'pigeon'"))
    with database.reading() as session, pytest.raises(UnknownWord, match="'pigeon' is no Channel"):
        session.scalars(select(ClosedAddressRow)).all()


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        (TaskState, "open done withdrawn"),
        (TaskKind, "call visit meeting decision approval"),
        (ProviderCall, "begun refused answered"),
        (MessageState, "claimed accepted delivered bounced failed unknown withheld"),
        (Level, "restricted suspended work"),
    ],
)
def test_the_words_are_those_in_filled_databases(words: type[StrEnum], stored: str) -> None:
    assert " ".join(words) == stored


def _columns() -> Iterator[Column[object]]:
    for table in Base.metadata.tables.values():
        yield from table.columns


def _close(database: Database, channel: str) -> None:
    with database.writing() as session:
        facts = {"channel": channel, "address": "+15005550006", "reason": "STOP", "since": at("2027-03-10 09:00")}
        session.execute(insert(ClosedAddressRow), [facts])
