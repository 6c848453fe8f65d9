"""Keeps a child process of ours alive, and says so: the server, the worker, the web service."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dunwell.local.temporal_server import Log, ServerError, die_with_parent, stop_process
from dunwell.process import MISCONFIGURED

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "worker.py"
WORKER_LOG = "worker.log"

_STOP_SECONDS = 30.0


class GivenUpError(Exception):
    """A child dies as often as it is started. Says how, with the end of its log."""


@dataclass(frozen=True)
class Patience:
    """How often a dying child is started again.

    A death within `quick_seconds` of the start is quick; each doubles the pause, `deaths` in a row end it.
    """

    quick_seconds: float = 10.0
    first_pause: float = 1.0
    deaths: int = 5


class Running(Protocol):
    """One life of a child: `DevServer` or `Child`."""

    @property
    def process(self) -> subprocess.Popen[bytes]: ...
    @property
    def log(self) -> Log: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Child:
    """A running process of ours: the worker or the web service."""

    process: subprocess.Popen[bytes]
    log: Log

    @classmethod
    def start(
        cls, log_file: Path, environment: Mapping[str, str], *arguments: str, folder: Path | None = None
    ) -> "Child":
        """Run this Python with `arguments` in `folder`, else here; its words go to `log_file`."""
        log = Log.open(log_file)
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log.file,
            stderr=log.file,
            start_new_session=True,  # else Ctrl-C ends it before we do, and it would look like a crash
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, on the main thread only
        )
        return cls(process, log)

    def stop(self) -> None:
        """SIGTERM, time to finish what it does, then SIGKILL."""
        stop_process(self.process, _STOP_SECONDS)
        self.log.close()


class Supervisor:
    """Keeps one child alive until `stop`."""

    def __init__(self, name: str, launch: Callable[[], Running], patience: Patience) -> None:
        self.name = name
        self._launch = launch
        self._patience = patience
        self._running: Running | None = None
        self._since = time.monotonic()
        self._again_at = 0.0
        self._quick_deaths = 0
        self._heard = 0  # up to which byte its log was looked at
        self._told: dict[str, float] = {}

    def start(self) -> Running:
        """Start the child. Raises what its launch raises."""
        self._since = time.monotonic()
        self._running = self._launch()
        self._heard = self._running.log.start
        return self._running

    def look(self) -> None:
        """Name its trouble, and start it again if it died and its pause is over.

        Raises GivenUpError when it dies too often, or when starting it again would be of no use.
        """
        self._tell_trouble()
        if self._running is None:
            if time.monotonic() >= self._again_at:
                self._restart()
            return
        code = self._running.process.poll()
        if code is not None:
            last_words = self.last_words
            self.stop()
            if code == MISCONFIGURED:
                raise GivenUpError(f"The {self.name} cannot run as it is set up. It said:\n{last_words}")
            self._record_exit(how(code), f"Its log ends:\n{last_words or '(nothing was logged)'}")

    def wait_until_it_said(self, words: str, seconds: float) -> bool:
        """Whether it says so in its log within that time. Raises GivenUpError as `look` does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            if words in self.last_words:
                return True
            time.sleep(0.1)
        return False

    def _tell_trouble(self) -> None:
        """Errors of its log appear on our screen, each sentence once a minute."""
        if self._running is None:
            return
        now = time.monotonic()
        lines, self._heard = self._running.log.since(self._heard)
        for line in lines:
            _, mark, sentence = line.partition(" ERROR ")
            if mark and now - self._told.get(sentence, -60.0) >= 60:
                self._told[sentence] = now
                say(f"{self.name}: {sentence}")

    @property
    def last_words(self) -> str:
        """The end of its log; empty when it does not run."""
        return self._running.log.tail() if self._running is not None else ""

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run."""
        return self._running.process.pid if self._running is not None else None

    def stop(self) -> None:
        """End the child in order; harmless when there is none."""
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

    def _record_exit(self, died: str, last_words: str) -> None:
        lived = time.monotonic() - self._since
        self._quick_deaths = self._quick_deaths + 1 if lived < self._patience.quick_seconds else 0
        if self._quick_deaths >= self._patience.deaths:
            raise GivenUpError(
                f"The {self.name} {died}, {self._quick_deaths} times in a row within "
                f"{self._patience.quick_seconds:g} s of its start: giving up. {last_words}"
            )
        pause = self._patience.first_pause * 2 ** max(self._quick_deaths - 1, 0)
        self._again_at = time.monotonic() + pause
        say(f"The {self.name} {died} after {lived:.0f} s; starting it again in {pause:g} s.")


def how(exit_code: int) -> str:
    """What became of a process, to follow its name."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"


def say(line: str) -> None:
    """Print one line."""
    # A closed terminal is no reason to leave children behind.
    with suppress(OSError):
        print(line, flush=True)
