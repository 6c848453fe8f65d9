"""Refuses requests for other host names, against DNS rebinding.

A web page whose domain resolves to 127.0.0.1 can make a browser on this machine send requests here; their Host header
then holds the page's domain.
"""

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROBES = frozenset({"/livez", "/readyz"})
"""Health checks that a cluster requests by IP address. Their answers hold nothing confidential."""


def host_of(address: str) -> str:
    """Return the host of `host:port`, `[v6]:port` or a URL, in lower case."""
    return (urlsplit(address if "//" in address else f"//{address}").hostname or "").lower()


class AllowedHosts:
    """Middleware that answers 421 to a request whose Host is none of `names`. Names have no port."""

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
        except ValueError:  # not ASCII, or a malformed address
            return False
