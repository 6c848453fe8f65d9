"""Stored bank entries come back as they were."""

from datetime import UTC, date, datetime
from decimal import Decimal

from dunwell.domain.bank_entry import EntryState, StatementFormat, identify
from dunwell.store import bank_entries
from dunwell.store.database import Database
from dunwell.store.tables import StatementRow
from tests.domain.test_bank_entry import entry

NOW = datetime(2027, 3, 2, 8, tzinfo=UTC)


def test_an_entry_is_read_as_it_was_stored(database: Database) -> None:
    told = identify(
        [
            entry(),
            entry(
                reference="A1",
                value_on=date(2027, 3, 2),
                references=("RF18539007547034", "RF4712"),
                end_to_end_id="E2E-1",
                payer_name="Müller GmbH",
                payer_iban="DE75512108001245126199",
                charges=Decimal("1.50"),
                instructed_amount=Decimal("1300.00"),
                instructed_currency="USD",
                batch="b1",
                batch_amount=Decimal("2400.00"),
            ),
        ]
    )
    statement = StatementRow(
        statement_id="d" * 64,
        name="march.xml",
        format=StatementFormat.CAMT_053,
        entries=2,
        problems=[],
        by="agent",
        at=NOW,
    )
    with database.writing() as session:
        bank_entries.add_statement(session, statement, told)
    with database.writing() as session:
        assert bank_entries.statement(session, "d" * 64) is not None
        waiting = bank_entries.in_state(session, [EntryState.NEW])
        assert {bank_entries.entry_of(row) for row in waiting} == set(told)
        assert set(bank_entries.known(session, [one.identity for one in told] + ["x"])) == {
            one.identity for one in told
        }
        bank_entries.move_on(session, [told[0].identity], EntryState.BOOKED)
        assert [row.identity for row in bank_entries.in_state(session, [EntryState.NEW])] == [told[1].identity]
