"""Answers only to the names the service is known by.

A browser on this machine may be led here by any web page whose name leads to 127.0.0.1; what it then sends bears
that page's name in the header Host.
"""

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROBES = frozenset({"/livez", "/readyz"})
"""Paths that a cluster asks by the address of the machine; they tell nothing but that the service lives."""


def host_of(address: str) -> str:
    """The host of `host:port`, `[v6]:port` or of a URL, in lower case."""
    return (urlsplit(address if "//" in address else f"//{address}").hostname or "").lower()


class AllowedHosts:
    """Refuses a request whose Host is none of `names` with 421. Names are without port, in lower case."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = LOOPBACK | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        reason = "This service is not known by the name in Host: set PUBLIC_URL or WEB_HOSTS to the names it has."
        body = json.dumps({"reason": reason}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 421, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _is_ours(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        try:
            return host_of(given[0].decode("ascii")) in self._names
        except ValueError:  # no ASCII, or a broken address
            return False
