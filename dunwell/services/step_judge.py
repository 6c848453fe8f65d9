"""Judges whether a step may be carried out now, and until when it waits if not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain import ladder, next_action
from dunwell.domain.contact import Contact
from dunwell.domain.ladder import Verdict
from dunwell.domain.policy import Step
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import CONTACT_TASKS, DEAD_STATES, Late, ProviderCall, TaskKind
from dunwell.services import (
    address_queue,
    contact_caps,
    credits,
    customer_waits,
    money_under_way,
    person_tasks,
    standstill,
    warning_proof,
)
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.store import cases, outbox, payments, tasks
from dunwell.store.tables import MessageRow

_NOBODY_DECIDED = timedelta(days=28)
"""How long a step waits for an approval before its timeline says again that it waits."""


class StepJudge:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def judge(self, session: Session, dispatch: Dispatch) -> StepOutcome:
        """The step's outcome: "done" if it is to be carried out now, otherwise why it is not and until when.

        What holds it back is noted in the timeline, and a person is asked where only a person can help.
        """
        case, execution, now = dispatch.case, dispatch.execution, dispatch.now
        if _is_stale(session, dispatch):
            return StepOutcome(step=execution.step, status="stale", at=now)
        if next_action.subject_gone(case, execution.step):
            note(
                session,
                dispatch,
                "dropped",
                "withheld",
                f"{execution.message}: what it speaks of is no more; left out",
            )
            return StepOutcome(step=execution.step, status="skipped", at=now)
        stands_still = standstill.wait_for(session, dispatch)
        if stands_still is not None:
            return _stand_still(session, dispatch, stands_still)
        if not dispatch.calendar.is_open(now):
            until = dispatch.calendar.next_open(now)
            closed = dispatch.calendar.why_outside(now)
            return _hold_back(session, dispatch, "delayed", until, f"{closed}: waits for the next open hour")
        sent = outbox.of_invoice(session, case.invoice_id, str(execution.key))
        waits = self._covered_by_credit(session, dispatch) or self._waits(session, dispatch)
        if execution.ladder is not None and not execution.again:
            judge = self._judge_return if execution.returns else self._judge_step
            return waits or judge(session, dispatch, execution.ladder, sent)
        waits = waits or self._too_often(session, dispatch, sent)
        return waits or StepOutcome(step=execution.step, status="done", at=now)

    def _covered_by_credit(self, session: Session, dispatch: Dispatch) -> StepOutcome | None:
        """Delay the step while the customer's credit covers the invoice: a person applies or returns that credit."""
        found = credits.cover(session, dispatch.case) if self._deps.presses(dispatch.execution) else None
        if found is None:
            return None
        note(session, dispatch, f"credit.{found.amount}", "blocked", found.why)  # looked at every day, and said once
        return StepOutcome(
            step=dispatch.execution.step, status="blocked", at=dispatch.now, until=dispatch.tomorrow, why=found.why
        )

    def _waits(self, session: Session, dispatch: Dispatch) -> StepOutcome | None:
        """Delay the step while a reply or money of this customer's waits for a person."""
        presses = self._deps.presses(dispatch.execution)
        found = customer_waits.wait_for(session, dispatch, presses=presses)
        if found is None:
            if presses:
                money_under_way.note_undecided(session, dispatch)
            return None
        note(session, dispatch, f"waits.{found.since:%Y%m%d%H%M%S}", "delayed", found.why)
        until = min(dispatch.calendar.next_open(found.until), dispatch.tomorrow)  # it may be decided by then
        return StepOutcome(step=dispatch.execution.step, status="delayed", at=dispatch.now, until=until)

    def _judge_step(
        self, session: Session, dispatch: Dispatch, step: Step, sent: Sequence[MessageRow]
    ) -> StepOutcome:
        case, now = dispatch.case, dispatch.now
        judged = ladder.judge(dispatch.policy, next_action.standing(case), dispatch.calendar, now)
        begun = bool(sent)
        if judged is None or judged.step != step.id:
            return StepOutcome(step=step.id, status="stale", at=now)
        known = None if begun else _sent_before(session, dispatch, step)
        if known is not None:
            note(session, dispatch, "skipped", "skipped", known)
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        late = judged.verdict is Verdict.LATE and not begun
        if late and judged.do is Late.SKIP:
            note(session, dispatch, "skipped", "skipped", f"its time has passed: {judged.why}")
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        waits = _missing_proof(session, self._deps, dispatch) or _missing_yes(session, dispatch, step)
        waits = waits or self._too_often(session, dispatch, sent)
        if waits:
            return waits
        shift = judged.shift if late and judged.do is Late.SHIFT else 0
        if shift:
            days = round(shift / 86_400)
            note(session, dispatch, "shifted", "shifted", f"{days} day(s) late: the rest moves along")
        return StepOutcome(
            step=step.id,
            status="done",
            at=now,
            shift=shift,
            legal=step.stage is not None,
            threat=step.consequence or bool(step.announces),
            announces=step.announces,
            ends=step.ends,
        )

    def _judge_return(
        self, session: Session, dispatch: Dispatch, step: Step, sent: Sequence[MessageRow]
    ) -> StepOutcome:
        """A restriction returns after grace without new warnings, as long as those that it needed still count."""
        if not dispatch.policy.applies(step, dispatch.case.asked):
            return StepOutcome(step=dispatch.execution.step, status="skipped", at=dispatch.now)
        waits = _missing_proof(session, self._deps, dispatch) or self._too_often(session, dispatch, sent)
        return waits or StepOutcome(
            step=dispatch.execution.step, status="done", at=dispatch.now, threat=True, returned=step.id
        )

    def _too_often(self, session: Session, dispatch: Dispatch, sent: Sequence[MessageRow]) -> StepOutcome | None:
        """Delay the step while the contact caps of its contacts are used up, about whatever invoice (G5).

        Contacts who already have this step's message do not count, whichever case sent it.
        """
        there = [row for row in sent if row.state not in DEAD_STATES and row.call != ProviderCall.REFUSED]
        served = {row.contact_id for row in there} | {row.address_key for row in there}
        made = tasks.of_step(session, dispatch.case.invoice_id, dispatch.execution.step)
        served |= {task.contact_id for task in made if task.contact_id and task.kind in CONTACT_TASKS}
        left = [one for one in dispatch.named if served.isdisjoint({one.contact_id, *dispatch.keys([one])})]
        wait = contact_caps.earliest(session, self._deps, dispatch, left)
        return None if wait is None else self.wait(session, dispatch, left, *wait)

    def wait(
        self, session: Session, dispatch: Dispatch, contacts: Sequence[Contact], until: datetime, why: str
    ) -> StepOutcome:
        """Delay the step until then, in the queue of the addresses of `contacts`."""
        turn = dispatch.calendar.next_open(until)
        if contacts:
            address_queue.join(session, dispatch, contacts, turn)
        return _hold_back(session, dispatch, "delayed", turn, why)


def _is_stale(session: Session, dispatch: Dispatch) -> bool:
    """Whether the case has changed since it was planned, so that the step is not due any more."""
    case, execution = dispatch.case, dispatch.execution
    stored = cases.get_row(session, case.invoice_id)
    if stored is not None and stored.revision > case.revision:
        return True
    if execution.ladder is None:
        return False
    settled = case.with_paid(payments.paid(session, case.invoice_id)).open_amount == 0
    # A case can come to rest while its step is on the way; the ladder stands still then, access with it.
    if execution.returns:
        return settled or case.agreements.grace is None or case.rests_beside_grace
    return settled or case.resting


def _sent_before(session: Session, dispatch: Dispatch, step: Step) -> str | None:
    """Why a message that a customer gets only once is left out; None when it is not."""
    if step.once is None or step.message is None:
        return None
    sent_at = outbox.first_sent(session, dispatch.case.customer_id, step.message)
    return f"this customer was told on {sent_at:%Y-%m-%d} already" if sent_at else None


def _missing_proof(session: Session, deps: Dependencies, dispatch: Dispatch) -> StepOutcome | None:
    """Delay a step whose warnings are not proven, and ask a person when warnings are missing (G2)."""
    lacking = warning_proof.missing(session, deps, dispatch)
    if lacking is None:
        return None
    if lacking.warnings:
        advice = "Reach the customer, or renew the contact's address"
        person_tasks.raise_about_step(session, dispatch, "proof", f"{lacking.why}. {advice}")
    return _hold_back(session, dispatch, "blocked" if lacking.warnings else "delayed", lacking.until, lacking.why)


def _missing_yes(session: Session, dispatch: Dispatch, step: Step) -> StepOutcome | None:
    """Delay a step that needs an approval until it is decided; a task asks the manager for it."""
    if not dispatch.case.needs_yes(step):
        return None
    task_id = dispatch.case.approval_task(step.id)
    why = f"{step.does} waits for our manager's yes"
    advice = f"{why}: {dispatch.case.asked} {dispatch.case.currency} are open. Record approved or declined"
    person_tasks.raise_task(
        session,
        dispatch.case,
        task_id=task_id,
        step=dispatch.execution.step,
        reason=advice,
        now=dispatch.now,
        kind=TaskKind.APPROVAL,
    )
    until = dispatch.now + _NOBODY_DECIDED  # a decision wakes the case earlier
    outcome = _hold_back(session, dispatch, "blocked", until, f"{why} (task {task_id})")
    return outcome.model_copy(update={"undecided": True})


def _stand_still(session: Session, dispatch: Dispatch, wait: standstill.Wait) -> StepOutcome:
    """Delay the step during a standstill or a pause of its customer; noted once."""
    note(session, dispatch, f"standstill.{wait.since:%Y%m%d%H%M%S}", "delayed", wait.why)
    until = dispatch.calendar.next_open(wait.until)
    return StepOutcome(step=dispatch.execution.step, status="delayed", at=dispatch.now, until=until)


def _hold_back(session: Session, dispatch: Dispatch, status: str, until: datetime, why: str) -> StepOutcome:
    note(session, dispatch, f"{status}.{until:%Y%m%d%H%M}", status, f"{why} (until {until:%Y-%m-%d %H:%M} UTC)")
    return StepOutcome.model_validate(
        {"step": dispatch.execution.step, "status": status, "at": dispatch.now, "until": until}
    )
