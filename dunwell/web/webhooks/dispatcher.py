"""Brings reports from the inbox to the cases that must act on them, until each has heard."""

import asyncio
import logging
from datetime import UTC, datetime

from dunwell.client.cases import Cases, ServerAway
from dunwell.domain.refusal import Refused
from dunwell.services.inbox import Inbox, PendingReport
from dunwell.web.temporal_connection import TemporalConnection

EVERY = 30.0
"""Seconds between two rounds when nobody wakes the courier."""

_GIVES_UP_AFTER = 3  # letters in a row that the server did not take: then it is away

_log = logging.getLogger("dunwell.web")


class ReportDispatcher:
    """One for a process. A letter is kept until it was delivered, so a crash only delivers it later, or twice."""

    def __init__(self, inbox: Inbox, cases: Cases, connection: TemporalConnection) -> None:
        self._inbox = inbox
        self._cases = cases
        self._connection = connection
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be something to bring."""
        self._wake.set()

    async def run(self) -> None:
        """Bring what waits: now, whenever woken, and every half minute. Runs until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.bring()
            except Exception as error:
                # Whatever it is, it must not end the loop; its text may hold personal data.
                _log.warning("reports could not be brought to their cases (%s); tried again", type(error).__name__)
            try:
                await asyncio.wait_for(self._wake.wait(), EVERY)
            except TimeoutError:
                continue

    async def bring(self) -> int:
        """One round. Returns how many letters were delivered."""
        brought = failed = 0
        for letter in await asyncio.to_thread(self._inbox.waiting, datetime.now(UTC)):
            if await self._bring(letter):
                brought, failed = brought + 1, 0
                continue
            failed += 1
            if failed == _GIVES_UP_AFTER:
                break
        return brought

    async def _bring(self, letter: PendingReport) -> bool:
        content = letter.report.model_dump(mode="json", exclude_none=True)
        for invoice_id in letter.invoices:
            try:
                await self._connection.ensure()
                await self._cases.tell(invoice_id, "delivery_report", content, wait=False)
            except Refused:
                continue  # the case has ended: the timeline has the report, and there is nothing left to do
            except ServerAway as error:
                _log.warning("a delivery report waits for the Temporal server: %s", error)
                return False
        await asyncio.to_thread(self._inbox.done, letter.provider, letter.event_id, datetime.now(UTC))
        return True
