"""`python -m dunwell.web`: runs the web service with the settings of the environment."""

import signal
import sys

if __name__ == "__main__":  # before the slow imports: a process with id 1, as in a container, has no default handlers
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, lambda *_: sys.exit(0))

import asyncio
import logging
import socket
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import uvicorn
from fastapi import FastAPI
from temporalio.client import Client

from dunwell.bootstrap import NotReady, check_schema, make_dependencies
from dunwell.client.cases import Cases
from dunwell.client.server import Patience
from dunwell.codec import SealError, data_converter
from dunwell.domain.ladder_problems import PolicyError
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.process import MISCONFIGURED, READY, leave
from dunwell.settings import Settings, SettingsError, load_settings, temporal_connect
from dunwell.store.private_files import TooOpen, keep_to_owner
from dunwell.texts.catalogue import CatalogueError
from dunwell.web.app import make_app
from dunwell.web.codec_server import codec_app, key_missing
from dunwell.web.service import Service, make_service, read_keys
from dunwell.web.slow_clients import HeadTimeoutProtocol

_log = logging.getLogger("dunwell.web")

_MOST_CONNECTIONS = 500
"""Further connections at once are answered with 503, to limit memory and sockets."""

_PATIENCE = Patience(server=timedelta(seconds=5))
"""Shorter than for the command line, because HTTP callers can repeat a request."""


async def open_service(settings: Settings) -> Service:
    """Make the clients of the service. The Temporal server may be down: webhooks are accepted all the same.

    Raises SettingsError, PolicyError, CatalogueError, or NotReady when the database cannot be used.
    """
    keys = read_keys(settings)
    deps = make_dependencies(settings)
    ladders = read_ladders(traits_of(deps.catalogue))
    check_schema(deps.database)
    client = await Client.connect(**temporal_connect(settings), data_converter=data_converter(settings), lazy=True)
    return make_service(client, deps, ladders, Cases(client, deps.database, _PATIENCE), keys, settings)


def full_app(service: Service, settings: Settings) -> FastAPI:
    """Return the application, with `/codec` when keys and token are set. Raises SettingsError for bad keys."""
    app, codec = make_app(service), codec_app(settings)
    app.add_exception_handler(SealError, key_missing)
    if codec is not None:
        app.mount("/codec", codec)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    service = await open_service(settings)
    host, _, port = settings.web_address.rpartition(":")
    config = uvicorn.Config(
        full_app(service, settings),
        host=host.strip("[]"),
        port=int(port),
        access_log=False,  # it would hold addresses and query strings
        log_config=None,
        server_header=False,
        http=HeadTimeoutProtocol,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=20,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    try:
        with _bound(config) as listener:
            _log.info("%s: listens on %s", READY, settings.web_address)
            await server.serve(sockets=[listener])
    finally:
        service.database.close()


def _bound(config: uvicorn.Config) -> socket.socket:
    """Return the listening socket. Raises NotReady when the address cannot be used."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # With the protocol named, asyncio sends each piece of an answer at once; else the second waits for an
    # acknowledgement, 40 ms with most clients.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise NotReady(
            f"WEB_ADDRESS {config.host}:{config.port} cannot be listened on ({error.strerror}): stop what listens "
            "there, or choose another port."
        ) from error
    return listener


class _Server(uvicorn.Server):
    """A uvicorn server whose signals `serve` handles. uvicorn would raise them again after a clean end."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    def stop(self) -> None:
        """Finish running requests, then end. The second call ends without waiting."""
        self.force_exit, self.should_exit = self.should_exit, True


def main() -> None:
    keep_to_owner()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(load_settings()))
    except (NotReady, SettingsError, PolicyError, CatalogueError, TooOpen) as problem:
        print(problem, file=sys.stderr)
        leave(1 if isinstance(problem, NotReady) else MISCONFIGURED)
    leave(0)


if __name__ == "__main__":
    main()
