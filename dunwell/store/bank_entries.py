"""Bank statements and the movements they tell. An entry is stored once, however many files tell it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, EntryState, StatementFormat
from dunwell.domain.refusal import Refused
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import BankEntryRow, StatementRow

_AT_ONCE = 500
_STORED = tuple(name for name in BankEntry.model_fields if name != "pending")  # pending entries are not stored


def add_statement(session: Session, statement: StatementRow, entries: Sequence[BankEntry]) -> None:
    """Store a statement and its new entries. None of the entries may be known or pending."""
    session.add(statement)
    session.flush()
    more = {"statement_id": statement.statement_id, "state": EntryState.NEW, "at": statement.at}
    facts = [{name: getattr(entry, name) for name in _STORED} | more for entry in entries]
    for one in facts:
        one["references"] = list(one["references"])
    add_all(session, BankEntryRow, facts)


def statement(session: Session, statement_id: str) -> StatementRow | None:
    """Return the statement of this digest; None when no such file was booked."""
    return session.get(StatementRow, statement_id)


def latest(session: Session, limit: int) -> Sequence[StatementRow]:
    """Return the statements that were booked last, the latest first."""
    query = select(StatementRow).order_by(StatementRow.at.desc(), StatementRow.statement_id)
    return session.scalars(query.limit(limit)).all()


def known(session: Session, identities: Collection[str]) -> dict[str, BankEntryRow]:
    """Return those of the entries that are stored, by identity."""
    wanted, found = list(identities), {}
    for first in range(0, len(wanted), _AT_ONCE):
        some = select(BankEntryRow).where(BankEntryRow.identity.in_(wanted[first : first + _AT_ONCE]))
        found.update({row.identity: row for row in session.scalars(some)})
    return found


def find(session: Session, identity: str) -> BankEntryRow:
    """Return the entry of this identity. Raises Refused for an unknown one."""
    row = session.get(BankEntryRow, identity)
    if row is None:
        raise Refused("entry", "is not known: `starter.py unmatched` lists the entries that wait for a decision")
    return row


def in_state(session: Session, states: Iterable[EntryState]) -> Sequence[BankEntryRow]:
    """Return the entries in one of the states, the oldest first."""
    query = select(BankEntryRow).where(BankEntryRow.state.in_(list(states)))
    return session.scalars(query.order_by(BankEntryRow.booked_on, BankEntryRow.identity)).all()


def move_on(session: Session, identities: Collection[str], state: EntryState) -> None:
    """Note how far these entries have come."""
    wanted = list(identities)
    for first in range(0, len(wanted), _AT_ONCE):
        some = BankEntryRow.identity.in_(wanted[first : first + _AT_ONCE])
        session.execute(update(BankEntryRow).where(some).values(state=state))


def around(
    session: Session, accounts: Collection[str], first: date, last: date
) -> Iterator[tuple[BankEntry, StatementFormat, EntryState]]:
    """Yield what is stored of these accounts in these days, each entry with the format that told it and its state.

    A sum in whose place its transactions stand is left out.
    """
    query = (
        select(BankEntryRow, StatementRow.format)
        .join(StatementRow, StatementRow.statement_id == BankEntryRow.statement_id)
        .where(BankEntryRow.account.in_(list(accounts)), BankEntryRow.booked_on.between(first, last))
        .where(BankEntryRow.state != EntryState.ITEMISED)
        .order_by(BankEntryRow.booked_on, BankEntryRow.identity)
    )
    for row, format_ in session.execute(query):
        yield entry_of(row), format_, row.state


def in_state_since(session: Session, accounts: Collection[str], state: EntryState, first: date) -> list[BankEntry]:
    """Return the entries of these accounts in that state that were booked on a day or after it."""
    query = select(BankEntryRow).where(
        BankEntryRow.account.in_(list(accounts)), BankEntryRow.state == state, BankEntryRow.booked_on >= first
    )
    return [entry_of(row) for row in session.scalars(query)]


def alike(session: Session, entry: BankEntry) -> Sequence[BankEntryRow]:
    """Return other entries of the same account and currency with its end-to-end id or its bank's reference."""
    same = [
        column == value
        for column, value in (
            (BankEntryRow.end_to_end_id, entry.end_to_end_id),
            (BankEntryRow.reference, entry.reference),
        )
        if value is not None
    ]
    if not same:
        return ()
    query = select(BankEntryRow).where(
        or_(*same),
        BankEntryRow.account == entry.account,
        BankEntryRow.currency == entry.currency,
        BankEntryRow.identity != entry.identity,
    )
    return session.scalars(query.order_by(BankEntryRow.booked_on, BankEntryRow.identity)).all()


def returned_on(session: Session, identity: str) -> date | None:
    """Return the day on which the bank took this entry's money back; None when it did not."""
    row = session.get(BankEntryRow, identity)
    if row is None:
        return None
    returns = (one for one in alike(session, entry_of(row)) if one.state is EntryState.RETURNED)
    return next((one.booked_on for one in returns if one.amount == row.amount), None)


def entry_of(row: BankEntryRow) -> BankEntry:
    """Return the stored row as the value that matching works on."""
    return BankEntry(**{name: getattr(row, name) for name in _STORED})
