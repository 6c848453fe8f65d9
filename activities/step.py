"""Carries out one step of a case: judge it, change access, reach people, say what comes next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from temporalio import activity

from dunwell.domain import agenda, ladder
from dunwell.domain.case import Case
from dunwell.domain.invoice import Contact
from dunwell.domain.keys import TaskId
from dunwell.domain.ladder import Verdict
from dunwell.domain.policy import Step
from dunwell.domain.recipients import is_debtors, named, others
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import BY_PERSON, DEAD_STATES, Access, Late, Level, Role
from dunwell.services import address_queue, call_tasks, contact_caps, credits, person_tasks, standstill, warning_proof
from dunwell.services.claims import Result
from dunwell.services.copies import Copies
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Answer, Dependencies, Request, check_run, entries_of, moment
from dunwell.services.dispatch import Dispatch
from dunwell.services.failures import Parts, lasts, reason_of
from dunwell.services.hold_release import free_account
from dunwell.services.recovery import are_apart
from dunwell.services.sending import Sending
from dunwell.services.step_execution import StepExecution, execution_for
from dunwell.services.step_failures import ask_a_person
from dunwell.store import accounts, cases, invoices, ledger, outbox, tasks, timeline, waits
from dunwell.store.database import UnitOfWork
from dunwell.store.tables import MessageRow

_MENDED_BY = timedelta(days=1)
"""How soon a step that failed for want of a fact is tried again."""

_NOBODY_DECIDED = timedelta(days=28)
"""How long a step that waits for a yes is left alone before its timeline says again that it waits."""


class StepRequest(Request):
    step: str
    planned_at: datetime


class StepAnswer(Answer):
    outcome: StepOutcome | None = None

    @classmethod
    def apart_from(cls, case: Case, seen: int, step: str, now: datetime) -> "StepAnswer":
        """Nothing is done before case and database are brought together."""
        answer = cls(outcome=StepOutcome(step=step, status="stale", at=now), apart=True)
        answer.recall(case, [], seen)
        answer.written = None
        return answer


class StepActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._sending = Sending(deps)
        self._copies = Copies(deps, self._sending)

    @activity.defn(name="carry_out")
    def carry_out(self, request: StepRequest) -> StepAnswer:
        """Do what the step says, as far as it is still right. Safe to repeat at any point.

        What cannot be done for want of a fact fails for good: a person is asked, and the case goes on.
        """
        try:
            return self._carry_out(request)
        except Exception as error:
            if not lasts(error):
                raise
            return self._give_up(request, reason_of(error))

    def _carry_out(self, request: StepRequest) -> StepAnswer:
        now, case = moment(request), request.case
        with self._deps.database.unit_of_work(case.customer_id) as unit:
            check_run(unit.session, request)
            timeline.write(unit.session, case.invoice_id, request.entries)
            if are_apart(unit.session, request):
                return StepAnswer.apart_from(case, request.seen, request.step, now)
            dispatch = self._dispatch(unit.session, request, now)
            outcome = self._judge(unit.session, dispatch)
            if outcome.status == "done" and not dispatch.execution.again:
                outcome = self._change_access(unit.session, dispatch, outcome)
                if dispatch.execution.ladder is not None:
                    call_tasks.withdraw_retries(unit.session, dispatch)
            if outcome.status == "stale":
                self._sending.settle(unit, dispatch)
            if outcome.status == "done" and dispatch.execution.message is not None:
                outcome = self._bring_message(unit, dispatch, outcome)
            answer = self._finish(unit.session, request, dispatch, outcome)
        self._deps.try_publish(answer, case.customer_id, rehearsal=request.rehearsal, now=now, may_wait=True)
        return answer

    def _give_up(self, request: StepRequest, why: str) -> StepAnswer:
        now, case, step = moment(request), request.case, request.step
        failed = StepOutcome(step=step, status="failed", at=now, until=now + _MENDED_BY, why=why)
        answer = StepAnswer(outcome=failed)
        with self._deps.database.writing(case.customer_id) as session:
            parts = Parts(session)
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
            self._deps.answer(session, case, now=now, rehearsal=request.rehearsal, seen=request.seen, answer=answer)
        return answer

    def _bring_message(self, unit: UnitOfWork, dispatch: Dispatch, outcome: StepOutcome) -> StepOutcome:
        try:
            if not self._reach_people(unit, dispatch):
                return self._no_longer_due(dispatch)
        except contact_caps.TooOften as wait:
            # Another case was faster, or a standstill began. Who has the message already does not get it again.
            return self._wait(unit.session, dispatch, wait.contacts, wait.until, wait.why)
        self._copies.send(unit, dispatch)
        return outcome

    def _no_longer_due(self, dispatch: Dispatch) -> StepOutcome:
        """A step of the ladder keeps its turn; an answer that may not be given is owed no more, for others wait."""
        if dispatch.execution.ladder is not None:
            return StepOutcome(step=dispatch.execution.step, status="stale", at=dispatch.now)
        return StepOutcome(step=dispatch.execution.step, status="skipped", at=dispatch.now)

    def _dispatch(self, session: Session, request: StepRequest, now: datetime) -> Dispatch:
        case, policy = request.case, self._deps.policy(session, request.case.policy)
        customer = invoices.get_debtor(session, case.invoice_id)
        return Dispatch(
            case=case,
            customer=customer,
            policy=policy,
            calendar=self._deps.calendar(customer, policy, case, now),
            execution=execution_for(case, policy, request.step),
            now=now,
            planned_at=request.planned_at,
            rehearsal=request.rehearsal,
            shared_with=invoices.sharing(session, customer),
        )

    # May it happen now? ----------------------------------------------------------------------------------

    def _judge(self, session: Session, dispatch: Dispatch) -> StepOutcome:
        case, execution, now = dispatch.case, dispatch.execution, dispatch.now
        stored = cases.get_row(session, case.invoice_id)
        changed = stored is not None and stored.revision > case.revision
        settled = case.with_paid(ledger.paid(session, case.invoice_id)).open_amount == 0
        # A case can come to rest while its step is on the way; the ladder stands still then, access with it.
        if changed or (execution.ladder is not None and (case.resting or settled)):
            return StepOutcome(step=execution.step, status="stale", at=now)
        if agenda.subject_gone(case, execution.step):
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
            return self._stand_still(session, dispatch, stands_still)
        if not dispatch.calendar.is_open(now):
            until = dispatch.calendar.next_open(now)
            closed = dispatch.calendar.why_closed(dispatch.calendar.local_date(now)) or "outside the contact window"
            return self._hold_back(session, dispatch, "delayed", until, f"{closed}: waits for the next open hour")
        sent = outbox.of_invoice(session, case.invoice_id, str(execution.key))
        waits = self._covered_by_credit(session, dispatch)
        if execution.again or execution.ladder is None:
            waits = waits or self._too_often(session, dispatch, sent)
            return waits or StepOutcome(step=execution.step, status="done", at=now)
        return waits or self._judge_step(session, dispatch, execution.ladder, sent)

    def _covered_by_credit(self, session: Session, dispatch: Dispatch) -> StepOutcome | None:
        """Whoever has paid enough on another invoice is not asked: a person applies that credit, or returns it."""
        found = credits.cover(session, dispatch.case) if self._asks(dispatch) else None
        if found is None:
            return None
        note(session, dispatch, f"credit.{found.amount}", "blocked", found.why)  # looked at every day, and said once
        until = dispatch.calendar.next_open(dispatch.calendar.end_of_day(dispatch.calendar.local_date(dispatch.now)))
        return StepOutcome(
            step=dispatch.execution.step, status="blocked", at=dispatch.now, until=until, why=found.why
        )

    def _asks(self, dispatch: Dispatch) -> bool:
        """Whether the errand asks for money, or does something because none came."""
        message = dispatch.execution.message
        return dispatch.execution.ladder is not None or (
            message is not None and self._deps.catalogue.traits[message].asks
        )

    def _judge_step(
        self, session: Session, dispatch: Dispatch, step: Step, sent: Sequence[MessageRow]
    ) -> StepOutcome:
        case, now = dispatch.case, dispatch.now
        judged = ladder.judge(dispatch.policy, agenda.standing(case), dispatch.calendar, now)
        begun = bool(sent)
        if judged is None or judged.step != step.id:
            return StepOutcome(step=step.id, status="stale", at=now)
        known = None if begun else self._told_before(session, dispatch, step)
        if known is not None:
            note(session, dispatch, "skipped", "skipped", known)
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        late = judged.verdict is Verdict.LATE and not begun
        if late and judged.do is Late.SKIP:
            note(session, dispatch, "skipped", "skipped", f"its time has passed: {judged.why}")
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        waits = self._missing_proof(session, dispatch) or self._missing_yes(session, dispatch, step)
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
            ends=step.ends,
        )

    def _told_before(self, session: Session, dispatch: Dispatch, step: Step) -> str | None:
        """Why a message that a customer gets only once is left out; None when it is not."""
        if step.once is None or step.message is None:
            return None
        told = outbox.told(session, dispatch.case.customer_id, step.message)
        return f"this customer was told on {told:%Y-%m-%d} already" if told else None

    def _missing_proof(self, session: Session, dispatch: Dispatch) -> StepOutcome | None:
        """G2: without proof the step waits, and when warnings are missing a person is told."""
        lacking = warning_proof.missing(session, dispatch)
        if lacking is None:
            return None
        if lacking.warnings:
            advice = "Reach the customer, or renew the contact's address."
            self._ask_a_person(session, dispatch, "proof", f"{lacking.why}. {advice}")
        return self._hold_back(
            session, dispatch, "blocked" if lacking.warnings else "delayed", lacking.until, lacking.why
        )

    def _missing_yes(self, session: Session, dispatch: Dispatch, step: Step) -> StepOutcome | None:
        """What our manager has to approve waits for it; the task stands in the list until it is decided."""
        if not dispatch.case.needs_yes(step):
            return None
        task_id = dispatch.case.approval_task(step.id)
        why = f"{step.does} waits for our manager's yes"
        advice = f"{why}: {dispatch.case.asked} {dispatch.case.currency} are open. Record approved or declined."
        self._raise(session, dispatch, task_id, advice, "approval")
        until = dispatch.now + _NOBODY_DECIDED  # a decision wakes the case earlier
        outcome = self._hold_back(session, dispatch, "blocked", until, f"{why} (task {task_id})")
        return outcome.model_copy(update={"undecided": True})

    def _too_often(self, session: Session, dispatch: Dispatch, sent: Sequence[MessageRow]) -> StepOutcome | None:
        """G5: a person who heard of us just now, about whatever invoice, is left alone for a while.

        Those who have this very step's message already are not asked about: it is theirs, whoever sent it.
        """
        there = [row for row in sent if row.state not in DEAD_STATES and row.call != "refused"]
        served = {row.contact_id for row in there} | {row.address_key for row in there}
        made = tasks.of_step(session, dispatch.case.invoice_id, dispatch.execution.step)
        served |= {task.contact_id for task in made if task.contact_id and task.kind in BY_PERSON}
        left = [one for one in _named(dispatch) if served.isdisjoint({one.contact_id, *dispatch.keys([one])})]
        wait = contact_caps.earliest(session, self._deps, dispatch, left)
        return None if wait is None else self._wait(session, dispatch, left, *wait)

    def _wait(
        self, session: Session, dispatch: Dispatch, contacts: Sequence[Contact], until: datetime, why: str
    ) -> StepOutcome:
        turn = dispatch.calendar.next_open(until)
        if contacts:
            address_queue.join(session, dispatch, contacts, turn)
        return self._hold_back(session, dispatch, "delayed", turn, why)

    def _stand_still(self, session: Session, dispatch: Dispatch, wait: standstill.Wait) -> StepOutcome:
        """Looked at again every hour, and said once."""
        note(session, dispatch, f"standstill.{wait.since:%Y%m%d%H%M%S}", "delayed", wait.why)
        until = dispatch.calendar.next_open(wait.until)
        return StepOutcome(step=dispatch.execution.step, status="delayed", at=dispatch.now, until=until)

    def _hold_back(self, session: Session, dispatch: Dispatch, status: str, until: datetime, why: str) -> StepOutcome:
        note(session, dispatch, f"{status}.{until:%Y%m%d%H%M}", status, f"{why} (until {until:%Y-%m-%d %H:%M} UTC)")
        return StepOutcome.model_validate(
            {"step": dispatch.execution.step, "status": status, "at": dispatch.now, "until": until}
        )

    # Access ----------------------------------------------------------------------------------------------

    def _change_access(self, session: Session, dispatch: Dispatch, outcome: StepOutcome) -> StepOutcome:
        """Place this invoice's hold; the account has the worst of all of its holds."""
        step = dispatch.execution.ladder
        if step is None or step.access is None:
            return outcome
        case, level = dispatch.case, Level(step.access)
        reason = f"invoice {case.invoice_id}: step {step.id}, {case.open_amount} {case.currency} open"
        if accounts.place_hold(session, case.customer_id, case.invoice_id, level, reason, dispatch.now):
            access: Access = accounts.access(session, case.customer_id)
            text = f"hold {level.value} placed; the account's access is now {access.value}"
            note(session, dispatch, f"hold.{level.value}", "access", text)
        return outcome.model_copy(update={"placed_hold": True, "reopened": case.reopened})

    # People ----------------------------------------------------------------------------------------------

    def _reach_people(self, unit: UnitOfWork, dispatch: Dispatch) -> bool:
        """Everybody the step names; if nobody of the debtor's can be reached, others; at last a person calls.

        False when the case fell silent before anybody was reached: then the step was not done.
        """
        results = {contact: self._reach(unit, dispatch, contact) for contact in _named(dispatch)}
        debtor = {contact: result for contact, result in results.items() if is_debtors(contact)}
        if "reached" in debtor.values() or not _meant_for_debtor(dispatch.execution):
            return True
        if "silent" in debtor.values():
            return False
        for contact in [] if dispatch.policy.named_only else others(dispatch.customer.contacts, list(results)):
            enough = self._has_had_enough(unit.session, dispatch, contact)
            result = "closed" if enough else self._reach(unit, dispatch, contact)
            if result != "closed":
                return result == "reached"
        if dispatch.execution.ladder is not None:
            why = f"nobody could be reached in writing for step {dispatch.execution.step}: please call"
            self._ask_a_person(unit.session, dispatch, "unreachable", why, kind="call")
        return True

    def _has_had_enough(self, session: Session, dispatch: Dispatch, contact: Contact) -> bool:
        """Somebody whom the step does not name is spared when the week's messages are used up."""
        sent = outbox.of_invoice(session, dispatch.case.invoice_id, str(dispatch.execution.key))
        wait = contact_caps.earliest(session, self._deps, dispatch, [contact])
        if wait is None or any(row.contact_id == contact.contact_id for row in sent):
            return False
        note(session, dispatch, f"{contact.contact_id}.enough", "withheld", wait[1])
        return True

    def _reach(self, unit: UnitOfWork, dispatch: Dispatch, contact: Contact) -> Result:
        """Try the step's channels in order of preference until one is open to this contact."""
        for channel in dispatch.execution.by:
            if channel in BY_PERSON:
                result = call_tasks.raise_contact(unit.session, self._deps, dispatch, contact, channel)
            else:
                result = self._sending.send(unit, dispatch, contact, channel)
            if result != "closed":
                return result
        return "closed"

    def _ask_a_person(
        self, session: Session, dispatch: Dispatch, topic: str, why: str, kind: str = "decision"
    ) -> None:
        task_id = str(TaskId.of(dispatch.case.invoice_id, dispatch.execution.key, topic))
        self._raise(session, dispatch, task_id, why, kind)

    def _raise(self, session: Session, dispatch: Dispatch, task_id: str, why: str, kind: str) -> None:
        person_tasks.raise_task(
            session,
            dispatch.case,
            task_id=task_id,
            step=dispatch.execution.step,
            reason=why,
            now=dispatch.now,
            kind=kind,
        )

    # The end of the step ---------------------------------------------------------------------------------

    def _finish(self, session: Session, request: StepRequest, dispatch: Dispatch, outcome: StepOutcome) -> StepAnswer:
        case = request.case
        answer = StepAnswer(outcome=outcome)
        if outcome.status not in {"delayed", "stale"}:
            waits.forget(session, [case.invoice_id])
        if outcome.status != "stale":
            case = _newest(session, case)
        outcome = answer.outcome = outcome.model_copy(update={"round": request.case.progress.round})
        said = case.take(outcome)
        timeline.write(
            session, case.invoice_id, entries_of(said, f"step.{dispatch.execution.key}", dispatch.now, outcome.step)
        )
        free_account(session, case, dispatch.now)  # the ladder itself may have written the rest off
        person_tasks.withdraw_needless(session, case, dispatch.now)
        self._deps.answer(
            session, case, now=dispatch.now, rehearsal=request.rehearsal, seen=request.seen, answer=answer
        )
        return answer


def _newest(session: Session, case: Case) -> Case:
    """The case as it is kept, if that is newer: what was recorded beside a step must not be overwritten by it."""
    stored = cases.get(session, case.invoice_id)
    return stored if stored is not None and stored.revision > case.revision else case


def _named(dispatch: Dispatch) -> list[Contact]:
    """The people the step names."""
    return named(dispatch.customer.contacts, dispatch.execution.to)


def _meant_for_debtor(execution: StepExecution) -> bool:
    return any(role is not Role.ACCOUNT_MANAGER for role in execution.to)
