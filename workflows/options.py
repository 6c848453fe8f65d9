"""Queues, timeouts, retries and search attributes: every number the engine is given."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from temporalio.common import Priority, RetryPolicy, SearchAttributeKey

TASK_QUEUE = "dunning"


def step_queue(task_queue: str) -> str:
    """The queue of the steps of those cases whose workflows are on `task_queue`."""
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
"""Database work: tried until it succeeds, and ahead of everything else, because money is in it."""

STEP_WORK = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=3),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=2), maximum_attempts=10),
    priority=Priority(priority_key=3),
)
"""A step: provider calls of at most a few seconds each. After ten attempts the case says so and rests an hour."""

PUBLISHING = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=60),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5), maximum_attempts=30),
    priority=Priority(priority_key=1),
)
"""The product hears of a change of access however long it takes: after two hours the case says so and goes on."""

INVOICE_LOOK = timedelta(days=1)
"""How soon a run that waits for its invoice looks again by itself."""

KEYS_LOOK = timedelta(hours=1)
"""How soon the keys are tried again on a signal that none of them opened."""

AFTER_TROUBLE = timedelta(hours=1)
"""How long a case rests, in its own time, when a step failed for good."""

TIMELINE_KEPT = 400
"""Entries a run keeps for its query; the database has them all."""
