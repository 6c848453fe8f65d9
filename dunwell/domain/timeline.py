"""Entries of the timeline: every decision about a case with its reason."""

from collections.abc import Sequence
from datetime import datetime

from dunwell.domain.model import Value
from dunwell.domain.step_outcome import Said


class Entry(Value):
    """One decision with its reason. `key` names it once and for all, so that writing it twice is harmless."""

    key: str
    at: datetime
    kind: str
    reason: str
    step: str | None = None
    channel: str | None = None
    ref: str | None = None


def entries_of(said: Sequence[Said], key: str, now: datetime, step: str | None = None) -> list[Entry]:
    """Timeline entries for decisions, with keys that repeat when the same decision is made again."""
    return [
        Entry(key=f"{key}.{number}", at=now, kind=item.kind, reason=item.reason, step=step, ref=item.ref)
        for number, item in enumerate(said)
    ]
