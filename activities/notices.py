"""Carries out one step of a case: judge it, change access, reach people, say what comes next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from temporalio import activity

from activities import calls, caps, credits, proof, standstill, waiting, worklist
from activities.claims import Result
from activities.copies import Copies
from activities.desk import Answer, Desk, Request, check_run, entries_of, moment
from activities.errand import Errand, errand_for
from activities.faults import Parts, lasts, reason_of
from activities.job import Job
from activities.journal import note
from activities.recovery import are_apart
from activities.release import free_account
from activities.sending import Sending
from activities.stuck import ask_a_person
from domain import agenda, ladder
from domain.audience import is_debtors, named, others
from domain.case import Case
from domain.invoice import Contact
from domain.keys import TaskId
from domain.ladder import Verdict
from domain.outcomes import StepOutcome
from domain.policy import Step
from domain.terms import BY_PERSON, DEAD_STATES, Access, Late, Level, Role
from store import accounts, cases, invoices, ledger, outbox, tasks, timeline, waits
from store.database import Visit
from store.tables import MessageRow

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


class Notices:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sending = Sending(desk)
        self._copies = Copies(desk, self._sending)

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
        with self._desk.database.visiting(case.customer_id) as visit:
            check_run(visit.session, request)
            timeline.write(visit.session, case.invoice_id, request.entries)
            if are_apart(visit.session, request):
                return StepAnswer.apart_from(case, request.seen, request.step, now)
            job = self._job(visit.session, request, now)
            outcome = self._judge(visit.session, job)
            if outcome.status == "done" and not job.errand.again:
                outcome = self._change_access(visit.session, job, outcome)
                if job.errand.ladder is not None:
                    calls.withdraw_retries(visit.session, job)
            if outcome.status == "stale":
                self._sending.settle(visit, job)
            if outcome.status == "done" and job.errand.message is not None:
                outcome = self._bring_message(visit, job, outcome)
            answer = self._finish(visit.session, request, job, outcome)
        self._desk.try_publish(answer, case.customer_id, rehearsal=request.rehearsal, now=now, may_wait=True)
        return answer

    def _give_up(self, request: StepRequest, why: str) -> StepAnswer:
        now, case, step = moment(request), request.case, request.step
        failed = StepOutcome(step=step, status="failed", at=now, until=now + _MENDED_BY, why=why)
        answer = StepAnswer(outcome=failed)
        with self._desk.database.writing(case.customer_id) as session:
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
            self._desk.answer(session, case, now=now, rehearsal=request.rehearsal, seen=request.seen, answer=answer)
        return answer

    def _bring_message(self, visit: Visit, job: Job, outcome: StepOutcome) -> StepOutcome:
        try:
            if not self._reach_people(visit, job):
                return self._fallen_silent(job)
        except caps.TooOften as wait:
            # Another case was faster, or a standstill began. Who has the message already does not get it again.
            return self._wait(visit.session, job, wait.contacts, wait.until, wait.why)
        self._copies.send(visit, job)
        return outcome

    def _fallen_silent(self, job: Job) -> StepOutcome:
        """A step of the ladder keeps its turn; an answer that may not be given is owed no more, for others wait."""
        if job.errand.ladder is not None:
            return StepOutcome(step=job.errand.step, status="stale", at=job.now)
        return StepOutcome(step=job.errand.step, status="skipped", at=job.now)

    def _job(self, session: Session, request: StepRequest, now: datetime) -> Job:
        case, policy = request.case, self._desk.policy(session, request.case.policy)
        customer = invoices.get_debtor(session, case.invoice_id)
        return Job(
            case=case,
            customer=customer,
            policy=policy,
            calendar=self._desk.calendar(customer, policy, case, now),
            errand=errand_for(case, policy, request.step),
            now=now,
            planned_at=request.planned_at,
            rehearsal=request.rehearsal,
            shared_with=invoices.sharing(session, customer),
        )

    # May it happen now? ----------------------------------------------------------------------------------

    def _judge(self, session: Session, job: Job) -> StepOutcome:
        case, errand, now = job.case, job.errand, job.now
        stored = cases.get_row(session, case.invoice_id)
        changed = stored is not None and stored.revision > case.revision
        settled = case.with_paid(ledger.paid(session, case.invoice_id)).open_amount == 0
        # A case can come to rest while its step is on the way; the ladder stands still then, access with it.
        if changed or (errand.ladder is not None and (case.resting or settled)):
            return StepOutcome(step=errand.step, status="stale", at=now)
        if agenda.subject_gone(case, errand.step):
            note(session, job, "dropped", "withheld", f"{errand.message}: what it speaks of is no more; left out")
            return StepOutcome(step=errand.step, status="skipped", at=now)
        stands_still = standstill.wait_for(session, job)
        if stands_still is not None:
            return self._stand_still(session, job, stands_still)
        if not job.calendar.is_open(now):
            until = job.calendar.next_open(now)
            closed = job.calendar.why_closed(job.calendar.local_date(now)) or "outside the contact window"
            return self._hold_back(session, job, "delayed", until, f"{closed}: waits for the next open hour")
        sent = outbox.of_invoice(session, case.invoice_id, str(errand.key))
        waits = self._covered_by_credit(session, job)
        if errand.again or errand.ladder is None:
            waits = waits or self._too_often(session, job, sent)
            return waits or StepOutcome(step=errand.step, status="done", at=now)
        return waits or self._judge_step(session, job, errand.ladder, sent)

    def _covered_by_credit(self, session: Session, job: Job) -> StepOutcome | None:
        """Whoever has paid enough on another invoice is not asked: a person applies that credit, or returns it."""
        found = credits.cover(session, job.case) if self._asks(job) else None
        if found is None:
            return None
        note(session, job, f"credit.{found.amount}", "blocked", found.why)  # looked at every day, and said once
        until = job.calendar.next_open(job.calendar.end_of_day(job.calendar.local_date(job.now)))
        return StepOutcome(step=job.errand.step, status="blocked", at=job.now, until=until, why=found.why)

    def _asks(self, job: Job) -> bool:
        """Whether the errand asks for money, or does something because none came."""
        message = job.errand.message
        return job.errand.ladder is not None or (message is not None and self._desk.catalogue.traits[message].asks)

    def _judge_step(self, session: Session, job: Job, step: Step, sent: Sequence[MessageRow]) -> StepOutcome:
        case, now = job.case, job.now
        judged = ladder.judge(job.policy, agenda.standing(case), job.calendar, now)
        begun = bool(sent)
        if judged is None or judged.step != step.id:
            return StepOutcome(step=step.id, status="stale", at=now)
        known = None if begun else self._told_before(session, job, step)
        if known is not None:
            note(session, job, "skipped", "skipped", known)
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        late = judged.verdict is Verdict.LATE and not begun
        if late and judged.do is Late.SKIP:
            note(session, job, "skipped", "skipped", f"its time has passed: {judged.why}")
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        waits = self._missing_proof(session, job) or self._missing_yes(session, job, step)
        waits = waits or self._too_often(session, job, sent)
        if waits:
            return waits
        shift = judged.shift if late and judged.do is Late.SHIFT else 0
        if shift:
            days = round(shift / 86_400)
            note(session, job, "shifted", "shifted", f"{days} day(s) late: the rest moves along")
        return StepOutcome(
            step=step.id,
            status="done",
            at=now,
            shift=shift,
            legal=step.stage is not None,
            threat=step.consequence or bool(step.announces),
            ends=step.ends,
        )

    def _told_before(self, session: Session, job: Job, step: Step) -> str | None:
        """Why a message that a customer gets only once is left out; None when it is not."""
        if step.once is None or step.message is None:
            return None
        told = outbox.told(session, job.case.customer_id, step.message)
        return f"this customer was told on {told:%Y-%m-%d} already" if told else None

    def _missing_proof(self, session: Session, job: Job) -> StepOutcome | None:
        """G2: without proof the step waits, and when warnings are missing a person is told."""
        lacking = proof.missing(session, job)
        if lacking is None:
            return None
        if lacking.warnings:
            advice = "Reach the customer, or renew the contact's address."
            self._ask_a_person(session, job, "proof", f"{lacking.why}. {advice}")
        return self._hold_back(session, job, "blocked" if lacking.warnings else "delayed", lacking.until, lacking.why)

    def _missing_yes(self, session: Session, job: Job, step: Step) -> StepOutcome | None:
        """What our manager has to approve waits for it; the task stands in the list until it is decided."""
        if not job.case.needs_yes(step):
            return None
        task_id = job.case.approval_task(step.id)
        why = f"{step.does} waits for our manager's yes"
        advice = f"{why}: {job.case.asked} {job.case.currency} are open. Record approved or declined."
        self._raise(session, job, task_id, advice, "approval")
        until = job.now + _NOBODY_DECIDED  # a decision wakes the case earlier
        outcome = self._hold_back(session, job, "blocked", until, f"{why} (task {task_id})")
        return outcome.model_copy(update={"undecided": True})

    def _too_often(self, session: Session, job: Job, sent: Sequence[MessageRow]) -> StepOutcome | None:
        """G5: a person who heard of us just now, about whatever invoice, is left alone for a while.

        Those who have this very step's message already are not asked about: it is theirs, whoever sent it.
        """
        there = [row for row in sent if row.state not in DEAD_STATES and row.call != "refused"]
        served = {row.contact_id for row in there} | {row.address_key for row in there}
        made = tasks.of_step(session, job.case.invoice_id, job.errand.step)
        served |= {task.contact_id for task in made if task.contact_id and task.kind in BY_PERSON}
        left = [one for one in _named(job) if served.isdisjoint({one.contact_id, *job.keys([one])})]
        wait = caps.earliest(session, self._desk, job, left)
        return None if wait is None else self._wait(session, job, left, *wait)

    def _wait(
        self, session: Session, job: Job, contacts: Sequence[Contact], until: datetime, why: str
    ) -> StepOutcome:
        turn = job.calendar.next_open(until)
        if contacts:
            waiting.join(session, job, contacts, turn)
        return self._hold_back(session, job, "delayed", turn, why)

    def _stand_still(self, session: Session, job: Job, wait: standstill.Wait) -> StepOutcome:
        """Looked at again every hour, and said once."""
        note(session, job, f"standstill.{wait.since:%Y%m%d%H%M%S}", "delayed", wait.why)
        until = job.calendar.next_open(wait.until)
        return StepOutcome(step=job.errand.step, status="delayed", at=job.now, until=until)

    def _hold_back(self, session: Session, job: Job, status: str, until: datetime, why: str) -> StepOutcome:
        note(session, job, f"{status}.{until:%Y%m%d%H%M}", status, f"{why} (until {until:%Y-%m-%d %H:%M} UTC)")
        return StepOutcome.model_validate({"step": job.errand.step, "status": status, "at": job.now, "until": until})

    # Access ----------------------------------------------------------------------------------------------

    def _change_access(self, session: Session, job: Job, outcome: StepOutcome) -> StepOutcome:
        """Place this invoice's hold; the account has the worst of all of its holds."""
        step = job.errand.ladder
        if step is None or step.access is None:
            return outcome
        case, level = job.case, Level(step.access)
        reason = f"invoice {case.invoice_id}: step {step.id}, {case.open_amount} {case.currency} open"
        if accounts.place_hold(session, case.customer_id, case.invoice_id, level, reason, job.now):
            access: Access = accounts.access(session, case.customer_id)
            text = f"hold {level.value} placed; the account's access is now {access.value}"
            note(session, job, f"hold.{level.value}", "access", text)
        return outcome.model_copy(update={"placed_hold": True, "reopened": case.reopened})

    # People ----------------------------------------------------------------------------------------------

    def _reach_people(self, visit: Visit, job: Job) -> bool:
        """Everybody the step names; if nobody of the debtor's can be reached, others; at last a person calls.

        False when the case fell silent before anybody was reached: then the step was not done.
        """
        results = {contact: self._reach(visit, job, contact) for contact in _named(job)}
        debtor = {contact: result for contact, result in results.items() if is_debtors(contact)}
        if "reached" in debtor.values() or not _meant_for_debtor(job.errand):
            return True
        if "silent" in debtor.values():
            return False
        for contact in [] if job.policy.named_only else others(job.customer.contacts, list(results)):
            enough = self._has_had_enough(visit.session, job, contact)
            result = "closed" if enough else self._reach(visit, job, contact)
            if result != "closed":
                return result == "reached"
        if job.errand.ladder is not None:
            why = f"nobody could be reached in writing for step {job.errand.step}: please call"
            self._ask_a_person(visit.session, job, "unreachable", why, kind="call")
        return True

    def _has_had_enough(self, session: Session, job: Job, contact: Contact) -> bool:
        """Somebody whom the step does not name is spared when the week's messages are used up."""
        sent = outbox.of_invoice(session, job.case.invoice_id, str(job.errand.key))
        wait = caps.earliest(session, self._desk, job, [contact])
        if wait is None or any(row.contact_id == contact.contact_id for row in sent):
            return False
        note(session, job, f"{contact.contact_id}.enough", "withheld", wait[1])
        return True

    def _reach(self, visit: Visit, job: Job, contact: Contact) -> Result:
        """Try the step's channels in order of preference until one is open to this contact."""
        for channel in job.errand.by:
            if channel in BY_PERSON:
                result = calls.raise_contact(visit.session, self._desk, job, contact, channel)
            else:
                result = self._sending.send(visit, job, contact, channel)
            if result != "closed":
                return result
        return "closed"

    def _ask_a_person(self, session: Session, job: Job, topic: str, why: str, kind: str = "decision") -> None:
        task_id = str(TaskId.of(job.case.invoice_id, job.errand.key, topic))
        self._raise(session, job, task_id, why, kind)

    def _raise(self, session: Session, job: Job, task_id: str, why: str, kind: str) -> None:
        worklist.raise_task(
            session, job.case, task_id=task_id, step=job.errand.step, reason=why, now=job.now, kind=kind
        )

    # The end of the step ---------------------------------------------------------------------------------

    def _finish(self, session: Session, request: StepRequest, job: Job, outcome: StepOutcome) -> StepAnswer:
        case = request.case
        answer = StepAnswer(outcome=outcome)
        if outcome.status not in {"delayed", "stale"}:
            waits.forget(session, [case.invoice_id])
        if outcome.status != "stale":
            case = _newest(session, case)
        outcome = answer.outcome = outcome.model_copy(update={"round": request.case.progress.round})
        said = case.take(outcome)
        timeline.write(session, case.invoice_id, entries_of(said, f"step.{job.errand.key}", job.now, outcome.step))
        free_account(session, case, job.now)  # the ladder itself may have written the rest off
        worklist.withdraw_needless(session, case, job.now)
        self._desk.answer(session, case, now=job.now, rehearsal=request.rehearsal, seen=request.seen, answer=answer)
        return answer


def _newest(session: Session, case: Case) -> Case:
    """The case as it is kept, if that is newer: what was recorded beside a step must not be overwritten by it."""
    stored = cases.get(session, case.invoice_id)
    return stored if stored is not None and stored.revision > case.revision else case


def _named(job: Job) -> list[Contact]:
    """The people the step names."""
    return named(job.customer.contacts, job.errand.to)


def _meant_for_debtor(errand: Errand) -> bool:
    return any(role is not Role.ACCOUNT_MANAGER for role in errand.to)
