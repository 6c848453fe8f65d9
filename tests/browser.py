"""The browser of the tests, and sites on a port for it. `python -m tests.browser` installs one where there is none.

A Chromium or Chrome of this machine is used; else the one that Playwright downloads; else that of Debian's packages.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""So that the browser asks no host of its maker's for anything."""


class NoBrowserError(Exception):
    """There is no browser. The text says what to do."""


def launch(playwright: Playwright) -> Browser:
    """Start the browser, without a window. Raises NoBrowserError: tests then fail, they are not skipped."""
    found = installed(playwright)
    if found is None:
        raise NoBrowserError("The tests of the console need Chromium: run `make browser`, or set CHROMIUM to one.")
    as_root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=found, args=[*_QUIET, *as_root])


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free port of this machine, and yield its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),), daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


def installed(playwright: Playwright) -> str | None:
    """Return the path of the browser that is used; None for none."""
    own = [os.environ.get("CHROMIUM"), *map(shutil.which, _NAMES), playwright.chromium.executable_path]
    return next((path for path in own if path and Path(path).exists()), None)


def install() -> int:
    """Make sure that there is a browser. Returns the exit code."""
    with sync_playwright() as playwright:
        if installed(playwright):
            return 0
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get"):
        attempts += [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]]
    for command in attempts:
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        with sync_playwright() as playwright:
            if installed(playwright):
                return 0
    print("No browser could be installed: install Chromium, or set CHROMIUM to the path of one.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(install())
