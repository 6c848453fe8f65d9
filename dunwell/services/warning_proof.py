"""The proof a consequence needs: enough written warnings that are known to have arrived, long enough ago (G2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.contact_limits import ContactRule
from dunwell.domain.keys import StepKey
from dunwell.domain.policy import Needs, Step
from dunwell.domain.terms import MessageState
from dunwell.services import contact_law
from dunwell.services.dependencies import Dependencies
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


def missing(session: Session, deps: Dependencies, dispatch: Dispatch) -> Missing | None:
    """What the job's step still lacks; None when it may happen."""
    step = dispatch.execution.ladder
    notice = _legal_notice(deps, dispatch) if step is not None and step.grave else None
    needs = _needs(step, notice) if step is not None else None
    if step is None or needs is None:
        return None
    arrived: dict[str, datetime] = {}
    written = outbox.warnings(session, dispatch.case.invoice_id)
    newest, left_out = _newest(written, dispatch.case.progress.round), dispatch.case.progress.left_out_again
    for claimed, row in written:
        if row.state != MessageState.DELIVERED:
            continue
        key = StepKey.parse(claimed)
        warned = key.step
        if warned == step.id or key.round != dispatch.case.progress.round:
            continue  # an earlier notice of the same consequence, or about an earlier due date: no warning of it
        if key.again < newest[warned] or warned in left_out:
            continue  # money came after it and was taken back: what was announced then has to be announced anew
        if _is_open(session, row, dispatch) and row.settled_at:
            arrived[warned] = max(row.settled_at, arrived.get(warned, row.settled_at))
    needed = max(needs.delivered_warnings, dispatch.policy.warnings_before_restriction if step.restricts else 0)
    if len(arrived) < needed:
        why = f"{needed} delivered warnings are needed, {len(arrived)} arrived: access stays as it is"
        return Missing(True, dispatch.now + LOOK_AGAIN, why)
    ready = max(arrived.values()) + timedelta(days=needs.days)
    if ready > dispatch.now:
        law = f" ({notice.basis or notice.key})" if notice is not None and notice.notice_days == needs.days else ""
        return Missing(False, ready, f"the last warning arrived less than {needs.days} days ago{law}")
    return None


def _newest(written: Sequence[tuple[str, MessageRow]], number: int) -> dict[str, int]:
    """How often each warning of this round had been called for again when it was last written, by its step."""
    newest: dict[str, int] = {}
    for claimed, _ in written:
        key = StepKey.parse(claimed)
        if key.round == number:
            newest[key.step] = max(key.again, newest.get(key.step, 0))
    return newest


def _needs(step: Step, notice: ContactRule | None) -> Needs | None:
    """What the ladder asks for, and at least the written notice of the law."""
    if notice is None or notice.notice_days is None:
        return step.needs
    own = step.needs or Needs(delivered_warnings=1, days=0)
    return own.model_copy(update={"days": max(own.days, notice.notice_days)})


def _legal_notice(deps: Dependencies, dispatch: Dispatch) -> ContactRule | None:
    """The rule of the customer's country that asks for a notice before collection; None where none does."""
    rule = contact_law.rule_for(deps.laws, dispatch.customer, dispatch.calendar.local_date(dispatch.now))
    return rule if rule is not None and rule.notice_days else None


def _is_open(session: Session, row: MessageRow, dispatch: Dispatch) -> bool:
    """A warning counts only while its contact can still be reached there."""
    return addresses.why_closed(session, row.channel, row.address, rehearsal=dispatch.rehearsal) is None
