"""Time limits for callers that send slowly."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""Limit from the connection, or from the first byte of a further request, to the end of the request's head."""
BODY_SECONDS = 30.0
"""Limit from the end of the head to the end of the body."""


class HeadTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a time limit for the head of a request, which uvicorn lacks."""

    head_seconds = HEAD_SECONDS
    _head_is_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif before is None or before.response_complete:
            self._wait_for_head()  # a further request begins

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._head_is_due is None:
            self._head_is_due = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None

    def _give_up(self, *_: Any) -> None:
        self._head_is_due = None
        self.transport.abort()
