"""Sends what the inbox has for cases, such as delivery reports, to those cases, until each was sent."""

import asyncio
import logging
from datetime import UTC, datetime

from dunwell.client.cases import Cases
from dunwell.client.server import ServerAway
from dunwell.domain.refusal import Refused
from dunwell.services.event_inbox import Inbox, PendingEvents
from dunwell.web.temporal_connection import TemporalConnection

EVERY = 30.0
"""Seconds between two rounds without a call of `wake`."""

_GIVES_UP_AFTER = 3  # failures in a row after which a round ends, because the server is down

_log = logging.getLogger("dunwell.web")


class ReportDispatcher:
    """One for each process. An event stays in the inbox until it is sent: a crash only sends it later, or twice."""

    def __init__(self, inbox: Inbox, cases: Cases, connection: TemporalConnection) -> None:
        self._inbox = inbox
        self._cases = cases
        self._connection = connection
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Begin a round soon, because there may be a new event."""
        self._wake.set()

    async def run(self) -> None:
        """Send pending events now, after every `wake`, and every EVERY seconds. Runs until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.send_pending()
            except Exception as error:
                # No error may end the loop. Its text is not logged, because it may hold personal data.
                _log.warning("events could not be brought to their cases (%s); tried again", type(error).__name__)
            try:
                await asyncio.wait_for(self._wake.wait(), EVERY)
            except TimeoutError:
                continue

    async def send_pending(self) -> int:
        """Send what is pending once. Returns how many provider events are done."""
        sent = failed = 0
        for pending in await asyncio.to_thread(self._inbox.waiting, datetime.now(UTC)):
            if await self._send(pending):
                sent, failed = sent + 1, 0
                continue
            failed += 1
            if failed == _GIVES_UP_AFTER:
                break
        return sent

    async def _send(self, pending: PendingEvents) -> bool:
        for event in pending.events:
            for invoice_id in event.invoices:
                try:
                    await self._connection.ensure()
                    await self._cases.tell(invoice_id, event.name, event.content, wait=False)
                except Refused:
                    continue  # the case has ended; its timeline has it, and nothing is left to do
                except ServerAway as error:
                    _log.warning("an event of a case waits for the Temporal server: %s", error)
                    return False
        await asyncio.to_thread(self._inbox.done, pending.provider, pending.event_id, datetime.now(UTC))
        return True
