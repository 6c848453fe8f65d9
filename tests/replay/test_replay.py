"""G11: cases begun by a release go on with the later ones. Every recorded history replays."""

import gzip
import json
import sys
import sysconfig
import threading
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import FrameType

import holidays
import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from dunwell.gateways.holidays import HolidayLibrary
from tests.replay import commands, tasks
from workflows.invoice_dunning import InvoiceDunning

ROOT = Path(__file__).parent.parent.parent
HISTORIES = sorted(Path(__file__).parent.glob("*.json"))
FOUND = ROOT / "tests" / "chaos" / "found"
NEVER_PAYS = next(path for path in HISTORIES if path.stem.endswith("never-pays"))


def test_there_are_histories_of_many_kinds() -> None:
    assert len(HISTORIES) >= 8


def read(path: Path, change: Callable[[str], str] = str) -> WorkflowHistory:
    return WorkflowHistory.from_json("invoice-inv-1", json.loads(change(path.read_text(encoding="utf-8"))))


async def replay(history: WorkflowHistory) -> None:
    await Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter).replay_workflow(history)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_replays(path: Path) -> None:
    await replay(read(path))


async def test_a_changed_history_is_noticed() -> None:
    """The replayer can fail: the same history with one step's activity renamed does not replay."""
    changed = read(NEVER_PAYS, lambda text: text.replace('"carry_out"', '"carry_off"', 1))
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replay(changed)


def test_a_quiet_task_is_noticed() -> None:
    """In a history that a storm left behind before there was a rule against them."""
    with gzip.open(FOUND / "seed-3-update-before-a-step-s-end.json.gz") as file:
        history = WorkflowHistory.from_json("invoice-inv-368", json.load(file))
    assert tasks.quiet(history) == [114, 119]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        # another duration is the schedule's matter (tests/schedules)
        ('"startToFireTimeout": "1209', '"startToFireTimeout": "1309', True),
        ('"carry_out"', '"carry_off"', False),
        ("EVENT_TYPE_TIMER_STARTED", "EVENT_TYPE_TIMER_FIRED", False),
    ],
)
def test_the_fingerprint_of_a_life_tells_its_commands(old: str, new: str, same: bool) -> None:
    before, after = read(NEVER_PAYS), read(NEVER_PAYS, lambda text: text.replace(old, new, 1))
    assert before.to_json() != after.to_json()
    assert (commands.fingerprint(before) == commands.fingerprint(after)) == same


# Library data that changes -------------------------------------------------------------------------------

_DATA = (
    "gateways",
    "store",
    "policies",
    "messages",
    "dunwell/domain/business_calendar.py",
    "holidays",
    "zoneinfo",
)


@pytest.fixture
def called() -> Iterator[set[str]]:
    """The files whose functions run, in any thread begun meanwhile, by their path below the tree or the libraries."""
    seen = set[str]()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    yield seen
    sys.setprofile(None)
    threading.setprofile(None)


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that knows of no holiday and no time zone."""

    def unknown(*_: object, **__: object) -> None:
        raise LookupError("no data")

    monkeypatch.setattr(holidays, "country_holidays", unknown)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_no_library_data_is_needed_to_replay(path: Path, called: set[str]) -> None:
    """What was decided by holidays, zones, rates, ladders and texts is in the history, and nothing is asked again."""
    with pytest.raises((LookupError, ValueError)):
        HolidayLibrary().calendar("DE", "Europe/Berlin", ("09:00", "17:00"), date(2027, 1, 1), date(2027, 12, 31))
    called.clear()
    await replay(read(path))
    modules = {_below(name) for name in called.copy()}
    assert "workflows/invoice_dunning.py" in modules, "nothing was replayed"
    assert not [module for module in modules if module.startswith(_DATA)]


def _below(path: str) -> str:
    """The path below the library, the standard library, or our tree."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(ROOT)):
        path = path.removeprefix(f"{folder}/")
    return path
