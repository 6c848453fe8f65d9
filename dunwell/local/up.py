"""`make up`: runs and supervises server, worker and web service on this machine, with their state in one folder."""

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
from secrets import token_hex
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

from dunwell.gateways import registry
from dunwell.local.owner import sign_in_link
from dunwell.local.supervisor import (
    ROOT,
    WORKER,
    WORKER_LOG,
    Child,
    GivenUpError,
    RestartLimits,
    Supervisor,
    exit_text,
    say,
)
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
from dunwell.store.private_files import TooOpen, keep_to_owner, own_file, own_folder

UP_LOCK = "up.lock"
WEB_LOG = "web.log"
WEB_PORT = 8080
LINK_SECRET_FILE = "link-secret"

_CHECK_SECONDS = 0.2
_READY_SECONDS = 60.0


class UpError(Exception):
    """The local system cannot run, or cannot go on. The text says why and what to do."""


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Lock the state folder for the block. Raises UpError when another process has it, TooOpen when other users may.

    Only the kernel's lock counts; a process number that a crashed process left in the file is ignored.
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
def published(state: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Write up.env for other terminals, atomically and for the owner only, and delete it after the block."""
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
    """Return the URL with the full path of an SQLite file, so that it works from any folder; other URLs unchanged."""
    prefix, separator, path = url.partition(":///")
    if not prefix.startswith("sqlite") or path.startswith(("/", "file:")):
        return url
    return f"{prefix}{separator}{Path(path).absolute().as_posix()}"


def customer_links(settings: Settings, state: Path, address: str) -> dict[str, str]:
    """Return what makes links of customers work here, as far as it is not set.

    The web service's own address stands in for PUBLIC_URL only while no message leaves this machine: nobody else
    could open it. The secret is made once and kept in the state folder.
    """
    found: dict[str, str] = {}
    if settings.public_url is None:
        if not all(registry.chosen(channel, settings)[0].standby for channel in registry.sent_channels()):
            return {}
        found["PUBLIC_URL"] = f"http://{address}"
    if settings.link_secret is None:
        found["LINK_SECRET"] = _kept_secret(state / LINK_SECRET_FILE)
    return found


def _kept_secret(path: Path) -> str:
    own_file(path)
    known = path.read_text(encoding="ascii").strip()
    if not known:
        known = token_hex(32)
        path.write_text(f"{known}\n", encoding="ascii")
    return known


@dataclass(frozen=True)
class Engine:
    """The Temporal server in use. `supervisor` and `ui_url` are None for a server that was not started here."""

    address: str
    namespace: str
    ui_url: str | None
    supervisor: Supervisor | None


def run(worker: Path, limits: RestartLimits, *, web: bool) -> NoReturn:
    """Start everything and supervise it until interrupted; then stop the worker before the server.

    `web`: start the web service too. Raises KeyboardInterrupt when interrupted, else UpError, GivenUpError,
    ServerError or SettingsError.
    """
    settings = load_settings(up_env=False)
    state = settings.dunwell_state.absolute()
    with exclusive(state), ExitStack() as stack:
        say("Starting: this takes some seconds.")
        engine = _engine(settings, state, limits, stack)
        variables = {
            "TEMPORAL_ADDRESS": engine.address,
            "TEMPORAL_NAMESPACE": engine.namespace,
            "DATABASE_URL": absolute_database(settings.database_url),
        }
        if web and "web_address" not in settings.model_fields_set:
            variables["WEB_ADDRESS"] = f"{HOST}:{free_port(WEB_PORT)}"
        if web:
            variables |= customer_links(settings, state, variables.get("WEB_ADDRESS", settings.web_address))
        environment = os.environ | variables | {"DUNWELL_STATE": str(state), "PYTHONUNBUFFERED": "1"}
        _set_up(worker, state, environment)
        children: dict[str, tuple[str, tuple[str, ...]]] = {"worker": (WORKER_LOG, (str(worker),))}
        if web:
            children["web service"] = (WEB_LOG, ("-m", "dunwell.web"))
            environment["PYTHONPATH"] = str(ROOT)
        supervisors = [
            Supervisor(name, partial(Child.start, state / log, environment, *arguments), limits)
            for name, (log, arguments) in children.items()
        ]
        for supervisor in supervisors:
            stack.callback(supervisor.stop)
            supervisor.start()
        stack.enter_context(published(state, variables))
        _wait_until_ready(supervisors)
        stack.callback(say, "Stopping: first the worker, then the server.")
        served = variables.get("WEB_ADDRESS", settings.web_address) if web else None
        link = sign_in_link(variables["DATABASE_URL"], settings.public_url or f"http://{served}") if served else None
        say(_banner(settings, state, engine, served, link))
        while True:
            if engine.supervisor is not None:
                engine.supervisor.look()
            for supervisor in supervisors:
                supervisor.look()
            time.sleep(_CHECK_SECONDS)


def _wait_until_ready(supervisors: Sequence[Supervisor]) -> None:
    """Wait until each child is ready. One that takes too long is named, and supervised all the same."""
    for supervisor in supervisors:
        if not supervisor.wait_for_log(f" {READY}: ", _READY_SECONDS):  # the spaces exclude "already"
            say(f"The {supervisor.name} is not ready after {_READY_SECONDS:.0f} s; it goes on trying.")


def _engine(settings: Settings, state: Path, limits: RestartLimits, stack: ExitStack) -> Engine:
    """Return the configured server, or else start one, which the stack stops."""
    connect = temporal_connect(settings)
    namespace = connect.get("namespace", "default")
    if "target_host" in configured_server():
        return Engine(connect["target_host"], namespace, None, None)
    # Chosen once, because after a crash it must listen where the worker and other terminals expect it.
    port, ui_port = free_port(PORT), free_port(UI_PORT)
    supervisor = Supervisor(
        "Temporal server",
        lambda: DevServer.start(state, port=port, ui_port=ui_port, namespace=namespace),
        limits,
    )
    stack.callback(supervisor.stop)
    supervisor.start()
    return Engine(f"{HOST}:{port}", namespace, f"http://{HOST}:{ui_port}", supervisor)


def _set_up(worker: Path, state: Path, environment: Mapping[str, str]) -> None:
    """Run `worker.py --set-up` (database schema, search attributes). Raises UpError with its output."""
    child = Child.start(state / WORKER_LOG, environment, str(worker), "--set-up")
    try:
        code = child.process.wait()
        if code != 0:
            raise UpError(f"`{worker.name} --set-up` {exit_text(code)}. It said:\n{child.log.tail()}")
    finally:
        child.stop()


def _banner(settings: Settings, state: Path, engine: Engine, web: str | None, link: str | None) -> str:
    state_prefix = f"DUNWELL_STATE={shlex.quote(str(state))} " if "DUNWELL_STATE" in os.environ else ""
    server = f"{engine.address}, namespace {engine.namespace}" + (
        "" if engine.supervisor else " (yours: by the environment or Temporal's profile file)"
    )
    logs = [SERVER_LOG] * (engine.supervisor is not None) + [WORKER_LOG] + [WEB_LOG] * (web is not None)
    lines = (
        ("Temporal UI", engine.ui_url),
        ("Temporal", server),
        ("Web service", f"http://{web} (webhooks, HTTP API)" if web else None),
        ("Console", f"{settings.public_url or f'http://{web}'}/console" if web else None),
        ("Sign in there, once", link),
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
    """Return the database URL without user, password and options."""
    if url.startswith("sqlite"):
        return url.partition(":///")[2].partition("?")[0]
    parts = urlsplit(url)
    return f"PostgreSQL, {parts.path.lstrip('/')} on {parts.hostname}"


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(worker: Path = WORKER, limits: RestartLimits | None = None, *, web: bool = False) -> int:
    """Run until Ctrl-C, SIGTERM or a closed terminal (exit code 0), or until something cannot go on (1)."""
    keep_to_owner()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        run(worker, limits or RestartLimits(), web=web)
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except (SettingsError, ServerError, UpError, GivenUpError, TooOpen, OSError) as error:
        print(f"make up: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(web=True))
