"""Writes to those whom customers named as the ones who pay: one e-mail each, at a decent hour, that names no debt."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.terms import PayerState
from dunwell.gateways.base import DeliveryError, Envelope
from dunwell.services import customer_waits, payers, standstill
from dunwell.services.dependencies import Dependencies
from dunwell.services.loop import repeat
from dunwell.store import addresses, cases, customer_pauses
from dunwell.store import payers as store
from dunwell.store.tables import PayerRow
from dunwell.texts.page_words import filled

EVERY = 30.0
"""Seconds between two looks for who is to be written to."""

_RETRY = timedelta(minutes=10)
_LOST = timedelta(minutes=10)
"""After so long without an answer, the process that called the provider is gone."""
_AT_ONCE = 50

_log = logging.getLogger("dunwell.client")


class PayerMail:
    """Several processes may send at once: an e-mail belongs to the one that claimed its row."""

    def __init__(self, deps: Dependencies, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._deps, self._database, self._clock = deps, deps.database, clock

    async def run(self) -> None:
        """Send until cancelled."""
        await repeat(lambda: asyncio.to_thread(self.send_due), EVERY, "e-mails to payers", _log)

    def send_due(self) -> None:
        """Write to everybody who is to be written to now."""
        now = self._clock()
        with self._database.reading() as session:
            found = [(row.payer_id, row.customer_id) for row in store.due(session, now, now - _LOST, _AT_ONCE)]
        for payer_id, customer_id in found:
            self._send(payer_id, customer_id, self._clock())

    def _send(self, payer_id: str, customer_id: str, now: datetime) -> None:
        with self._database.writing(customer_id) as session:
            envelope = self._claimed(session, payer_id, now)
        if envelope is None:
            return
        gateway = self._deps.gateway(Channel.EMAIL, rehearsal=False)
        pace = self._deps.rate_limits.get(gateway.name)
        if pace is not None:
            pace.wait()
        try:
            receipt = gateway.send(envelope)
        except DeliveryError as error:
            retried = not error.maybe_sent and not error.permanent
            state = PayerState.UNKNOWN if error.maybe_sent else PayerState.FAILED
            with self._database.writing(customer_id) as session:
                row = store.get(session, payer_id)
                if row is not None and retried:  # the provider surely did not take it
                    row.state, row.reason, row.next_at = PayerState.DUE, error.reason, now + _RETRY
                elif row is not None:
                    payers.settle(session, row, state, error.reason, now)
            return
        with self._database.writing(customer_id) as session:
            row = store.get(session, payer_id)
            if row is not None:
                row.provider, row.provider_id = receipt.provider, receipt.provider_id
                bounced = receipt.closes_address is not None
                payers.settle(session, row, PayerState.BOUNCED if bounced else PayerState.SENT, receipt.code, now)

    def _claimed(self, session: Session, payer_id: str, now: datetime) -> Envelope | None:
        """Claim the one call, in the transaction that looks at what is open; None when nothing may leave now."""
        row = store.get(session, payer_id)
        case = cases.get(session, row.invoice_id) if row is not None else None
        if row is None or case is None:
            return None
        if row.state is PayerState.CLAIMED and row.called_at is not None and row.called_at < now - _LOST:
            payers.settle(session, row, PayerState.UNKNOWN, "the call was begun and no answer came", now)
        if row.state is not PayerState.DUE:
            return None
        withheld = _why_withheld(session, row, case)
        if withheld is not None:
            payers.settle(session, row, PayerState.WITHHELD, withheld, now)
            return None
        until = self._waits_until(session, case, now)
        if until is not None:  # others behind it may leave meanwhile
            row.next_at = until
            return None
        subject, body = self._written(row)
        store.claim(session, row, subject, body, now)
        return Envelope(
            message_id=store.message_id_of(payer_id),
            channel=Channel.EMAIL,
            to=row.email,
            to_name=row.name,
            subject=subject,
            text=body,
        )

    def _waits_until(self, session: Session, case: Case, now: datetime) -> datetime | None:
        """Until the next decent hour, or a while, as messages are held back or the customer's matters rest."""
        calendar = self._deps.case_calendar(session, case, now)
        if not calendar.is_open(now):
            return calendar.next_open(now)
        rests = (
            standstill.wait(session, now, rehearsal=False) is not None
            or customer_waits.has_unhandled_reply(session, case.customer_id)
            or customer_pauses.in_force(session, case.customer_id, calendar.local_date(now)) is not None
        )
        return now + _RETRY if rests else None

    def _written(self, row: PayerRow) -> tuple[str, str]:
        words, sender = self._deps.catalogue.pages(row.language), self._deps.sender
        facts = {"who": row.who, "name": row.name, "company": sender.company, "address": sender.reply_to or ""}
        said = {
            word: filled(words[word], facts)
            for word in ("payer_subject", "payer_hello", "payer_mail", "payer_ignore")
        }
        signed = "\n".join(line for line in (sender.name, sender.company, sender.phone) if line)
        body = "\n\n".join([said["payer_hello"], said["payer_mail"], said["payer_ignore"], signed])
        return said["payer_subject"], body


def _why_withheld(session: Session, row: PayerRow, case: Case) -> str | None:
    """Why somebody is not written to at all; None when they may be."""
    if case.ended is not None or case.asked == 0:
        return "nothing is asked for any more"
    closed = addresses.why_closed(session, Channel.EMAIL, row.email)
    return f"the address {closed}" if closed is not None else None
