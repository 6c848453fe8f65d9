"""Task queues, search attribute keys, and the timeouts, retries and waits of workflows."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from temporalio.common import Priority, RetryPolicy, SearchAttributeKey

TASK_QUEUE = "dunning"


def step_queue(task_queue: str) -> str:
    """Return the queue for the steps of cases whose workflows are on `task_queue`."""
    return f"{task_queue}-steps"


STAGE = SearchAttributeKey.for_keyword("DunningStage")
STEP = SearchAttributeKey.for_keyword("DunningStep")
CUSTOMER_ID = SearchAttributeKey.for_keyword("CustomerId")
POLICY_NAME = SearchAttributeKey.for_keyword("PolicyName")
CURRENCY = SearchAttributeKey.for_keyword("Currency")
AMOUNT_DUE = SearchAttributeKey.for_float("AmountDue")
DUE_ON = SearchAttributeKey.for_datetime("DueOn")
NEXT_ACTION_AT = SearchAttributeKey.for_datetime("NextActionAt")

SEARCH_ATTRIBUTES: Mapping[str, str] = {
    STAGE.name: "Keyword",
    STEP.name: "Keyword",
    CUSTOMER_ID.name: "Keyword",
    POLICY_NAME.name: "Keyword",
    CURRENCY.name: "Keyword",
    AMOUNT_DUE.name: "Double",
    DUE_ON.name: "Datetime",
    NEXT_ACTION_AT.name: "Datetime",
}
"""Name to type, as the server registers them."""


class ActivityOptions(TypedDict):
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    priority: Priority


WRITING = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
    priority=Priority(priority_key=1),
)
"""Database work: retried until it succeeds, and before everything else, because payments are part of it."""

STEP_WORK = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=3),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=2), maximum_attempts=10),
    priority=Priority(priority_key=3),
)
"""A step: provider calls of a few seconds each. After ten attempts the case notes it and rests for AFTER_TROUBLE."""

PUBLISHING = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=60),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5), maximum_attempts=30),
    priority=Priority(priority_key=1),
)
"""A change of access, sent to the product. After 30 attempts, about two hours, the case notes it and begins again."""

INVOICE_LOOK = timedelta(days=1)
"""How long a run waits for its invoice before it looks again unasked."""

KEYS_LOOK = timedelta(hours=1)
"""How long until the keys are tried again on a signal that none of them opened."""

AFTER_TROUBLE = timedelta(hours=1)
"""How long a case rests, in its own time, when a step failed for good."""

TIMELINE_KEPT = 400
"""Timeline entries that a run keeps for its query; the database has them all."""
