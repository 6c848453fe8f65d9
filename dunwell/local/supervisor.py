"""Supervises a child process (server, worker or web service): restarts it when it ends, and prints that it did."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dunwell.local.temporal_server import Log, ServerError, end_with_parent, stop_process
from dunwell.process import MISCONFIGURED

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "worker.py"
WORKER_LOG = "worker.log"

_STOP_SECONDS = 30.0


class GivenUpError(Exception):
    """A child ends soon after every start. The text says how, with the end of its log."""


@dataclass(frozen=True)
class RestartLimits:
    """How often a child that ends is restarted.

    An end within `quick_seconds` of the start doubles the pause before the next start; after `deaths` of them in a
    row the supervisor gives up.
    """

    quick_seconds: float = 10.0
    first_pause: float = 1.0
    deaths: int = 5


class Running(Protocol):
    """A running child process: `DevServer` or `Child`."""

    @property
    def process(self) -> subprocess.Popen[bytes]: ...
    @property
    def log(self) -> Log: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Child:
    """A running worker or web service."""

    process: subprocess.Popen[bytes]
    log: Log

    @classmethod
    def start(
        cls, log_file: Path, environment: Mapping[str, str], *arguments: str, folder: Path | None = None
    ) -> "Child":
        """Run this Python with `arguments`, in `folder` if given. Its output goes to `log_file`."""
        log = Log.open(log_file)
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log.file,
            stderr=log.file,
            start_new_session=True,  # otherwise Ctrl-C ends it directly, which looks like a crash
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call, on the main thread only
        )
        return cls(process, log)

    def stop(self) -> None:
        """Stop the process with SIGTERM, and after some time to finish its work with SIGKILL."""
        stop_process(self.process, _STOP_SECONDS)
        self.log.close()


class Supervisor:
    """Keeps one child running until `stop`."""

    def __init__(self, name: str, launch: Callable[[], Running], limits: RestartLimits) -> None:
        self.name = name
        self._launch = launch
        self._limits = limits
        self._running: Running | None = None
        self._since = time.monotonic()
        self._again_at = 0.0
        self._quick_deaths = 0
        self._read_to = 0  # the byte up to which its log was read
        self._printed: dict[str, float] = {}  # when each error was last printed

    def start(self) -> Running:
        """Start the child. Raises what `launch` raises."""
        self._since = time.monotonic()
        self._running = self._launch()
        self._read_to = self._running.log.start
        return self._running

    def look(self) -> None:
        """Print new errors of its log, and restart it if it has ended and its pause is over.

        Raises GivenUpError when it ends too often, or when it reports a wrong configuration.
        """
        self._print_errors()
        if self._running is None:
            if time.monotonic() >= self._again_at:
                self._restart()
            return
        code = self._running.process.poll()
        if code is not None:
            log_tail = self.log_tail
            self.stop()
            if code == MISCONFIGURED:
                raise GivenUpError(f"The {self.name} cannot run as it is set up. It said:\n{log_tail}")
            self._record_exit(exit_text(code), f"Its log ends:\n{log_tail or '(nothing was logged)'}")

    def wait_for_log(self, words: str, seconds: float) -> bool:
        """Return whether the words appear in its log within that time. Raises GivenUpError as `look` does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            if words in self.log_tail:
                return True
            time.sleep(0.1)
        return False

    def _print_errors(self) -> None:
        """Print the errors of its log, each sentence at most once a minute."""
        if self._running is None:
            return
        now = time.monotonic()
        lines, self._read_to = self._running.log.since(self._read_to)
        for line in lines:
            _, mark, sentence = line.partition(" ERROR ")
            if mark and now - self._printed.get(sentence, -60.0) >= 60:
                self._printed[sentence] = now
                say(f"{self.name}: {sentence}")

    @property
    def log_tail(self) -> str:
        """The end of its log; empty when it does not run."""
        return self._running.log.tail() if self._running is not None else ""

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run."""
        return self._running.process.pid if self._running is not None else None

    def stop(self) -> None:
        """Stop the child. Does nothing when it does not run."""
        if self._running is not None:
            running, self._running = self._running, None
            running.stop()

    def _restart(self) -> None:
        try:
            self.start()
        except ServerError as error:
            self._record_exit("failed to start", str(error))
        else:
            say(f"The {self.name} runs again.")

    def _record_exit(self, died: str, log_tail: str) -> None:
        lived = time.monotonic() - self._since
        self._quick_deaths = self._quick_deaths + 1 if lived < self._limits.quick_seconds else 0
        if self._quick_deaths >= self._limits.deaths:
            raise GivenUpError(
                f"The {self.name} {died}, {self._quick_deaths} times in a row within "
                f"{self._limits.quick_seconds:g} s of its start: giving up. {log_tail}"
            )
        pause = self._limits.first_pause * 2 ** max(self._quick_deaths - 1, 0)
        self._again_at = time.monotonic() + pause
        say(f"The {self.name} {died} after {lived:.0f} s; starting it again in {pause:g} s.")


def exit_text(exit_code: int) -> str:
    """Return how a process ended, as a phrase after its name."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"


def say(line: str) -> None:
    """Print one line."""
    # On a closed terminal printing fails, and the children must still be stopped.
    with suppress(OSError):
        print(line, flush=True)
