"""The commands of a history, one line each: what a workflow asked of the engine, in order, without its durations."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

Event = Mapping[str, Any]

FOLDER = Path(__file__).parent / "commands"
RACING = frozenset({"hears_nonsense"})
"""Lives whose signals come faster than they are taken in: which of them share a task is chance."""

ADVICE = """the workflow asks the engine for other things than it did.
Cases begun by a release would not replay: put the change behind workflow.patched (docs/decisions/0008-versioning.md).
If no release has the old way, only the plan of this life changed, or the change is patched:
.venv/bin/python -m tests.replay.record commands"""


def recorded(life: str) -> str:
    return _path(life).read_text(encoding="utf-8")


def record(life: str, history: WorkflowHistory) -> None:
    _path(life).write_text(fingerprint(history), encoding="utf-8")


def _path(life: str) -> Path:
    return FOLDER / f"{life.replace('_', '-')}.txt"


def fingerprint(history: WorkflowHistory) -> str:
    """A readable text; two runs of one life have the same, as long as the workflow's code asks for the same."""
    return "".join(f"{line}\n" for line in _lines(history.to_json_dict()["events"]))


def _lines(events: list[Event]) -> Iterator[str]:
    for event in events:
        line = _COMMANDS.get(kind(event))
        if line and not _momentary(event):
            yield line(details(event))


def kind(event: Event) -> str:
    return str(event["eventType"]).removeprefix("EVENT_TYPE_")


def details(event: Event) -> Mapping[str, Any]:
    """What is told of this kind of event alone."""
    return next((value for name, value in event.items() if name.endswith("EventAttributes")), {})


def _momentary(event: Event) -> bool:
    """A timer under a minute: whether a rehearsal needs one depends on how long the machine worked."""
    wait = event.get("timerStartedEventAttributes", {}).get("startToFireTimeout", "60s")
    return float(wait.removesuffix("s")) < 60


def _activity(about: Mapping[str, Any]) -> str:
    """Its type, and the step or event it is about."""
    request = json.loads(base64.b64decode(about["input"]["payloads"][0]["data"]))
    subject = request.get("step") or request.get("event") or ""
    return f"activity {about['activityType']['name']} {subject}".rstrip()


def _upsert(about: Mapping[str, Any]) -> str:
    return "upsert " + " ".join(sorted(about["searchAttributes"]["indexedFields"]))


def _patch(details: Mapping[str, Any]) -> str:
    """The patch a marker stands for, or the marker's own name."""
    about = details.get("details", {}).get("patch-data") or details.get("details", {}).get("data")
    data = json.loads(base64.b64decode(about["payloads"][0]["data"])) if about else {}
    return str(data.get("id", details["markerName"]))


_COMMANDS: Mapping[str, Callable[[Any], str]] = {
    "TIMER_STARTED": lambda _: "timer",
    "TIMER_CANCELED": lambda _: "timer cancelled",
    "ACTIVITY_TASK_SCHEDULED": _activity,
    "ACTIVITY_TASK_CANCEL_REQUESTED": lambda _: "activity cancelled",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": _upsert,
    "MARKER_RECORDED": lambda about: f"patched {_patch(about)}",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": lambda _: "continued as new",
    "WORKFLOW_EXECUTION_COMPLETED": lambda _: "completed",
    "WORKFLOW_EXECUTION_FAILED": lambda _: "failed",
}
"""By event type: what the workflow's own code decided, and nothing that others did."""
