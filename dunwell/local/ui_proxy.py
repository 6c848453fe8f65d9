"""A proxy in front of the Temporal UI that refuses requests from other web sites.

The UI server accepts any Host header and can signal every case, so a page of another site could use it through the
browser of a user of this machine. Therefore the UI server listens on a loopback address that cannot be guessed, and
this proxy, on the published address, refuses foreign hosts and origins.
"""

import random
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

HOST = "127.0.0.1"
_NAMES = [HOST, "localhost"]
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SAFE = {"GET", "HEAD"}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}
_STOP_SECONDS = 10.0


def hidden_address() -> str:
    """Return a random loopback address where the system has more than one (Linux); else 127.0.0.1."""
    drawn = random.SystemRandom()
    address = f"127.{drawn.randint(1, 254)}.{drawn.randint(1, 254)}.{drawn.randint(2, 254)}"
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return HOST
    return address


def is_foreign(request: Request) -> bool:
    """Return whether a page of another site made the request. Following a link to the UI does not count."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return True
    site = request.headers.get("sec-fetch-site", "same-origin")
    followed = request.method in _SAFE and request.headers.get("sec-fetch-mode") == "navigate"
    return site not in {"same-origin", "none"} and not followed


@dataclass(frozen=True)
class UiProxy:
    """A running proxy on 127.0.0.1. It ends with `stop`, or with this process."""

    port: int
    _server: uvicorn.Server
    _thread: threading.Thread

    @classmethod
    def start(cls, port: int, behind: str) -> "UiProxy":
        """Serve on `port` the UI that listens at `behind` (host:port). Raises OSError when the port is taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()  # at once: whoever comes before the thread serves waits, and is not refused
        except OSError:
            listener.close()
            raise
        config = uvicorn.Config(
            _application(behind), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="ui-proxy", daemon=True)
        thread.start()
        return cls(port, server, thread)

    def stop(self) -> None:
        """Stop the proxy. Does nothing when it has ended."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)


def _application(behind: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=f"http://{behind}", timeout=None, trust_env=False) as client:
            app.state.client = client
            yield

    return Starlette(
        routes=[Route("/{path:path}", _forward, methods=_METHODS)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_NAMES, www_redirect=False)],
        lifespan=lifespan,
    )


async def _forward(request: Request) -> Response:
    if is_foreign(request):
        return PlainTextResponse("This page is for the Temporal UI only.\n", 403)
    client: httpx.AsyncClient = request.app.state.client
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    try:
        answer = await client.send(
            client.build_request(request.method, target, headers=headers, content=await request.body()), stream=True
        )
    except httpx.HTTPError:
        return PlainTextResponse("The Temporal server does not answer; it may be starting again.\n", 502)
    passed = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
    passed.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.lower().decode() not in _HOP_BY_HOP
    ]
    return passed
