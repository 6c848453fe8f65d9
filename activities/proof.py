"""The proof a consequence needs: enough written warnings that are known to have arrived, long enough ago (G2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from activities.job import Job
from domain.keys import StepKey
from domain.terms import Channel
from store import addresses, outbox
from store.tables import MessageRow

LOOK_AGAIN = timedelta(days=7)
"""How long a step that lacks warnings waits before it looks again; a delivery report wakes it earlier."""


@dataclass(frozen=True)
class Missing:
    """What is missing, and when to look again. `warnings` False: only time is missing."""

    warnings: bool
    until: datetime
    why: str


def missing(session: Session, job: Job) -> Missing | None:
    """What the job's step still lacks; None when it may happen."""
    step = job.errand.ladder
    if step is None or step.needs is None:
        return None
    arrived: dict[str, datetime] = {}
    for claimed, row in outbox.delivered_warnings(session, job.case.invoice_id):
        key = StepKey.parse(claimed)
        warned = key.step
        if warned == step.id or key.round != job.case.progress.round:
            continue  # its own news, when it is repeated, or said of an earlier due date: no warning of it
        if _is_open(session, row, job) and row.settled_at:
            arrived[warned] = max(row.settled_at, arrived.get(warned, row.settled_at))
    needed = max(step.needs.delivered_warnings, job.policy.warnings_before_restriction if step.restricts else 0)
    if len(arrived) < needed:
        why = f"{needed} delivered warnings are needed, {len(arrived)} arrived: access stays as it is"
        return Missing(True, job.now + LOOK_AGAIN, why)
    ready = max(arrived.values()) + timedelta(days=step.needs.days)
    if ready > job.now:
        return Missing(False, ready, f"the last warning arrived less than {step.needs.days} days ago")
    return None


def _is_open(session: Session, row: MessageRow, job: Job) -> bool:
    """A warning counts only while its contact can still be reached there."""
    return addresses.why_closed(session, Channel(row.channel), row.address, rehearsal=job.rehearsal) is None
