"""Books bank statements: money that came in by matching, returned payments on the cases that they had paid."""

import asyncio
from datetime import UTC, datetime

from dunwell.client.cases import Cases
from dunwell.client.matching import Matching
from dunwell.domain.bank_entry import BankEntry, EntryState
from dunwell.domain.cleaning import printable
from dunwell.domain.incoming import of_bank_entry
from dunwell.domain.noon import noon
from dunwell.domain.payments import RETURNED
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.statement_parts import StatementError, StatementFile
from dunwell.intake.statements import read_statement
from dunwell.services.returned_payments import Returned, ReturnedPayments
from dunwell.services.statements import StatementPreview, Statements
from dunwell.store import statement_layouts
from dunwell.store.database import Database

_AT_ONCE = 200
_NAMED = 3


def read_and_preview(
    database: Database, unmatched_days: int, content: bytes, name: str, layout: str | None, now: datetime
) -> tuple[StatementPreview, StatementFile]:
    """Return what a file would bring, and what it tells. Changes nothing.

    layout  the name under which the layout of a CSV file is kept

    Raises Refused for a file that is no statement, and for an unknown layout.
    """
    with database.reading() as session:
        known = statement_layouts.find(session, layout) if layout else None
    try:
        file = read_statement(content, known)
    except StatementError as error:
        raise Refused("file", f"{printable(name)} {error}") from None
    return Statements(database, unmatched_days).preview(file, content, name, now), file


class StatementBooking:
    """Books statements. Safe to share between tasks."""

    def __init__(self, database: Database, cases: Cases, unmatched_days: int) -> None:
        self._statements, self._returned = Statements(database, unmatched_days), ReturnedPayments(database)
        self._matching, self._cases = Matching(database, cases, unmatched_days), cases

    async def book(
        self, preview: StatementPreview, file: StatementFile, principal: Principal, *, accept_partial: bool = False
    ) -> StatementPreview:
        """Book what is new in a file, and return what became of each entry. Safe to repeat.

        Raises Refused for a file with problems, unless a person accepts what is left of it, and NotAllowed.
        """
        principal.check(Right.STATEMENTS_WRITE)
        if preview.problems and not accept_partial:
            more = f" and {len(preview.problems) - _NAMED} more" if len(preview.problems) > _NAMED else ""
            said = "; ".join(preview.problems[:_NAMED])
            why = f"nothing is booked, because the file is good in part only: {said}{more}"
            raise Refused("statement", f"{why}. Get it from the bank anew, or accept the rest (--accept-partial)")
        await self.finish(principal)  # what a file before left unfinished may be what this one itemises
        await asyncio.to_thread(self._statements.keep, preview, file, principal, _now())
        await self.finish(principal)
        return await asyncio.to_thread(self._statements.outcome, preview)

    async def finish(self, principal: Principal) -> None:
        """Hand on every kept entry that was not yet: those of a file just kept, and those of one that broke off.

        For the hourly sweep, too. Safe to repeat.
        """
        new = await asyncio.to_thread(self._statements.new)
        came = [entry for entry in new if entry.came_in]
        for first in range(0, len(came), _AT_ONCE):
            some = came[first : first + _AT_ONCE]
            await self._matching.take([of_bank_entry(entry) for entry in some], principal)
        for entry in new:
            if not entry.came_in:
                await self._return(entry, principal)

    async def _return(self, entry: BankEntry, principal: Principal) -> None:
        """Take back what a returned payment had paid, where that is sure; else ask a person.

        It stays new while a case has not been told of the payment, which another process may have booked just now: a
        case refuses to give back what it did not get, and would be paid by what comes after.
        """
        found = await asyncio.to_thread(self._returned.find, entry)
        if found.sure and found.waits:
            await self._matching.tell_cases(principal, [found.entry_id], wait=False)
            found = await asyncio.to_thread(self._returned.find, entry)
            if found.waits:
                return
        if not found.sure and found.undecided:
            return  # what it may take back may yet be booked
        state = EntryState.RETURNED
        if not found.sure:
            state = await asyncio.to_thread(self._returned.ask, entry, found, _now())
        elif found.bookings:
            refused = await self._take_back(entry, found, principal)
            if refused is not None:
                state = await asyncio.to_thread(self._returned.ask, entry, found, _now(), refused)
        else:
            try:
                await self._matching.set_aside(found.entry_id, RETURNED, principal)
            except Refused:
                state = EntryState.UNRELATED  # somebody had set it aside before
        await asyncio.to_thread(self._statements.move_on, [entry], state)

    async def _take_back(self, entry: BankEntry, found: Returned, principal: Principal) -> str | None:
        """Tell the cases. Returns why one of them refuses it; None when all take it."""
        refused = None
        went_at = noon(entry.booked_on)
        for invoice_id, payment_id, _ in found.bookings:
            content = {
                "payment_id": payment_id,
                "reason": RETURNED,
                "reversal_id": f"bank-{entry.identity}",
                "reversed_at": max(went_at, found.came_at or went_at).isoformat(),
            }
            try:
                await self._cases.tell(invoice_id, "payment_reversed", content, principal=principal, wait=False)
            except Refused as error:
                refused = f"{invoice_id}: {error}"
        return refused


def _now() -> datetime:
    return datetime.now(UTC)
