"""The proof a consequence needs: enough written warnings that are known to have arrived, long enough ago (G2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.keys import StepKey
from dunwell.services.dispatch import Dispatch
from dunwell.store import addresses, outbox
from dunwell.store.tables import MessageRow

LOOK_AGAIN = timedelta(days=7)
"""How long a step that lacks warnings waits before it looks again; a delivery report wakes it earlier."""


@dataclass(frozen=True)
class Missing:
    """What is missing, and when to look again. `warnings` False: only time is missing."""

    warnings: bool
    until: datetime
    why: str


def missing(session: Session, dispatch: Dispatch) -> Missing | None:
    """What the job's step still lacks; None when it may happen."""
    step = dispatch.execution.ladder
    if step is None or step.needs is None:
        return None
    arrived: dict[str, datetime] = {}
    for claimed, row in outbox.delivered_warnings(session, dispatch.case.invoice_id):
        key = StepKey.parse(claimed)
        warned = key.step
        if warned == step.id or key.round != dispatch.case.progress.round:
            continue  # an earlier notice of the same consequence, or about an earlier due date: no warning of it
        if _is_open(session, row, dispatch) and row.settled_at:
            arrived[warned] = max(row.settled_at, arrived.get(warned, row.settled_at))
    needed = max(step.needs.delivered_warnings, dispatch.policy.warnings_before_restriction if step.restricts else 0)
    if len(arrived) < needed:
        why = f"{needed} delivered warnings are needed, {len(arrived)} arrived: access stays as it is"
        return Missing(True, dispatch.now + LOOK_AGAIN, why)
    ready = max(arrived.values()) + timedelta(days=step.needs.days)
    if ready > dispatch.now:
        return Missing(False, ready, f"the last warning arrived less than {step.needs.days} days ago")
    return None


def _is_open(session: Session, row: MessageRow, dispatch: Dispatch) -> bool:
    """A warning counts only while its contact can still be reached there."""
    return addresses.why_closed(session, row.channel, row.address, rehearsal=dispatch.rehearsal) is None
