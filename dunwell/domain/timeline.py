"""The record of every decision about a case, as people read it."""

from datetime import datetime

from dunwell.domain.model import Value


class Entry(Value):
    """One decision with its reason. `key` names it once and for all, so that writing it twice is harmless."""

    key: str
    at: datetime
    kind: str
    reason: str
    step: str | None = None
    channel: str | None = None
    ref: str | None = None
