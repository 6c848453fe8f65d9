"""The connection to the Temporal server, which may be down when the service starts."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from dunwell.client.server import ServerAway

_SECONDS = 3.0


class TemporalConnection:
    """Connects when it is first used. Once connected, the client reconnects by itself after an outage."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._connected = False

    async def ensure(self) -> None:
        """Raise ServerAway when the server cannot be reached for the first time.

        Before the first connection a lazy client fails with other errors than later.
        """
        if not self._connected and not await self.is_well() and not self._connected:
            raise ServerAway("The Temporal server does not answer: look whether it is well, and at TEMPORAL_ADDRESS.")

    async def is_well(self) -> bool:
        """Return whether the server reports within three seconds that it is healthy."""
        try:
            async with asyncio.timeout(_SECONDS):
                well = await self._client.service_client.check_health()
        except RPCError:
            self._connected = True  # the server answers; later requests get its errors themselves
            return False
        except (RuntimeError, TimeoutError):
            return False
        self._connected = True
        return well
