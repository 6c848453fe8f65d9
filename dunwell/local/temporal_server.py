"""Runs the Temporal development server as a child process."""

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
    """The server cannot be started. The text says why, with the end of its log if there is one."""


def free_port(preferred: int | None = None, *, host: str = HOST) -> int:
    """Return a free TCP port on `host`: the preferred one if it is free, else any."""
    if preferred is not None and _is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does, so that closing connections of an earlier run do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def end_with_parent() -> Callable[[], None] | None:
    """Return a `preexec_fn` for `subprocess.Popen` by which the child gets SIGTERM when this process ends.

    None on other systems than Linux, and outside the main thread: Linux sends the signal when the forking thread
    ends, so the child would end with a worker thread.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    # Looked up here, because between fork and exec as little as possible may run.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()
    set_parent_death_signal = 1

    def ask() -> None:
        prctl(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:  # the parent ended before prctl took effect
            os._exit(1)

    return ask


def stop_process(process: subprocess.Popen[bytes], patience: float) -> None:
    """Send SIGTERM, and SIGKILL if the process runs after `patience` seconds. Does nothing when it has ended."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    finally:  # also reached by a second Ctrl-C
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Log:
    """The log file of a child process. A pipe would block the child when it is not read.

    `start` is the byte at which the present run begins.
    """

    file: BinaryIO
    start: int = 0

    @classmethod
    def open(cls, path: Path | None) -> "Log":
        """Open the file at `path` for appending; a large one is renamed to `.1` first. None: a temporary file."""
        if path is None:
            return cls(TemporaryFile())
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        file = path.open("a+b")
        return cls(file, os.fstat(file.fileno()).st_size)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the present run."""
        descriptor = self.file.fileno()
        end = os.fstat(descriptor).st_size
        begin = max(self.start, end - _TAIL_BYTES)
        # pread, because the child shares the file position.
        text = os.pread(descriptor, end - begin, begin).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def since(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines from that byte on, at most 16 KiB, and the byte at which to go on."""
        found = os.pread(self.file.fileno(), _TAIL_BYTES, position)
        whole = found[: found.rfind(b"\n") + 1] or (found if len(found) == _TAIL_BYTES else b"")
        return whole.decode("utf-8", "replace").splitlines(), position + len(whole)

    def close(self) -> None:
        self.file.close()


@dataclass(frozen=True)
class DevServer:
    """A running server. `address` is host:port for clients; `ui_url` is None when it was started without UI."""

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

        `state` is the folder for its database and log, created if missing; None keeps everything in memory. With
        `port` or `ui_port` None, 7233 or 8233 is used if it is free, else any port. At most one server uses a folder,
        even after the process that started it crashed. Blocks. Call it from the main thread if the server must end
        with this process.

        Raises ServerError.
        """
        for given in (port, ui_port if ui else None):
            # Checked before the start: otherwise another program's answer could be taken for the new server's.
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
                start_new_session=True,  # otherwise Ctrl-C reaches it before its parent can stop things in order
                preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call, on the main thread only
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
        # In a thread of its own, because the caller may be inside an event loop.
        with ThreadPoolExecutor(1) as pool:
            ready = pool.submit(asyncio.run, _ready(self))
            try:
                ready.result()
            except BaseException:
                self.process.kill()  # so that the thread ends at once, also on Ctrl-C
                raise

    def stop(self) -> None:
        """Stop the server with SIGTERM, then SIGKILL. Does nothing when it has ended."""
        stop_process(self.process, _STOP_SECONDS)
        self._close()

    def kill(self) -> None:
        """End the server with SIGKILL at once, as in a crash."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self.log.close()
        if self.ui is not None:
            self.ui.stop()


class _PortTakenError(Exception):
    """Another program took the port between the check and the start."""


def _proxy(port: int, behind: str) -> UiProxy:
    try:
        return UiProxy.start(port, behind)
    except OSError:
        raise _PortTakenError(_port_taken(f"{HOST}:{port}")) from None


def _command(state: Path | None, port: int, ui: str | None, namespace: str) -> list[str]:
    """Return the command line of the server. `ui` is the host:port of the UI server, behind the proxy."""
    command = [_binary(), "server", "start-dev", "--ip", HOST, "--port", str(port), "--log-level", "error"]
    ui_host, _, ui_port = (ui or "").rpartition(":")
    command += ["--ui-ip", ui_host, "--ui-port", ui_port] if ui else ["--headless"]
    command += ["--namespace", namespace]
    # The HTTP API accepts any Host header, so a web page could signal a case. It is not used here and is closed.
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
    """Take the folder's lock for the server to inherit, so that it is held for as long as the server runs.

    Two servers on one database file would corrupt it, and a server may outlive a parent that crashed. The parent
    releases its hold at the end of the block. Raises ServerError when another server keeps the lock for longer than
    a server needs to end.
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
    """Take the exclusive lock on an open file. Returns False when another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _ready(server: DevServer) -> None:
    """Wait until the server answers. Raises ServerError or _PortTakenError with the end of its log."""
    deadline = time.monotonic() + _READY_SECONDS
    trouble: Exception | None = None
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            _explain_exit(server)
        try:
            return await _check(server)
        except (OSError, RuntimeError, RPCError) as error:  # not ready yet
            trouble = error
        await asyncio.sleep(0.05)
    raise ServerError(
        f"The Temporal server at {server.address} did not answer within {_READY_SECONDS:.0f} s ({trouble}). "
        f"Its log ends:\n{server.log.tail()}"
    )


def _explain_exit(server: DevServer) -> NoReturn:
    # After a panic the reason stands before the stack traces.
    said = server.log.tail(500).partition("\ngoroutine ")[0]
    if "address already in use" in said:
        raise _PortTakenError(_port_taken(server.address))
    last = "\n".join(said.splitlines()[-20:]) or "(nothing was logged)"
    raise ServerError(
        f"The Temporal server ended with exit code {server.process.returncode} before it answered. It said:\n{last}"
    )


def _port_taken(address: str) -> str:
    return f"{address}, or the port of its UI, is in use: end the program that listens there or choose another."


async def _check(server: DevServer) -> None:
    """Ask the server for its health and its namespace. Raises while it is not ready."""
    host, _, port = server.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))  # fails sooner than the client while it starts
    writer.close()
    client = await Client.connect(server.address, namespace=server.namespace)
    await client.service_client.check_health(timeout=_RPC_TIMEOUT)
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=server.namespace), timeout=_RPC_TIMEOUT
    )
