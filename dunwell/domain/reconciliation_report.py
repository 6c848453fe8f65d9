"""The findings of a comparison of the database with Temporal, and what was repaired."""

from datetime import datetime
from enum import StrEnum

from dunwell.domain.model import MutableValue, Value

BY = "reconciler"
"""Who paused a case, or began a standstill, when no person did."""

_MANY = 20
_ONE_IN = 100
_A_FEW = 3
"""Fewer differing cases than this are not taken for a restore, however small the installation is."""


class Kind(StrEnum):
    """The first five: case and database disagree. The others: work that was left behind."""

    CLOSED = "closed"  # the case is open, and its run was terminated, cancelled, timed out or failed
    GONE = "gone"  # the case is open, and the engine has no run of it
    ENDED = "ended"  # the run came to its end, and the database's case is open
    APART = "apart"  # the case runs, and it and the database know different things
    UNKNOWN = "unknown"  # the case runs, and the database does not know its invoice
    UNSTARTED = "unstarted"  # registered, and never started
    SILENT = "silent"  # the case runs and does not answer
    FAILING = "failing"  # the case runs, and its workflow tasks fail
    CLAIM = "claim"  # a message whose provider call was begun and never answered
    TASK = "task"  # an open task of a case that has ended
    STILL = "still"  # an open case with nothing to do, and nobody who was asked
    WEBHOOK = "webhook"  # a subscriber took no notification for three days


_DIFFERENCES = frozenset({Kind.CLOSED, Kind.GONE, Kind.ENDED, Kind.APART, Kind.UNKNOWN})


class Finding(Value):
    """One difference or open end. `subject` is the id of the message or task if it is not about the case itself."""

    kind: Kind
    invoice_id: str
    found: str
    remedy: str
    subject: str | None = None
    mended: bool = False
    failed: str | None = None


class Report(MutableValue):
    """One comparison of all cases.

    restored  so many cases differ that one side was restored from a backup
    applied   whether findings were repaired where possible
    refused   why nothing was repaired although it was asked for
    closed    addresses that were closed after a provider's list of suppressed ones
    """

    at: datetime
    by: str
    cases: int = 0
    findings: list[Finding] = []
    restored: bool = False
    applied: bool = False
    refused: str | None = None
    closed: int = 0
    number: int = 0

    @property
    def differing(self) -> int:
        return len({one.invoice_id for one in self.findings if one.kind in _DIFFERENCES})

    @property
    def many_fail(self) -> bool:
        """Whether more than 20 cases fail: then it is the release that is wrong, and not each case."""
        return sum(one.kind is Kind.FAILING for one in self.findings) > _MANY

    def looks_restored(self) -> bool:
        """Whether more than 20 cases, or one in a hundred and not just one or two, differ."""
        return self.differing > _MANY or (self.differing >= _A_FEW and self.differing * _ONE_IN > self.cases)
