"""Every test here runs in an empty folder, with none of the developer's own configuration in sight.

The commands of starter.py are run in this process, against a real server and a real worker.
"""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

import starter
from dunwell.bootstrap import register_search_attributes
from dunwell.local.temporal_server import DevServer, free_port
from dunwell.settings import Settings
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import sample_deps
from tests.intake.builders import record
from worker import make_worker

ISSUED = datetime.now(UTC).date() - timedelta(days=1)
DUE = ISSUED + timedelta(days=30)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("TEMPORAL_") or name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    # Temporal looks for its profile file under one of these.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep those tests of a file that share a server together: several pytest workers would start one each."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@dataclass(frozen=True)
class Place:
    """Where the commands work."""

    address: str
    database_url: str


async def register(address: str) -> None:
    """Teach a fresh server the search attributes."""
    await register_search_attributes(await Client.connect(address))


@pytest.fixture(scope="module")
def server() -> Iterator[DevServer]:
    running = DevServer.start(None, port=free_port(), ui=False)
    asyncio.run(register(running.address))
    yield running
    running.kill()


@pytest.fixture(scope="module")
def worked_place(server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server, a database and a worker that runs beside the tests in a loop of its own."""
    place = Place(server.address, f"sqlite:///{tmp_path_factory.mktemp('starter')}/dunwell.sqlite")
    database = Database(place.database_url)
    migrate(database)
    ready, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def work() -> None:
        # Named outright: this fixture is older than the emptied environment, which may name a server of somebody's.
        client = await Client.connect(place.address, data_converter=pydantic_data_converter)
        with ThreadPoolExecutor(20) as executor:
            async with make_worker(client, sample_deps(database), executor):
                ready.set()
                await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield place
    loop.call_soon_threadsafe(end.set)
    thread.join(20)
    database.close()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; the environment must have been set."""

    def run_one(*arguments: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            starter.main(arguments)
        written = capsys.readouterr()
        return Said(int(end.value.code or 0), written.out, written.err)

    return run_one


@pytest.fixture
def here(worked_place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("TEMPORAL_ADDRESS", worked_place.address)
    monkeypatch.setenv("DATABASE_URL", worked_place.database_url)
    return worked_place


def an_item(invoice_id: str, **changes: object) -> dict[str, Any]:
    facts = {
        "invoice_id": invoice_id,
        "issued_on": str(ISSUED),
        "due_on": str(DUE),
        "customer__id": f"C-{invoice_id}",
    }
    return record(**(facts | changes))
