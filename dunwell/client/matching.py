"""Books incoming payments on invoices for the command line, the web and statements: matched, confirmed or by hand."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from dunwell.client.cases import Cases
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.incoming import Incoming
from dunwell.domain.matching import Match
from dunwell.domain.payments import WRONGLY_MATCHED
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.refusal import Refused
from dunwell.services.idempotency import StillRunning
from dunwell.services.incoming_payments import IncomingPayments, Taken
from dunwell.services.reported_payments import ReportedPayments, is_reported
from dunwell.services.submissions import Submission
from dunwell.store.database import Database
from dunwell.store.tables import BookingRow

_TOLD_AGAIN_AFTER = timedelta(hours=1)


class Matching:
    """Everything about incoming payments. Safe to share between tasks."""

    def __init__(
        self, database: Database, cases: Cases, unmatched_days: int, submission: Submission | None = None
    ) -> None:
        self._database, self._cases, self._unmatched_days = database, cases, unmatched_days
        self._payments = IncomingPayments(database, unmatched_days, submission)
        self._reported = ReportedPayments(database, unmatched_days, submission)

    def by_form(self, submission: Submission) -> "Matching":
        """Return the same for a decision by this form. One by a form that was carried out raises AlreadyDone."""
        return Matching(self._database, self._cases, self._unmatched_days, submission)

    def preview(self, found: Sequence[Incoming]) -> list[Match | Taken]:
        """Return what would become of each payment now; Taken for one that is known. Changes nothing."""
        return self._payments.preview(found)

    async def take(self, found: Sequence[Incoming], principal: Principal) -> list[Taken]:
        """Keep each payment once: book what is sure, propose what is likely. Safe to repeat. Raises NotAllowed."""
        taken = await asyncio.to_thread(self._payments.take, found, principal, _now())
        await self.tell_cases(principal, [one.entry_id for one in taken if one.new], wait=False)
        return taken

    async def confirm(self, entry_id: str, number: int, principal: Principal, *, other_money: bool = False) -> None:
        """Book a payment as a proposal says. Raises Refused, NotAllowed.

        other_money: they say that it is not the money, booked already, that it may be
        """
        confirm = partial(self._payments.confirm, other_money=other_money)
        await asyncio.to_thread(confirm, entry_id, number, principal, _now())
        await self.tell_cases(principal, [entry_id])

    async def reject(self, entry_id: str, number: int, principal: Principal) -> None:
        """Reject a proposal. Raises Refused, NotAllowed."""
        await asyncio.to_thread(self._payments.reject, entry_id, number, principal, _now())

    async def assign(
        self,
        entry_id: str,
        shares: Sequence[tuple[str, Decimal | None]],
        principal: Principal,
        *,
        other_money: bool = False,
    ) -> None:
        """Book a payment on these invoices; one without an amount gets the rest. Raises Refused, NotAllowed."""
        if is_reported(entry_id):
            await asyncio.to_thread(self._reported.assign, entry_id, shares, principal, _now())
            return
        assign = partial(self._payments.assign, other_money=other_money)
        await asyncio.to_thread(assign, entry_id, shares, principal, _now())
        await self.tell_cases(principal, [entry_id])

    async def undo(self, entry_id: str, principal: Principal) -> None:
        """Take a booked payment back from its invoices, and propose invoices anew; or set it aside no more.

        Raises Refused, NotAllowed.
        """
        if is_reported(entry_id):
            await asyncio.to_thread(self._reported.undo, entry_id, principal, _now())
            return
        await asyncio.to_thread(self._payments.undo, entry_id, principal, _now())
        await self.tell_cases(principal, [entry_id])
        await asyncio.to_thread(self._payments.propose_again, entry_id, _now())

    async def set_aside(self, entry_id: str, reason: str, principal: Principal) -> None:
        """Note that a payment is for no invoice. Raises Refused, NotAllowed."""
        payments = self._reported if is_reported(entry_id) else self._payments
        await asyncio.to_thread(payments.set_aside, entry_id, reason, principal, _now())

    async def try_again(self) -> int:
        """Match anew what could not be matched, ask people about what waits for too long, and tell the cases.

        What was booked before the database was restored from an older copy is booked again.

        For the hourly sweep. Returns how many are matched now.
        """
        await asyncio.to_thread(self._payments.recall, SYSTEM, _now())
        matched = await asyncio.to_thread(self._payments.try_again, SYSTEM, _now())
        await asyncio.to_thread(self._payments.ask_people, _now())
        await asyncio.to_thread(self._reported.ask_people, _now())
        await self.tell_cases(SYSTEM, wait=False)
        return matched

    async def tell_cases(
        self, principal: Principal, entry_ids: Collection[str] | None = None, *, wait: bool = True
    ) -> None:
        """Tell the cases what was booked on them and what was undone, of these payments or of all.

        What fails is tried again within the hour.
        """
        for booking in await asyncio.to_thread(self._payments.to_tell, _now(), _TOLD_AGAIN_AFTER, entry_ids):
            if not await asyncio.to_thread(self._payments.begin_telling, booking, _now()):
                continue
            try:
                await self._tell(booking, principal, wait=wait)
            except Refused as refused:
                await asyncio.to_thread(self._payments.told, booking, _now(), str(refused))
            except (NoAnswer, StillRunning, ServerAway):
                return
            else:
                await asyncio.to_thread(self._payments.told, booking, _now())

    async def _tell(self, booking: BookingRow, principal: Principal, *, wait: bool) -> None:
        incoming = await asyncio.to_thread(self._payments.incoming, booking.entry_id)
        if booking.undone_at is None or booking.telling_at is not None:  # a payment is taken back after it came
            content = {
                "payment_id": booking.payment_id,
                "amount": str(booking.amount),
                "currency": incoming.currency,
                "received_at": incoming.received_at.isoformat(),
                "method": incoming.source.value,
            }
            await self._cases.tell(booking.invoice_id, "payment_received", content, principal=principal, wait=wait)
        if booking.undone_at is not None and booking.telling_at is not None:
            content = {"payment_id": booking.payment_id, "reason": WRONGLY_MATCHED}
            by = await asyncio.to_thread(self._payments.decided_by, booking.entry_id)
            content |= {"by": by} if by else {}
            await self._cases.tell(booking.invoice_id, "payment_reversed", content, principal=principal, wait=wait)


def _now() -> datetime:
    return datetime.now(UTC)
