"""Returned payments of bank statements: which payment each takes back, and the task where that is not sure."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, EntryState
from dunwell.domain.incoming import of_bank_entry
from dunwell.domain.keys import TaskId
from dunwell.services.person_tasks import raise_task
from dunwell.services.statements import original_of
from dunwell.store import cases, incoming_payments
from dunwell.store.database import Database


@dataclass(frozen=True)
class Returned:
    """What a returned payment takes back.

    sure      whether it surely is that payment
    entry_id  under which matching knows the payment
    bookings  invoice and payment id of what is booked of it
    waits     whether a case was not told of its booking yet
    undecided whether nobody has decided yet for which invoice the payment is
    came_at   when the payment counts from
    """

    sure: bool
    entry_id: str = ""
    bookings: tuple[tuple[str, str], ...] = ()
    waits: bool = False
    undecided: bool = False
    came_at: datetime | None = None


class ReturnedPayments:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, entry: BankEntry) -> Returned:
        """Return which kept payment the entry takes back; where it is not sure, the first that it may be."""
        with self._database.reading() as session:
            originals, sure = original_of(session, entry)
            found = [_returned(session, one, sure) for one in originals]
        booked = [one for one in found if one.bookings]
        undecided = any(one.undecided for one in found)
        return found[0] if sure else next(iter(booked), Returned(sure=False, undecided=undecided))

    def ask(self, entry: BankEntry, found: Returned, now: datetime, refused: str | None = None) -> EntryState:
        """Ask a person to take the payment back by hand, once. Returns how far the entry has come by that."""
        for invoice_id, payment_id in found.bookings[:1]:
            with self._database.reading() as session:
                row = cases.get_row(session, invoice_id)
            if row is None:
                continue
            with self._database.writing(row.customer_id) as session:
                case = cases.get(session, invoice_id)
                if case is not None:
                    reason = _reason(entry, invoice_id, payment_id, refused)
                    raise_task(
                        session,
                        case,
                        task_id=str(TaskId.of(invoice_id, "returned", entry.identity)),
                        step="",
                        reason=reason,
                        now=now,
                        amount=entry.amount,
                        outlives_case=True,
                    )
                    return EntryState.ASKED
        return EntryState.UNRELATED


def _reason(entry: BankEntry, invoice_id: str, payment_id: str, refused: str | None) -> str:
    why = f" The case refuses it ({refused})." if refused else ""
    return (
        f"The bank tells that {entry.amount} {entry.currency} went back on {entry.booked_on}, which may be payment "
        f"{payment_id} of this invoice.{why} If it is, take it back: `starter.py reverse-payment {invoice_id} "
        f"{payment_id} --reason returned`."
    )


def _returned(session: Session, original: BankEntry, sure: bool) -> Returned:
    came = of_bank_entry(original)
    standing = incoming_payments.standing(session, came.entry_id)
    bookings = tuple((one.invoice_id, one.payment_id) for one in standing)
    waits = any(one.told_at is None and one.refused is None for one in standing)
    row = incoming_payments.get(session, came.entry_id)
    undecided = row is not None and row.state in incoming_payments.WAITING
    return Returned(sure, came.entry_id, bookings, waits, undecided, came.received_at)
