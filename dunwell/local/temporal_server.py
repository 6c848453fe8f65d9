"""The real Temporal server, run as a child process on this machine."""

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, NoReturn

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from dunwell.local.ui_proxy import HOST, UiProxy, hidden_address

PORT = 7233
UI_PORT = 8233
SERVER_FILE = "temporal.sqlite"
SERVER_LOG = "temporal.log"
SERVER_LOCK = "temporal.lock"

_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_RELEASE_SECONDS = 5.0
_RPC_TIMEOUT = timedelta(seconds=5)
_LOG_BYTES = 10_000_000
_PORT_ATTEMPTS = 3
_TAIL_BYTES = 16_384


class ServerError(Exception):
    """The server cannot be started. Says why, with the end of its log where there is one."""


def free_port(preferred: int | None = None, *, host: str = HOST) -> int:
    """A TCP port on `host` that nobody listens on just now: the preferred one if it is free."""
    if preferred is not None and _is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server itself does: a connection of a past run that is still closing is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program to get SIGTERM when this process is gone, however it went.

    For `subprocess.Popen(preexec_fn=...)`. None where the system has no such thing, and off the main thread:
    Linux ties the wish to the thread that forked, so the child would die with a mere worker thread.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    # Looked up here: between fork and exec as little as possible may run.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()
    set_parent_death_signal = 1

    def ask() -> None:
        prctl(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the wish was made
            os._exit(1)

    return ask


def stop_process(process: subprocess.Popen[bytes], patience: float) -> None:
    """SIGTERM, then SIGKILL if it is still there after `patience` seconds. Harmless once it is gone."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    finally:  # an impatient second Ctrl-C ends up here too
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Log:
    """The file a child writes to: a file, because a pipe that nobody drains would stop the child.

    `start` is the byte where the present run begins.
    """

    file: BinaryIO
    start: int = 0

    @classmethod
    def open(cls, path: Path | None) -> "Log":
        """Append to `path`, a large file is first put aside as `.1`. None: an unnamed file."""
        if path is None:
            return cls(TemporaryFile())
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        file = path.open("a+b")
        return cls(file, os.fstat(file.fileno()).st_size)

    def tail(self, lines: int = 20) -> str:
        """The last lines of the present run; empty if it said nothing."""
        descriptor = self.file.fileno()
        end = os.fstat(descriptor).st_size
        begin = max(self.start, end - _TAIL_BYTES)
        # pread, for the child shares the file's position.
        text = os.pread(descriptor, end - begin, begin).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def since(self, position: int) -> tuple[list[str], int]:
        """The whole lines from that byte on, at most some kilobytes, and the byte at which the next one begins."""
        found = os.pread(self.file.fileno(), _TAIL_BYTES, position)
        whole = found[: found.rfind(b"\n") + 1] or (found if len(found) == _TAIL_BYTES else b"")
        return whole.decode("utf-8", "replace").splitlines(), position + len(whole)

    def close(self) -> None:
        self.file.close()


@dataclass(frozen=True)
class DevServer:
    """A running server. `address` is host:port for clients; `ui_url` is None if it was started without UI."""

    address: str
    namespace: str
    ui_url: str | None
    process: subprocess.Popen[bytes]
    log: Log
    ui: UiProxy | None = None

    @classmethod
    def start(
        cls,
        state: Path | None,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        ui: bool = True,
        namespace: str = "default",
    ) -> "DevServer":
        """Start the server and wait until it serves `namespace`.

        `state` is the folder for its database and log, made if missing; None keeps everything in memory.
        A port that is given is used or refused; None takes 7233 (8233 for the UI) if free, else any. One
        server at most uses a folder, even after the process that started it crashed. Blocks; call it from
        the main thread if the server shall end with this process.

        Raises ServerError.
        """
        for given in (port, ui_port if ui else None):
            # Looked at first: the other program's answer could be taken for the new server's.
            if given is not None and not _is_free(given):
                raise ServerError(_port_taken(f"{HOST}:{given}"))
        for attempt in range(_PORT_ATTEMPTS):
            first = attempt == 0
            chosen = port or free_port(PORT if first else None)
            chosen_ui = (ui_port or free_port(UI_PORT if first else None)) if ui else None
            try:
                return cls._launch(state, chosen, chosen_ui, namespace)
            except _PortTakenError as error:
                if port is not None and (ui_port is not None or not ui):
                    raise ServerError(str(error)) from None
                taken = error
        raise ServerError(str(taken))

    @classmethod
    def _launch(
        cls,
        state: Path | None,
        port: int,
        ui_port: int | None,
        namespace: str,
    ) -> "DevServer":
        address, hidden = f"{HOST}:{port}", hidden_address()
        behind = f"{hidden}:{free_port(host=hidden)}" if ui_port else None
        command = _command(state, port, behind, namespace)
        with _claimed(state) as claim:
            log = Log.open(state / SERVER_LOG if state else None)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log.file,
                stderr=log.file,
                start_new_session=True,  # else Ctrl-C reaches it before its parent can end things in order
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, on the main thread only
                pass_fds=claim,
            )
        server = cls(address, namespace, f"http://{HOST}:{ui_port}" if ui_port else None, process, log)
        try:
            if ui_port and behind:
                server = replace(server, ui=_proxy(ui_port, behind))
            server._wait()
        except BaseException:
            server.stop()
            raise
        return server

    def _wait(self) -> None:
        # A thread of its own, since the caller may already be inside an event loop.
        with ThreadPoolExecutor(1) as pool:
            ready = pool.submit(asyncio.run, _ready(self))
            try:
                ready.result()
            except BaseException:
                self.process.kill()  # lets the thread end at once, also on Ctrl-C
                raise

    def stop(self) -> None:
        """SIGTERM, then SIGKILL if it does not go. Harmless when it is gone."""
        stop_process(self.process, _STOP_SECONDS)
        self._close()

    def kill(self) -> None:
        """SIGKILL at once: the crash that the database file must survive."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self.log.close()
        if self.ui is not None:
            self.ui.stop()


class _PortTakenError(Exception):
    """Somebody took the port between the look and the start."""


def _proxy(port: int, behind: str) -> UiProxy:
    try:
        return UiProxy.start(port, behind)
    except OSError:
        raise _PortTakenError(_port_taken(f"{HOST}:{port}")) from None


def _command(state: Path | None, port: int, ui: str | None, namespace: str) -> list[str]:
    """`ui` is the host:port where the UI server listens, behind the proxy."""
    command = [_binary(), "server", "start-dev", "--ip", HOST, "--port", str(port), "--log-level", "error"]
    ui_host, _, ui_port = (ui or "").rpartition(":")
    command += ["--ui-ip", ui_host, "--ui-port", ui_port] if ui else ["--headless"]
    command += ["--namespace", namespace]
    # The HTTP API serves any Host and would let any web page signal a case; nobody here uses it.
    command += ["--dynamic-config-value", 'frontend.httpAllowedHosts=["nobody.invalid"]']
    if state:
        command += ["--db-filename", str(state / SERVER_FILE)]
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    return command


def _binary() -> str:
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise ServerError(
            f"The temporal program is neither beside {sys.executable} nor on the PATH: run `make install`, "
            "or set TEMPORAL_ADDRESS to use a server that runs elsewhere."
        )
    return found


@contextmanager
def _claimed(state: Path | None) -> Iterator[tuple[int, ...]]:
    """The folder's lock, to be inherited by the server: the kernel holds it for as long as the server lives.

    The parent lets go of it at the end of the block. Two servers on one file would corrupt it, and a server
    may outlive a parent that crashed. Raises ServerError when another server keeps the folder for longer
    than a server needs to end.
    """
    if state is None:
        yield ()
        return
    state.mkdir(parents=True, exist_ok=True)
    with (state / SERVER_LOCK).open("ab") as lock:
        deadline = time.monotonic() + _RELEASE_SECONDS
        while not try_lock(lock):
            if time.monotonic() > deadline:
                raise ServerError(
                    f"Another Temporal server uses {state / SERVER_FILE}: stop it (look for `temporal server "
                    "start-dev` in the process list), or set DUNWELL_STATE to another folder."
                )
            time.sleep(0.1)
        yield (lock.fileno(),)


def try_lock(file: IO[bytes]) -> bool:
    """Take the exclusive lock on an open file; False if another has it. It ends with its last holder."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _ready(server: DevServer) -> None:
    """Return once the server answers. Raises ServerError or _PortTakenError with the end of its log."""
    deadline = time.monotonic() + _READY_SECONDS
    trouble: Exception | None = None
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            _explain_exit(server)
        try:
            return await _greet(server)
        except (OSError, RuntimeError, RPCError) as error:  # not up yet
            trouble = error
        await asyncio.sleep(0.05)
    raise ServerError(
        f"The Temporal server at {server.address} did not answer within {_READY_SECONDS:.0f} s ({trouble}). "
        f"Its log ends:\n{server.log.tail()}"
    )


def _explain_exit(server: DevServer) -> NoReturn:
    # A server that panics says why before pages of stack.
    said = server.log.tail(500).partition("\ngoroutine ")[0]
    if "address already in use" in said:
        raise _PortTakenError(_port_taken(server.address))
    last = "\n".join(said.splitlines()[-20:]) or "(nothing was logged)"
    raise ServerError(
        f"The Temporal server ended with exit code {server.process.returncode} before it answered. It said:\n{last}"
    )


def _port_taken(address: str) -> str:
    return f"{address}, or the port of its UI, is in use: end the program that listens there or choose another."


async def _greet(server: DevServer) -> None:
    """Ask for health and for the namespace."""
    host, _, port = server.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))  # fails fast, and cheaply, while it starts
    writer.close()
    client = await Client.connect(server.address, namespace=server.namespace)
    await client.service_client.check_health(timeout=_RPC_TIMEOUT)
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=server.namespace), timeout=_RPC_TIMEOUT
    )
