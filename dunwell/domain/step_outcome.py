"""The outcome of a step, and the decisions of a case for its timeline."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from dunwell.domain.model import Value
from dunwell.domain.terms import Stage


class StepOutcome(Value):
    """The outcome of a step: done, skipped, delayed, blocked, stale (the case had changed meanwhile), or failed.

    failed  it cannot be carried out for want of a fact; `why` says of which
    """

    step: str
    status: Literal["done", "skipped", "delayed", "blocked", "stale", "failed"]
    at: datetime
    until: datetime | None = None  # delayed, blocked, failed: look again then
    why: str = ""
    shift: int = 0  # seconds by which the rest of the ladder moves
    legal: bool = False
    threat: bool = False  # a consequence was announced, or happened
    announces: tuple[str, ...] = ()  # the consequences, by their steps
    ends: Stage | None = None
    placed_hold: bool = False
    returned: str | None = None  # the step whose restriction came back after grace
    undecided: bool = False  # blocked until our manager says yes or no
    round: int | None = None  # of the ladder, when the step began
    claimed: Decimal | None = None  # beside the principal, in the currency of the invoice
    claim_until: date | None = None  # the day by which that was asked for
    reopened: int | None = None  # as in the case, when the step began


class Said(Value):
    """One decision, for the timeline: its kind and its reason in plain words."""

    kind: str
    reason: str
    ref: str | None = None

    def __init__(self, kind: str, reason: str, ref: str | None = None) -> None:
        super().__init__(kind=kind, reason=reason, ref=ref)  # type: ignore[call-arg]
