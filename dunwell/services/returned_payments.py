"""Returned payments of bank statements: which payment each takes back, and the task where that is not sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, EntryState
from dunwell.domain.incoming import of_bank_entry
from dunwell.domain.keys import TaskId
from dunwell.domain.money import exact_amount
from dunwell.services.person_tasks import raise_task
from dunwell.services.statements import original_of
from dunwell.store import cases, incoming_payments
from dunwell.store.database import Database


@dataclass(frozen=True)
class Returned:
    """What a returned payment takes back.

    sure      whether it surely is that payment
    entry_id  under which matching knows the payment
    bookings  invoice, payment id and amount of what is booked of it
    waits     whether a case was not told of its booking yet
    undecided whether nobody has decided yet for which invoice the payment is
    came_at   when the payment counts from
    """

    sure: bool
    entry_id: str = ""
    bookings: tuple[tuple[str, str, Decimal], ...] = ()
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
        for invoice_id, _, _ in found.bookings[:1]:
            with self._database.reading() as session:
                row = cases.get_row(session, invoice_id)
            if row is None:
                continue
            with self._database.writing(row.customer_id) as session:
                case = cases.get(session, invoice_id)
                if case is not None:
                    reason = _reason(entry, found.bookings, refused)
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


def _reason(entry: BankEntry, bookings: Sequence[tuple[str, str, Decimal]], refused: str | None) -> str:
    """What happened, and the commands that take back as much as went back: of each invoice, or of the first."""
    why = f" The case refuses it ({refused})." if refused else ""
    places = get_currency_precision(entry.currency)
    whole = sum(share for _, _, share in bookings) == entry.amount
    invoice_id, payment_id, first = bookings[0]
    shares = bookings if whole else [(invoice_id, payment_id, min(first, entry.amount))]
    commands = " and ".join(
        f"`starter.py reverse-payment {invoice} {payment} --amount {exact_amount(share, places) or share} "
        f"--reason returned --reversal-id bank-{entry.identity}`"
        for invoice, payment, share in shares
    )
    part = "" if whole else "a part of "
    return (
        f"The bank tells that {entry.amount} {entry.currency} went back on {entry.booked_on}, which may be "
        f"{part}payment {payment_id} of this invoice.{why} If it is, take it back: {commands}."
    )


def _returned(session: Session, original: BankEntry, sure: bool) -> Returned:
    came = of_bank_entry(original)
    standing = incoming_payments.standing(session, came.entry_id)
    bookings = tuple((one.invoice_id, one.payment_id, one.amount) for one in standing)
    waits = any(one.told_at is None and one.refused is None for one in standing)
    row = incoming_payments.get(session, came.entry_id)
    undecided = row is not None and row.state in incoming_payments.WAITING
    return Returned(sure, came.entry_id, bookings, waits, undecided, came.received_at)
