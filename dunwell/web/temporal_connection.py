"""The line to the Temporal server, which may be away when the service starts."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from dunwell.client.cases import ServerAway

_SECONDS = 3.0


class TemporalConnection:
    """Connects when it is first needed. Once connected, the client itself comes back after an outage."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._connected = False

    async def ensure(self) -> None:
        """Raises ServerAway while the server was never reached: until then a client fails in ways of its own."""
        if not self._connected and not await self.is_well() and not self._connected:
            raise ServerAway("The Temporal server does not answer: look whether it is well, and at TEMPORAL_ADDRESS.")

    async def is_well(self) -> bool:
        """Whether the server answers within a few seconds that it is healthy."""
        try:
            async with asyncio.timeout(_SECONDS):
                well = await self._client.service_client.check_health()
        except RPCError:
            self._connected = True  # something answers; what it thinks of a request, the request will learn
            return False
        except (RuntimeError, TimeoutError):
            return False
        self._connected = True
        return well
