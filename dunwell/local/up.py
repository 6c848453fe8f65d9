"""`make up`: the server and the worker on this machine, watched, with all their state in one folder."""

import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

from dunwell.gateways import registry
from dunwell.local.supervisor import ROOT, WORKER, WORKER_LOG, Child, GivenUpError, Patience, Supervisor, how, say
from dunwell.local.temporal_server import (
    PORT,
    SERVER_LOG,
    UI_PORT,
    DevServer,
    ServerError,
    free_port,
    try_lock,
)
from dunwell.local.ui_proxy import HOST
from dunwell.process import READY
from dunwell.settings import UP_ENV, Settings, SettingsError, configured_server, load_settings, temporal_connect
from dunwell.store.private_files import TooOpen, keep_to_owner, own_folder

UP_LOCK = "up.lock"
WEB_LOG = "web.log"
WEB_PORT = 8080

_WATCH_SECONDS = 0.2
_READY_SECONDS = 60.0


class UpError(Exception):
    """The local system cannot run, or cannot go on. Says why and what to do."""


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder. Raises UpError if another live process holds it, TooOpen if other users may.

    The kernel's lock counts, not the number in the file: what a crashed process left there is ignored.
    """
    own_folder(state)
    with (state / UP_LOCK).open("a+b") as lock:
        if not try_lock(lock):
            lock.seek(0)
            pid = lock.read(20).decode("ascii", "replace").strip() or "unknown"
            raise UpError(
                f"`make up` already runs on {state} (process {pid}): use that one, end it with `kill {pid}`, "
                "or set DUNWELL_STATE to another folder."
            )
        lock.truncate(0)
        lock.write(b"%d\n" % os.getpid())
        lock.flush()
        yield


@contextmanager
def announced(state: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Leave up.env for other terminals while the block runs: whole or not at all, and for the owner only."""
    path = state / UP_ENV
    handle, draft = tempfile.mkstemp(prefix=f"{UP_ENV}.", dir=state)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{name}={_quoted(value)}\n" for name, value in variables.items())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def absolute_database(url: str) -> str:
    """The same SQLite file by its full path, so that it is found from any folder; other URLs unchanged."""
    prefix, separator, path = url.partition(":///")
    if not prefix.startswith("sqlite") or path.startswith(("/", "file:")):
        return url
    return f"{prefix}{separator}{Path(path).absolute().as_posix()}"


@dataclass(frozen=True)
class Engine:
    """The Temporal server in use; `watch` keeps it alive if it is ours, `ui_url` is None if it is not."""

    address: str
    namespace: str
    ui_url: str | None
    watch: Supervisor | None


def run(worker: Path, patience: Patience, *, web: bool) -> NoReturn:
    """Bring everything up and watch it, then, when interrupted, end the worker before the server.

    `web`: the web service too.

    Raises KeyboardInterrupt when asked to stop, else UpError, GivenUpError, ServerError or SettingsError.
    """
    settings = load_settings(up_env=False)
    state = settings.dunwell_state.absolute()
    with only_one(state), ExitStack() as stack:
        say("Starting: this takes some seconds.")
        engine = _engine(settings, state, patience, stack)
        variables = {
            "TEMPORAL_ADDRESS": engine.address,
            "TEMPORAL_NAMESPACE": engine.namespace,
            "DATABASE_URL": absolute_database(settings.database_url),
        }
        if web and "web_address" not in settings.model_fields_set:
            variables["WEB_ADDRESS"] = f"{HOST}:{free_port(WEB_PORT)}"
        environment = os.environ | variables | {"DUNWELL_STATE": str(state), "PYTHONUNBUFFERED": "1"}
        _set_up(worker, state, environment)
        children: dict[str, tuple[str, tuple[str, ...]]] = {"worker": (WORKER_LOG, (str(worker),))}
        if web:
            children["web service"] = (WEB_LOG, ("-m", "dunwell.web"))
            environment["PYTHONPATH"] = str(ROOT)
        watches = [
            Supervisor(name, partial(Child.start, state / log, environment, *arguments), patience)
            for name, (log, arguments) in children.items()
        ]
        for watch in watches:
            stack.callback(watch.stop)
            watch.start()
        stack.enter_context(announced(state, variables))
        _wait_until_ready(watches)
        stack.callback(say, "Stopping: first the worker, then the server.")
        say(_banner(settings, state, engine, variables.get("WEB_ADDRESS", settings.web_address) if web else None))
        while True:
            if engine.watch is not None:
                engine.watch.look()
            for watch in watches:
                watch.look()
            time.sleep(_WATCH_SECONDS)


def _wait_until_ready(watches: Sequence[Supervisor]) -> None:
    """Worker and web service take some seconds; one that takes longer is named, and watched all the same."""
    for watch in watches:
        if not watch.wait_until_it_said(f" {READY}: ", _READY_SECONDS):  # not the end of "already"
            say(f"The {watch.name} is not ready after {_READY_SECONDS:.0f} s; it goes on trying.")


def _engine(settings: Settings, state: Path, patience: Patience, stack: ExitStack) -> Engine:
    """The server that is configured, else one of our own, which the stack ends."""
    connect = temporal_connect(settings)
    namespace = connect.get("namespace", "default")
    if "target_host" in configured_server():
        return Engine(connect["target_host"], namespace, None, None)
    # Chosen once: after a crash it must come back where the worker and other terminals look for it.
    port, ui_port = free_port(PORT), free_port(UI_PORT)
    watch = Supervisor(
        "Temporal server",
        lambda: DevServer.start(state, port=port, ui_port=ui_port, namespace=namespace),
        patience,
    )
    stack.callback(watch.stop)
    watch.start()
    return Engine(f"{HOST}:{port}", namespace, f"http://{HOST}:{ui_port}", watch)


def _set_up(script: Path, state: Path, environment: Mapping[str, str]) -> None:
    """Migrate the database and register search attributes. Raises UpError with what the script said."""
    worker = Child.start(state / WORKER_LOG, environment, str(script), "--set-up")
    try:
        code = worker.process.wait()
        if code != 0:
            raise UpError(f"`{script.name} --set-up` {how(code)}. It said:\n{worker.log.tail()}")
    finally:
        worker.stop()


def _banner(settings: Settings, state: Path, engine: Engine, web: str | None) -> str:
    state_prefix = f"DUNWELL_STATE={shlex.quote(str(state))} " if "DUNWELL_STATE" in os.environ else ""
    server = f"{engine.address}, namespace {engine.namespace}" + (
        "" if engine.watch else " (yours: by the environment or Temporal's profile file)"
    )
    logs = [SERVER_LOG] * (engine.watch is not None) + [WORKER_LOG] + [WEB_LOG] * (web is not None)
    lines = (
        ("Temporal UI", engine.ui_url),
        ("Temporal", server),
        ("Web service", f"http://{web} (webhooks, HTTP API)" if web else None),
        *_destinations(settings),
        ("Database", _database(absolute_database(settings.database_url))),
        ("State, logs", f"{state} ({', '.join(logs)})"),
        ("Next, in another terminal", f"{state_prefix}.venv/bin/python starter.py start FILE"),
    )
    shown = [f"  {label:<26}{value}" for label, value in lines if value is not None]
    return "\n".join(["Dunwell is up. Ctrl-C stops it.", *shown])


def _destinations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where the messages of each channel go."""
    for channel in registry.sent_channels():
        provider, _ = registry.chosen(channel, settings)
        label = channel.facts.label
        yield f"{label[0].upper()}{label[1:]} to", provider.described(settings)


def _database(url: str) -> str:
    """The database for people: never with user, password or options."""
    if url.startswith("sqlite"):
        return url.partition(":///")[2].partition("?")[0]
    parts = urlsplit(url)
    return f"PostgreSQL, {parts.path.lstrip('/')} on {parts.hostname}"


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(worker: Path = WORKER, patience: Patience | None = None, *, web: bool = False) -> int:
    """Run until Ctrl-C, SIGTERM or a closed terminal (exit code 0), or until something cannot go on (1)."""
    keep_to_owner()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        run(worker, patience or Patience(), web=web)
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except (SettingsError, ServerError, UpError, GivenUpError, TooOpen, OSError) as error:
        print(f"make up: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(web=True))
