"""G11: the tasks of a history that took in a result or a timer and asked for nothing.

A worker that takes such a case up anew may merge the task with an update that follows, and hear the update first; no
replay of the whole history would (docs/decisions/0013-no-quiet-tasks.md).
"""

from collections.abc import Iterator
from itertools import pairwise

from temporalio.client import WorkflowHistory

from tests.replay.commands import Event, details, kind

_NEWS = frozenset({"ACTIVITY_TASK_COMPLETED", "ACTIVITY_TASK_FAILED", "ACTIVITY_TASK_TIMED_OUT", "TIMER_FIRED"})


def quiet(history: WorkflowHistory) -> list[int]:
    """The ids of their WORKFLOW_TASK_COMPLETED events, in the history of one run."""
    return list(_quiet(history.to_json_dict()["events"]))


def _quiet(events: list[Event]) -> Iterator[int]:
    news = False
    for event, following in pairwise([*events, {"eventType": ""}]):
        if kind(event) in _NEWS:
            news = True
        elif kind(event) == "WORKFLOW_TASK_COMPLETED":
            if news and not _is_asked_for(following):
                yield int(event["eventId"])
            news = False


def _is_asked_for(event: Event) -> bool:
    """A command, or the answer to an update."""
    return "workflowTaskCompletedEventId" in details(event) or "WORKFLOW_EXECUTION_UPDATE" in kind(event)
