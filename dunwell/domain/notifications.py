"""What webhook subscribers are told: the topics, the body of each, and what a change of a case says.

Bodies hold ids, amounts, days and stages. No name, address, number or free text of a person is among them.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Literal

from dunwell.domain.case import Case
from dunwell.domain.ladder import StepDone
from dunwell.domain.model import Value
from dunwell.domain.policy import PolicyRef
from dunwell.domain.terms import Access, PromiseState, Stage, TaskKind


class Topic(StrEnum):
    """What a subscription may ask for. `TEST` is sent on request only, to whatever subscription."""

    CASE_OPENED = "case_opened"
    STEP_DONE = "step_done"
    PROMISE = "promise"
    DISPUTE = "dispute"
    PAID = "paid"
    ACCESS_CHANGED = "access_changed"
    TASK_RAISED = "task_raised"
    TEST = "test"


TOPICS = tuple(topic for topic in Topic if topic is not Topic.TEST)
"""The topics that can be subscribed to."""


class DeliveryState(StrEnum):
    """`failed`: given up after three days without an answer of 2xx."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Notification(Value):
    """What happened, without the id and the time that it gets when it is written down."""

    topic: ClassVar[Topic]
    customer_id: str
    invoice_id: str


class CaseOpened(Notification):
    """A case began."""

    topic = Topic.CASE_OPENED
    stage: Stage
    amount_due: Decimal
    currency: str
    due_on: date
    policy: PolicyRef


class StepTaken(Notification):
    """A step of the ladder was done, at the case's own time `done_at`."""

    topic = Topic.STEP_DONE
    step: str
    done_at: datetime
    stage: Stage
    amount_due: Decimal
    currency: str


class PromiseChanged(Notification):
    """A promise to pay was made, kept, broken or replaced. `number` counts the promises of the case from 1."""

    topic = Topic.PROMISE
    number: int
    state: PromiseState
    date: date
    amount: Decimal
    currency: str


class DisputeChanged(Notification):
    """A dispute was opened, with what is in dispute, or has ended."""

    topic = Topic.DISPUTE
    state: Literal["opened", "ended"]
    disputed: Decimal
    amount_due: Decimal
    currency: str


class CasePaid(Notification):
    """The case ended because its invoice is paid."""

    topic = Topic.PAID
    paid: Decimal
    currency: str


class AccessChanged(Notification):
    """The access of the customer's account changed. `change_id` is the one that the product is sent, too."""

    topic = Topic.ACCESS_CHANGED
    change_id: str
    access: Access
    work_on_hold: bool


class TaskRaised(Notification):
    """A person has something to do. `amount` None: what is asked for when somebody reads the task."""

    topic = Topic.TASK_RAISED
    task_id: str
    kind: TaskKind
    step: str | None
    due_at: datetime
    amount: Decimal | None
    currency: str | None


BODIES: tuple[type[Notification], ...] = (
    CaseOpened,
    StepTaken,
    PromiseChanged,
    DisputeChanged,
    CasePaid,
    AccessChanged,
    TaskRaised,
)


def changes(before: Case | None, after: Case) -> Iterator[Notification]:
    """Yield what a newer copy of a case tells. `before` None: the case was not known."""
    of: dict[str, Any] = {"customer_id": after.customer_id, "invoice_id": after.invoice_id}
    due: dict[str, Any] = {"amount_due": after.open_amount, "currency": after.currency}
    if before is None:
        yield CaseOpened(**of, **due, stage=after.stage, due_on=after.due_on, policy=after.policy)
        return
    for done in _steps_since(before, after):
        yield StepTaken(**of, **due, step=done.step, done_at=done.at, stage=after.stage)
    known = [promise.state for promise in before.agreements.promises]
    for number, promise in enumerate(after.agreements.promises, 1):
        if number > len(known) or known[number - 1] is not promise.state:
            facts: dict[str, Any] = {
                "number": number,
                "state": promise.state,
                "date": promise.date,
                "amount": promise.amount,
            }
            yield PromiseChanged(**of, currency=after.currency, **facts)
    if (before.agreements.dispute is None) is not (after.agreements.dispute is None):
        state: Literal["opened", "ended"] = "ended" if after.agreements.dispute is None else "opened"
        yield DisputeChanged(**of, **due, state=state, disputed=after.open_amount - after.asked)
    if after.ended is Stage.PAID and before.ended is not Stage.PAID:
        yield CasePaid(**of, paid=after.money.paid, currency=after.currency)


def _steps_since(before: Case, after: Case) -> list[StepDone]:
    """Return the steps that were done between two copies, whatever round they belong to."""
    known = {(done.step, done.at) for done in (*before.progress.steps, *before.progress.former_steps)}
    every = (*after.progress.former_steps, *after.progress.steps)
    return [done for done in every if done.outcome == "done" and (done.step, done.at) not in known]


# Delivery ------------------------------------------------------------------------------------------------

PATIENCE = timedelta(days=3)
"""For how long a notification is tried before it counts as failed."""

_PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""After the first, second, ... attempt; the last one again and again."""


def next_try(since: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when to try again after so many attempts, the last one now; None: no more. `since`: when it was due."""
    end = since + PATIENCE
    return None if now >= end else min(now + _PAUSES[min(attempts, len(_PAUSES)) - 1], end)
