"""Carries out one step of a case: judges it, changes access, reaches people, and says what comes next."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.keys import TaskId
from dunwell.domain.principals import SYSTEM
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Access, Level
from dunwell.domain.timeline import entries_of
from dunwell.services import access_publishing, approvals, call_tasks, case_claim, contact_caps, holds, person_tasks
from dunwell.services.alignment import are_apart
from dunwell.services.answer_sending import AnswerSending, execution_of
from dunwell.services.attempt import Attempt
from dunwell.services.channel_fallback import ChannelFallback
from dunwell.services.copies import Copies
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.failures import Parts, lasts, reason_of
from dunwell.services.handed_case import handed_case
from dunwell.services.hold_release import free_account
from dunwell.services.planning import plan_and_answer
from dunwell.services.request_models import StepAnswer, StepRequest
from dunwell.services.sending import Sending
from dunwell.services.step_execution import execution_for, restrictions
from dunwell.services.step_failures import ask_a_person
from dunwell.services.step_judge import StepJudge
from dunwell.store import accounts, address_waits, cases, invoices, outbox, timeline
from dunwell.store.database import UnitOfWork

_MENDED_BY = timedelta(days=1)
"""How soon a step that failed for want of a fact is tried again."""


class Steps:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._sending = Sending(deps)
        self._judge, self._fallback = StepJudge(deps), ChannelFallback(deps, self._sending)
        self._answers = AnswerSending(deps, self._sending)
        self._copies = Copies(deps, self._sending)

    def carry_out(self, request: StepRequest, attempt: Attempt) -> StepAnswer:
        """Do what the step says, as far as it is still right. Safe to repeat at any point.

        A step that lacks a fact fails for good: a person is asked, and the case goes on.
        Raises WorkFailed, and the errors of an unreachable database: then the next attempt may succeed.
        """
        try:
            return self._carry_out(request, attempt)
        except Exception as error:
            if not lasts(error, attempt):
                raise
            return self._give_up(request, attempt, reason_of(error))

    def _carry_out(self, request: StepRequest, attempt: Attempt) -> StepAnswer:
        now = attempt.now
        with self._deps.database.unit_of_work(request.customer_id) as unit:
            case = handed_case(unit.session, request)
            timeline.write(unit.session, case.invoice_id, request.entries)
            if are_apart(unit.session, case, request.written, request.seen):
                return _apart(request, case, now)
            dispatch = self._dispatch(unit.session, request, case, now)
            outcome = self._judge.judge(unit.session, dispatch)
            if outcome.status == "done" and not dispatch.execution.again:
                outcome = self._change_access(unit.session, dispatch, outcome)
                if dispatch.execution.ladder is not None:
                    call_tasks.withdraw_retries(unit.session, dispatch)
            if outcome.status == "stale":
                self._sending.settle(unit, dispatch)
            if outcome.status == "done" and dispatch.execution.message is not None:
                outcome = self._bring_message(unit, dispatch, outcome)
            answer = self._finish(unit.session, request, dispatch, outcome, attempt)
        access_publishing.try_publish(
            self._deps, answer, case.customer_id, now, rehearsal=request.rehearsal, may_wait=True
        )
        return answer

    def _give_up(self, request: StepRequest, attempt: Attempt, why: str) -> StepAnswer:
        now, step = attempt.now, request.step
        failed = StepOutcome(step=step, status="failed", at=now, until=now + _MENDED_BY, why=why)
        answer = StepAnswer(outcome=failed)
        with self._deps.database.writing(request.customer_id) as session:
            case = handed_case(session, request)
            parts = Parts(session, attempt)
            parts.do("timeline", lambda: timeline.write(session, case.invoice_id, request.entries))
            case = _newest(session, case)
            said = entries_of(case.take(failed), f"failed.{step}.{now:%Y%m%d%H%M}", now, step)
            parts.do("timeline", lambda: timeline.write(session, case.invoice_id, said))
            if step not in case.outstanding.stuck:
                # No step of the ladder: it is not tried again, and somebody may have to say it in its place.
                reason = (
                    f"{step} was left out, because it cannot be carried out: {why}. Tell them yourself if it matters"
                )
                task_id = str(TaskId.of(case.invoice_id, step, "left-out"))
                parts.do("task", lambda: ask_a_person(session, case, task_id, reason, now, step=step))
            parts.do("claim", lambda: case_claim.keep(session, self._deps, case, now))
            plan_and_answer(
                session, self._deps, case, answer, attempt, rehearsal=request.rehearsal, seen=request.seen
            )
        return answer

    def _bring_message(self, unit: UnitOfWork, dispatch: Dispatch, outcome: StepOutcome) -> StepOutcome:
        try:
            answer = dispatch.execution.answer
            reached = (
                self._answers.bring(unit, dispatch, answer)
                if answer is not None
                else self._fallback.reach(unit, dispatch)
            )
            if not reached:
                return _no_longer_due(dispatch)
        except contact_caps.TooOften as wait:
            # Another case was faster, or a standstill began. Who has the message already does not get it again.
            return self._judge.wait(unit.session, dispatch, wait.contacts, wait.until, wait.why)
        self._copies.send(unit, dispatch)
        return _with_claim(unit.session, dispatch, outcome)

    def _dispatch(self, session: Session, request: StepRequest, case: Case, now: datetime) -> Dispatch:
        policy = self._deps.policy(session, case.policy)
        customer = invoices.get_customer_of(session, case.invoice_id)
        return Dispatch(
            case=case,
            customer=customer,
            policy=policy,
            calendar=self._deps.calendar(customer, policy, case, now),
            execution=execution_of(session, case, request.step) or execution_for(case, policy, request.step),
            now=now,
            planned_at=request.planned_at,
            rehearsal=request.rehearsal,
            shared_with=invoices.sharing(session, customer),
        )

    def _change_access(self, session: Session, dispatch: Dispatch, outcome: StepOutcome) -> StepOutcome:
        """Place this invoice's hold, or those that grace lifted; the account has the worst of all of its holds."""
        step = dispatch.execution.ladder
        if step is None or step.access is None:
            return outcome
        case = dispatch.case
        for one in restrictions(case, dispatch.policy) if dispatch.execution.returns else [step]:
            level = Level(str(one.access))
            reason = f"invoice {case.invoice_id}: step {one.id}, {case.open_amount} {case.currency} open"
            if holds.place(session, self._deps, case, level, reason, dispatch.now):
                access: Access = accounts.access(session, case.customer_id)
                text = f"hold {level.value} placed; the account's access is now {access.value}"
                note(session, dispatch, f"hold.{level.value}", "access", text)
        return outcome.model_copy(update={"placed_hold": True, "reopened": case.reopened})

    def _finish(
        self,
        session: Session,
        request: StepRequest,
        dispatch: Dispatch,
        outcome: StepOutcome,
        attempt: Attempt,
    ) -> StepAnswer:
        case = dispatch.case
        answer = StepAnswer(outcome=outcome)
        if outcome.status not in {"delayed", "stale"}:
            address_waits.forget(session, [case.invoice_id])
        if outcome.status != "stale":
            case = _newest(session, case)
        outcome = answer.outcome = outcome.model_copy(update={"round": dispatch.case.progress.round})
        said = case.take(outcome)
        timeline.write(
            session, case.invoice_id, entries_of(said, f"step.{dispatch.execution.key}", dispatch.now, outcome.step)
        )
        free_account(session, case, dispatch.now)  # the ladder itself may have written the rest off
        person_tasks.withdraw_needless(session, case, dispatch.now)
        approvals.overtake(session, case, SYSTEM, dispatch.now)
        case_claim.keep(session, self._deps, case, dispatch.now)
        plan_and_answer(session, self._deps, case, answer, attempt, rehearsal=request.rehearsal, seen=request.seen)
        return answer


def _with_claim(session: Session, dispatch: Dispatch, outcome: StepOutcome) -> StepOutcome:
    """The outcome with what the step's message claimed beside the principal."""
    found = outbox.claimed_by(session, dispatch.case.invoice_id, str(dispatch.execution.key))
    return outcome if found is None else outcome.model_copy(update={"claimed": found[0], "claim_until": found[1]})


def _no_longer_due(dispatch: Dispatch) -> StepOutcome:
    """The outcome of a step that is not due any more: a ladder step stays next, an answer is dropped."""
    if dispatch.execution.ladder is not None:
        return StepOutcome(step=dispatch.execution.step, status="stale", at=dispatch.now)
    return StepOutcome(step=dispatch.execution.step, status="skipped", at=dispatch.now)


def _apart(request: StepRequest, case: Case, now: datetime) -> StepAnswer:
    """Nothing is done before case and database are brought together."""
    outcome = StepOutcome(step=request.step, status="stale", at=now)
    return StepAnswer.unchanged(case, request.seen, outcome=outcome, apart=True)


def _newest(session: Session, case: Case) -> Case:
    """The stored case, if it is newer: a step must not overwrite what was recorded while it was carried out."""
    stored = cases.get(session, case.invoice_id)
    return stored if stored is not None and stored.revision > case.revision else case
