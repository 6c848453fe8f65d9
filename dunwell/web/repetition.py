"""The answer to a form that a double click sends twice: the second sending waits for the answer to the first."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dunwell.client.server import ServerAway
from dunwell.services.idempotency import StillRunning

Answer = TypeVar("Answer")
_PATIENCE = 8
"""How often, a second apart, the answer to the first sending of a form is asked for before the person is told."""


async def answered_once(tell: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer to a request. Of a double click, the second waits for the answer to the first.

    Raises ServerAway when that takes long, and what `tell` raises.
    """
    for attempt in range(_PATIENCE):
        try:
            return await tell()
        except StillRunning:
            if attempt < _PATIENCE - 1:
                await asyncio.sleep(1)
    raise ServerAway("What you sent is still being carried out: look at the case in a minute. It is done once.")
