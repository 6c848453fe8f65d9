"""Which workflow task is done again when a history does not replay."""

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from dunwell.client.runs import _REDONE, unreplayable_task

NONDETERMINISM = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
UNHANDLED = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
RESET = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
TOLD = "[TMPRL1100] Nondeterminism error: Update machine does not handle this event: HistoryEvent(id: {}, Upsert)"


def completed(event_id: int) -> HistoryEvent:
    return HistoryEvent(event_id=event_id, event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)


def failed(event_id: int, cause: WorkflowTaskFailedCause.ValueType, message: str) -> HistoryEvent:
    event = HistoryEvent(event_id=event_id, event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
    event.workflow_task_failed_event_attributes.cause = cause
    event.workflow_task_failed_event_attributes.failure.message = message
    return event


TASKS = [completed(4), completed(9), completed(20)]
REDONE = [failed(5 + number, RESET, _REDONE) for number in range(3)]


@pytest.mark.parametrize(
    ("history", "task"),
    [
        ([*TASKS, failed(30, NONDETERMINISM, TOLD.format(12))], 9),  # the task that issued the command of event 12
        ([*TASKS, failed(30, NONDETERMINISM, TOLD.format(21))], 20),
        ([*TASKS, *REDONE[:2], failed(30, NONDETERMINISM, TOLD.format(21))], 20),
        ([*TASKS, *REDONE, failed(30, NONDETERMINISM, TOLD.format(21))], None),  # redone often enough
        ([*TASKS, failed(30, NONDETERMINISM, "no event is named")], None),
        ([*TASKS, failed(30, NONDETERMINISM, TOLD.format(3))], None),  # before the first task
        ([*TASKS, failed(30, UNHANDLED, TOLD.format(12))], None),  # an error of the code
        ([*TASKS, failed(25, NONDETERMINISM, TOLD.format(12)), failed(30, UNHANDLED, "KeyError")], None),
        (TASKS, None),
    ],
)
def test_the_task_that_issued_what_a_replay_does_not_is_done_again(
    history: list[HistoryEvent], task: int | None
) -> None:
    assert unreplayable_task(history) == task
