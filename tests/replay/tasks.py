"""G11: the tasks of a history that took in a result or a timer, asked for nothing, and followed one that did neither.

A worker that takes such a case up anew may merge the task with an update that follows, and hear the update first; no
replay of the whole history would (docs/decisions/0013-no-quiet-tasks.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]

_NEWS = frozenset({"ACTIVITY_TASK_COMPLETED", "ACTIVITY_TASK_FAILED", "ACTIVITY_TASK_TIMED_OUT", "TIMER_FIRED"})


def quiet(events: Sequence[Event]) -> Iterator[int]:
    """The ids of their WORKFLOW_TASK_COMPLETED events, in the history of one run."""
    news, asked = False, True
    for event, following in zip(events, [*events[1:], {}], strict=True):
        kind = _kind(event)
        if kind in _NEWS:
            news = True
        elif kind == "WORKFLOW_TASK_COMPLETED":
            asked_before, asked = asked, _is_asked_for(following)
            if news and not asked and not asked_before:
                yield int(event["eventId"])
            news = False


def _is_asked_for(event: Event) -> bool:
    """A command, or the answer to an update."""
    details = [value for name, value in event.items() if name.endswith("EventAttributes")]
    commanded = any("workflowTaskCompletedEventId" in about for about in details)
    return commanded or "WORKFLOW_EXECUTION_UPDATE" in _kind(event)


def _kind(event: Event) -> str:
    return str(event.get("eventType", "")).removeprefix("EVENT_TYPE_")
