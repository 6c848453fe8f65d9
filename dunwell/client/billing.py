"""Applies what billing systems and payment providers reported: what is due, until each subject is settled.

Several processes may do so at once: each subject belongs to one of them at a time.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from dunwell.client.billed_invoices import BilledInvoices
from dunwell.client.billed_payments import BilledPayments
from dunwell.client.billing_outcome import Outcome, waits
from dunwell.client.bounded import gather
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.billed_invoice import newest
from dunwell.domain.billing_events import BilledInvoice, BillingEvent, OtherVersion, SubjectKind, SubjectState
from dunwell.gateways.base import DeliveryError
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.services.billing_inbox import BillingInbox
from dunwell.services.dependencies import Dependencies
from dunwell.services.idempotency import StillRunning
from dunwell.services.loop import repeat
from dunwell.store import billing_events
from dunwell.store.tables import BillingSubjectRow

EVERY = 2.0
"""Seconds between two looks for what is due."""

_LEASE = timedelta(minutes=5)
"""For how long a subject belongs to one process; longer than applying it takes."""
_SOON = timedelta(seconds=20)
_TOGETHER = 100
_LOOK = 0.5  # seconds

_log = logging.getLogger("dunwell.billing")


class Billing:
    """One for each process that applies. A crash only applies later, or again, which changes nothing."""

    def __init__(self, deps: Dependencies, cases: Cases, clock: Callable[[], datetime] | None = None) -> None:
        self._deps, self._database = deps, deps.database
        self._clock = clock or (lambda: datetime.now(UTC))
        self._inbox = BillingInbox(deps.database)
        self._made: Registrar | None = None
        self._payments = BilledPayments(deps.database, cases)
        self._invoices = BilledInvoices(deps.database, cases, self._registrar, deps.billing, self._clock)

    async def run(self) -> None:
        """Apply what is due, now and every EVERY seconds. Runs until cancelled."""
        await repeat(self._apply_all, EVERY, "events of billing systems", _log)

    async def _apply_all(self) -> None:
        while await self.apply_due():
            continue

    async def apply_due(self) -> int:
        """Apply what is due once, payments before invoices. Returns how many subjects that were.

        An invoice that is called paid may be explained by a payment that is reported with it: what stood in for that
        payment is taken back after it came, so that the case is never open in between.
        """
        found, applied = await asyncio.to_thread(self._due), 0
        for kind in (SubjectKind.PAYMENT, SubjectKind.INVOICE):
            done = await gather(self.apply(provider, subject) for provider, subject, of in found if of is kind)
            applied += sum(one is not None for one in done)
        return applied

    async def apply(self, provider: str, subject: str) -> Outcome | None:
        """Apply one subject. None when it is not due, or another process applies it."""
        row = await asyncio.to_thread(self._take, provider, subject)
        return None if row is None else await self._apply(row)

    async def take_and_apply(self, provider: str, billed: str, events: Sequence[BillingEvent]) -> Outcome:
        """Store what a billing system says now of one of its invoices, and apply it, also when nothing is new."""
        await asyncio.to_thread(self._inbox.take, provider, events, self._clock())
        current = newest(one.fact for one in events)
        while (row := await asyncio.to_thread(self._take_again, provider, billed)) is None:
            await asyncio.sleep(_LOOK)  # another process applies it just now
        return await self._apply(row, current)

    async def _apply(self, row: BillingSubjectRow, current: BilledInvoice | None = None) -> Outcome:
        provider, subject = row.provider, row.subject
        try:
            await asyncio.to_thread(self._fetch_other_versions, row)
            if row.kind is SubjectKind.PAYMENT:
                outcome = await self._payments.apply(row)
            else:
                outcome = await self._invoices.apply(row, current)
        except DeliveryError as error:
            outcome = waits(error.reason, row.invoice_id)
        except (NoAnswer, ServerAway, StillRunning) as error:
            _log.warning("%s of %s waits: %s", subject, provider, error)
            outcome = Outcome(SubjectState.DUE, row.invoice_id, row.reason, row.applied, after=_SOON)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # One subject must not keep the others waiting. The error's text may hold personal data.
            _log.error("%s of %s could not be applied (%s)", subject, provider, type(error).__name__)
            outcome = waits(f"a fault of the program ({type(error).__name__}): please report it", row.invoice_id)
        await asyncio.to_thread(self._settle, row, outcome)
        return outcome

    def _due(self) -> list[tuple[str, str, SubjectKind]]:
        with self._database.reading() as session:
            return list(billing_events.due(session, self._clock(), _TOGETHER))

    def _take(self, provider: str, subject: str) -> BillingSubjectRow | None:
        now = self._clock()
        with self._database.writing_beside_customers() as session:
            return billing_events.take(session, provider, subject, now, now + _LEASE)

    def _take_again(self, provider: str, subject: str) -> BillingSubjectRow | None:
        """Take a subject that is due or settled; None while another process applies it."""
        now = self._clock()
        with self._database.writing_beside_customers() as session:
            row = billing_events.get(session, provider, subject)
            if row is not None and (row.next_at is None or row.state is not SubjectState.DUE):
                row.next_at = now
                session.flush()
            return billing_events.take(session, provider, subject, now, now + _LEASE)

    def _settle(self, row: BillingSubjectRow, outcome: Outcome) -> None:
        wait, now = outcome.next_in(row.attempts), self._clock()
        with self._database.writing_beside_customers() as session:
            billing_events.settle(
                session,
                row,
                outcome.state,
                invoice_id=outcome.invoice_id,
                reason=outcome.reason,
                applied=outcome.applied or row.applied,
                next_at=now + wait if wait is not None else None,
                now=now,
            )

    def _fetch_other_versions(self, row: BillingSubjectRow) -> None:
        """Read anew, in our version, what was reported in another; without a gateway it waits."""
        gateway = self._deps.billing.get(row.provider)
        if gateway is None:
            return
        with self._database.reading() as session:
            facts = billing_events.facts(session, row.provider, row.subject)
        found = [
            gateway.fetch(one.kind, one.object_id)
            for one in facts
            if isinstance(one, OtherVersion) and one.kind != "invoice"
        ]
        self._inbox.take(row.provider, [one for one in found if one is not None], self._clock())

    def _registrar(self) -> Registrar:
        """Return the registrar, made once. Raises PolicyError when a ladder cannot be used."""
        if self._made is None:
            self._made = Registrar(self._deps, read_ladders(traits_of(self._deps.catalogue)))
        return self._made
