"""Sends the new links that were asked for, soon after: the page that takes the request in knows nothing of a link."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from dunwell.services.attempt import TRIES, Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.fresh_links import FreshLinks
from dunwell.services.loop import repeat

EVERY = 30.0
"""Seconds between two looks for new links that were asked for."""

_log = logging.getLogger("dunwell.client")


class FreshLinkMail:
    """Several processes may send at once: a message belongs to the one that claimed it."""

    def __init__(self, deps: Dependencies, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._links, self._clock = FreshLinks(deps), clock

    async def run(self) -> None:
        """Send until cancelled."""
        await repeat(lambda: asyncio.to_thread(self.send_due), EVERY, "new links", _log)

    def send_due(self) -> None:
        """Send what is to be sent now. A link whose message fails holds no other one up."""
        self._links.send(Attempt(self._clock(), TRIES))
