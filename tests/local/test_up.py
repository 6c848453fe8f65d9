"""`make up` with a small script in the worker's place: lock, watching, order of the end, words for people."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dunwell.local.supervisor import Child, GivenUpError, RestartLimits, Supervisor
from dunwell.local.temporal_server import end_with_parent
from dunwell.local.up import UpError, exclusive
from dunwell.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180
"""Seconds for programs to start on busy cores, before a test gives up."""

FAKE_WORKER = """
import os, signal, socket, sys, time
def server_answers():
    host, port = os.environ["TEMPORAL_ADDRESS"].split(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError:
        return False
    return True
def end(*_):
    print("ended while the server answers:", server_answers(), flush=True)
    sys.exit(0)
print("run", sys.argv[1:], "server answers:", server_answers(), os.environ["DATABASE_URL"], flush=True)
if "--set-up" in sys.argv:
    sys.exit(int(os.environ.get("FAKE_SET_UP_EXIT", 0)))
signal.signal(signal.SIGTERM, end)
print("x INFO ready: works", flush=True)
while True:
    time.sleep(0.05)
"""

RUN_UP = """
import sys
from pathlib import Path
from dunwell.local import up
up.PORT = up.UI_PORT = None  # never the well-known ports in a test
sys.exit(up.main(Path("fake_worker.py").absolute(), up.RestartLimits(quick_seconds=5, first_pause=0.05, deaths=3)))
"""


def wait_for(what: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


class Up:
    """A `make up` process in the present folder."""

    def __init__(self, **environment: str) -> None:
        Path("fake_worker.py").write_text(FAKE_WORKER)
        self.output = Path("output.txt")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN_UP],
                env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
                stdout=output,
                stderr=output,
                preexec_fn=end_with_parent(),  # noqa: PLW1509
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for_log(self, words: str) -> None:
        wait_for(lambda: words in self.said() or self.process.poll() is not None)
        assert words in self.said()

    def child(self, program: str) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if any(program in part for part in child.cmdline()))

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@pytest.fixture
def up() -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(**environment: str) -> Up:
        started.append(Up(**environment))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def worker_log() -> str:
    return Path(".dunwell/worker.log").read_text()


def test_up_brings_everything_up_keeps_it_up_and_ends_it_in_order(up: Callable[..., Up], tmp_path: Path) -> None:
    running = up()
    running.wait_for_log("starter.py start FILE")
    assert running.said().startswith("Starting: this takes some seconds.\n")
    settings = load_settings()
    assert settings.temporal_address in running.said()
    assert settings.database_url == f"sqlite:///{tmp_path}/.dunwell/dunwell.sqlite"
    wait_for(lambda: "run []" in worker_log())
    assert "run ['--set-up'] server answers: True" in worker_log().splitlines()[0]
    assert settings.database_url in worker_log()

    # a second one in the same folder is refused, and does no harm
    second = subprocess.run(
        [sys.executable, "-m", "dunwell.local.up"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert second.returncode == 1
    assert f"already runs on {tmp_path}/.dunwell (process {running.process.pid})" in second.stderr

    # a worker and a server that crash come back, the server at the same address
    worker, server = running.child("fake_worker.py").pid, running.child("start-dev").pid
    os.kill(worker, signal.SIGKILL)
    running.wait_for_log("The worker runs again.")
    os.kill(server, signal.SIGKILL)
    running.wait_for_log("The Temporal server runs again.")
    assert "The worker was ended by SIGKILL" in running.said()
    assert "The Temporal server was ended by SIGKILL" in running.said()
    assert settings.temporal_address.split(":")[1] in running.child("start-dev").cmdline()
    wait_for(lambda: worker_log().count("run []") == 2)

    assert running.end(signal.SIGINT) == 0
    assert worker_log().splitlines()[-1] == "ended while the server answers: True"
    assert not Path(".dunwell/up.env").exists()
    assert load_settings().temporal_address == "127.0.0.1:7233"


def test_a_server_of_ones_own_is_used(up: Callable[..., Up]) -> None:
    running = up(
        TEMPORAL_ADDRESS="127.0.0.1:1",
        TEMPORAL_NAMESPACE="acme",
        SENDGRID_API_KEY="SG.of-no-account-1",
        MAIL_FROM="a@b.co",
    )
    running.wait_for_log("starter.py start FILE")
    assert "127.0.0.1:1, namespace acme (yours" in running.said()
    assert "SendGrid, from a <a@b.co>" in running.said()
    assert load_settings().temporal_address == "127.0.0.1:1"
    assert running.end(signal.SIGTERM) == 0
    assert not Path(".dunwell/temporal.sqlite").exists()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param(
            {"FAKE_SET_UP_EXIT": "3"}, "`fake_worker.py --set-up` ended with exit code 3", id="set-up fails"
        ),
        pytest.param({"TWILIO_ACCOUNT_SID": "AC1"}, "make up: TWILIO_ACCOUNT_SID is set but", id="bad settings"),
        pytest.param({"DUNWELL_STATE": "fake_worker.py"}, "make up: ", id="state is a file"),
    ],
)
def test_what_cannot_start_says_so(up: Callable[..., Up], environment: dict[str, str], said: str) -> None:
    running = up(TEMPORAL_ADDRESS="127.0.0.1:1", **environment)
    assert running.process.wait(PATIENCE) == 1
    assert said in running.said()
    assert "Traceback" not in running.said()


def test_a_worker_that_keeps_dying_ends_it_with_the_end_of_its_log(tmp_path: Path) -> None:
    script = tmp_path / "dying.py"
    script.write_text("print('no such database'); raise SystemExit(4)")
    watch = Supervisor(
        "worker",
        lambda: Child.start(tmp_path / "worker.log", os.environ, str(script)),
        RestartLimits(first_pause=0.01, deaths=3),
    )
    watch.start()

    def dies_once_more() -> bool:
        watch.look()
        return False

    with pytest.raises(GivenUpError, match=r"exit code 4, 3 times in a row.*\n*no such database"):
        wait_for(dies_once_more)
    assert (tmp_path / "worker.log").read_text().count("no such database") == 3


def test_e9_what_is_set_up_wrongly_is_not_started_again(tmp_path: Path) -> None:
    script = tmp_path / "misconfigured.py"
    script.write_text("print('METRICS_ADDRESS: taken'); raise SystemExit(78)")
    watch = Supervisor(
        "worker", lambda: Child.start(tmp_path / "worker.log", os.environ, str(script)), RestartLimits()
    )
    watch.start()

    def looks() -> bool:
        watch.look()
        return False

    with pytest.raises(GivenUpError, match=r"cannot run as it is set up. It said:\nMETRICS_ADDRESS: taken"):
        wait_for(looks)
    assert (tmp_path / "worker.log").read_text().count("METRICS_ADDRESS") == 1


def test_e9_trouble_is_named_on_the_screen_once_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "troubled.py"
    script.write_text(
        "import time\n"
        "for n in range(3):\n"
        "    print('2027-03-01 dunwell.worker ERROR the disk is full', flush=True)\n"
        "print('2027-03-01 dunwell.worker INFO ready: works', flush=True)\n"
        "time.sleep(60)\n"
    )
    watch = Supervisor(
        "worker", lambda: Child.start(tmp_path / "worker.log", os.environ, str(script)), RestartLimits()
    )
    watch.start()
    assert watch.wait_for_log("ready: works", 30)
    watch.look()
    watch.stop()
    assert capsys.readouterr().out.count("worker: the disk is full") == 1


def test_e9_an_address_for_metrics_that_is_taken_is_named_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        worker = subprocess.run(
            [sys.executable, str(ROOT / "worker.py")],
            env=os.environ | {"METRICS_ADDRESS": address},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=PATIENCE,
            check=False,
        )
    assert worker.returncode == 78
    assert worker.stderr.startswith(f"METRICS_ADDRESS: {address} cannot be listened on (Address already in use)")
    assert len(worker.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["worker.py"], ["-m", "dunwell.web"]])
def test_e15_a_program_that_starts_up_ends_when_it_is_asked_to(tmp_path: Path, arguments: list[str]) -> None:
    """By a handler of its own: as process 1 of a container it would not end by the system's."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONPROFILEIMPORTTIME": "1",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }
    script = [str(ROOT / arguments[0])] if len(arguments) == 1 else arguments
    program = subprocess.Popen([sys.executable, *script], env=environment, stderr=subprocess.PIPE, cwd=tmp_path)
    assert program.stderr is not None
    for line in program.stderr:
        if b"argparse" in line or b"uvicorn" in line:  # our own first statement is behind it, most imports are not
            break
    program.send_signal(signal.SIGTERM)
    program.stderr.close()
    assert program.wait(PATIENCE) == 0


def test_slow_deaths_never_end_it(tmp_path: Path) -> None:
    script = tmp_path / "dying.py"
    script.write_text("print('again')")
    patience = RestartLimits(quick_seconds=0, first_pause=0, deaths=2)
    watch = Supervisor("worker", lambda: Child.start(tmp_path / "worker.log", os.environ, str(script)), patience)
    watch.start()

    def died_four_times() -> bool:
        watch.look()
        return (tmp_path / "worker.log").read_text().count("again") >= 4

    wait_for(died_four_times)
    watch.stop()


def test_a_state_folder_is_held_by_one(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    with exclusive(state):
        with pytest.raises(UpError, match=f"process {os.getpid()}.*DUNWELL_STATE"), exclusive(state):
            pass
        assert state.stat().st_mode & 0o077 == 0  # names and addresses lie there
    with exclusive(state):
        pass


def test_the_number_a_crashed_process_left_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("1\n")  # a process that surely lives, and is not ours
    with exclusive(tmp_path):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"
