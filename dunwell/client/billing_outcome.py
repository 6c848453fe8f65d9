"""What came of applying what was said of one subject of a billing system."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dunwell.domain.billing_events import SubjectState

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True)
class Outcome:
    """How a subject stands now.

    reason   of what waits: what is missing; of what is settled: what was left undone, if anything
    applied  of an invoice: the values that its case knows; of a payment: what its case has still to write down
    after    apply it again after this time
    started  a case began by it
    """

    state: SubjectState
    invoice_id: str | None = None
    reason: str | None = None
    applied: dict[str, Any] = field(default_factory=dict)
    after: timedelta | None = None
    started: bool = False

    def next_in(self, attempts: int) -> timedelta | None:
        """Return how long until it is applied again, after so many attempts; None: until something new is said."""
        if self.state is SubjectState.WAITING and self.after is None:
            return min(_FIRST_WAIT * (1 << min(attempts, 20)), _LONGEST_WAIT)
        return self.after


def settled(invoice_id: str | None = None, reason: str | None = None, **more: Any) -> Outcome:
    return Outcome(SubjectState.SETTLED, invoice_id, reason, **more)


def waits(reason: str, invoice_id: str | None = None) -> Outcome:
    return Outcome(SubjectState.WAITING, invoice_id, reason)
