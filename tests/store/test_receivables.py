"""Money without an invoice, as it was at any moment."""

from decimal import Decimal

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.incoming import Source
from dunwell.store import receivables
from dunwell.store.database import Database
from dunwell.store.tables import IncomingPaymentRow
from tests.builders import at


def incoming(
    number: int, state: EntryState, since: str, decided: str | None = None, **more: str
) -> IncomingPaymentRow:
    return IncomingPaymentRow(
        entry_id=f"e{number}",
        source=Source.BANK,
        identity=f"i{number}",
        amount=Decimal(10) ** number,
        currency=more.get("currency", "EUR"),
        received_at=at(since),
        texts=[],
        state=state,
        why="",
        since=at(since),
        ask_at=at(since),
        decided_at=at(decided) if decided else None,
    )


def test_money_waits_from_when_it_was_told_until_somebody_decided(database: Database) -> None:
    with database.writing() as session:
        session.add_all(
            [
                incoming(0, EntryState.UNMATCHED, "2027-03-01 10:00"),
                incoming(1, EntryState.PROPOSED, "2027-03-03 10:00"),
                incoming(2, EntryState.BOOKED, "2027-03-02 10:00", "2027-03-05 10:00"),
                incoming(3, EntryState.SET_ASIDE, "2027-03-02 10:00", "2027-03-04 10:00"),
                incoming(4, EntryState.BOOKED, "2027-03-02 10:00"),
                incoming(5, EntryState.UNMATCHED, "2027-03-01 10:00", currency="USD"),
            ]
        )

    def waiting(when: str) -> tuple[object, ...]:
        with database.reading() as session:
            return receivables.unmatched(session, "EUR", at(when))

    assert waiting("2027-02-28 10:00") == (0, 0, None)
    assert waiting("2027-03-02 12:00") == (1101, 3, at("2027-03-01 10:00"))
    assert waiting("2027-03-04 12:00") == (111, 3, at("2027-03-01 10:00"))
    assert waiting("2027-03-06 12:00") == (11, 2, at("2027-03-01 10:00"))
