"""The real server as a child: it starts, tells what is wrong, survives SIGKILL and never shares its file."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus

from dunwell.bootstrap import register_search_attributes
from dunwell.local import temporal_server
from dunwell.local.temporal_server import DevServer, Log, ServerError, free_port
from workflows.options import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., DevServer]
PATIENCE = 120
"""Seconds for a server or a program to start or to end on busy cores."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers on free ports, and end them whatever happens."""
    started: list[DevServer] = []

    def start_one(state: Path | None, **more: object) -> DevServer:
        options = {"port": free_port(), "ui": False, **more}
        one = DevServer.start(state, **options)  # type: ignore[arg-type]
        started.append(one)
        return one

    yield start_one
    for one in started:
        one.kill()


async def attributes(client: Client) -> set[str]:
    listed = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    return set(listed.custom_attributes)


async def test_in_memory_it_serves_its_namespace_and_ui(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporal_server, "_STOP_SECONDS", PATIENCE)
    running = start(None, namespace="acme", ui=True)
    await (await Client.connect(running.address, namespace="acme")).count_workflows()
    assert running.ui_url is not None
    with socket.create_connection(("127.0.0.1", int(running.ui_url.rpartition(":")[2])), timeout=10):
        pass
    # nothing of ours is left on the disk; the program keeps its own cluster id in the home folder
    assert {entry.name for entry in Path().iterdir()} <= {"home"}
    running.stop()
    assert running.process.returncode == 0
    running.stop()  # harmless when it is gone


async def test_cases_and_search_attributes_survive_sigkill(start: Start, tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = start(state)
    client = await Client.connect(first.address)
    assert await attributes(client) == set()
    for _ in range(2):  # set up again for the next release
        await register_search_attributes(client)
    await client.start_workflow("Nobody", id="case", task_queue="nobody")
    first.kill()
    second = start(state, port=int(first.address.split(":")[1]))
    assert second.address == first.address
    client = await Client.connect(second.address)
    described = await client.get_workflow_handle("case").describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert await attributes(client) == set(SEARCH_ATTRIBUTES)


def test_a_folder_has_one_server(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporal_server, "_RELEASE_SECONDS", 0.2)
    running = start(tmp_path / "state")
    with pytest.raises(ServerError, match=r"Another Temporal server uses .*temporal\.sqlite"):
        start(tmp_path / "state")
    running.stop()
    start(tmp_path / "state")


@pytest.mark.parametrize("which", ["port", "ui_port"])
def test_a_port_in_use_is_refused(start: Start, which: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port(taken) != taken
        with pytest.raises(ServerError, match=rf"127\.0\.0\.1:{taken}.*in use"):
            start(None, **{which: taken, "ui": True})
    assert free_port(taken) == taken


def test_what_the_server_says_is_passed_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "temporal.sqlite").write_text("not what it should be, though long enough to look at\n")
    with pytest.raises(ServerError, match=r"exit code 1 .*\n.*file is not a database"):
        start(tmp_path)


def test_without_the_program_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="make install"):
        DevServer.start(None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_it_ends_with_a_parent_that_crashed(start: Start, tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path\n"
        "from dunwell.local.temporal_server import DevServer, free_port\n"
        "print(DevServer.start(Path('state'), port=free_port(), ui=False).process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=PATIENCE, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    start(tmp_path / "state")  # waits until the folder's lock is free, that is, until the orphan is gone
    with suppress(psutil.NoSuchProcess):  # nobody may be there to reap it
        psutil.wait_procs([psutil.Process(int(parent.stdout))], timeout=PATIENCE)
        assert psutil.Process(int(parent.stdout)).status() == psutil.STATUS_ZOMBIE


def test_a_log_shows_the_present_run_and_is_put_aside_when_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    path.write_text("an older run\n")
    log = Log.open(path)
    assert log.tail() == ""
    log.file.write(b"one\ntwo\nthree\n")
    log.file.flush()
    assert log.tail(2) == "two\nthree"
    log.close()
    monkeypatch.setattr(temporal_server, "_LOG_BYTES", 5)
    Log.open(path).close()
    assert path.read_text() == ""
    assert (tmp_path / "a.log.1").read_text() == "an older run\none\ntwo\nthree\n"
