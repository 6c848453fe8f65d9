"""Carries out one step of a case: judge it, change access, reach people, say what comes next."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from temporalio import activity

from activities.desk import Answer, Desk, Request, entries_of, moment
from activities.errand import Errand, errand_for
from activities.sending import Job, Sending
from domain import agenda, ladder
from domain.case import StepOutcome
from domain.invoice import Contact, Customer
from domain.ladder import Verdict
from domain.policy import Step
from domain.terms import Access, Channel, Late, Level, Role
from domain.timeline import Entry
from store import accounts, addresses, cases, invoices, ledger, outbox, tasks, timeline

_LOOK_AGAIN = timedelta(days=7)
"""How long a step that lacks its proof waits before it looks again; a delivery report wakes it earlier."""


class StepRequest(Request):
    step: str
    planned_at: datetime


class StepAnswer(Answer):
    outcome: StepOutcome | None = None


class Notices:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sending = Sending(desk)

    @activity.defn(name="carry_out")
    def carry_out(self, request: StepRequest) -> StepAnswer:
        """Do what the step says, as far as it is still right. Safe to repeat at any point."""
        now, case = moment(request), request.case
        with self._desk.database.writing(case.customer_id) as session:
            timeline.write(session, case.invoice_id, request.entries)
            job = self._job(session, request, now)
            outcome = self._judge(session, job)
            if outcome.status == "done" and not job.errand.again:
                outcome = self._change_access(session, job, outcome)
        if outcome.status == "done" and job.errand.message is not None:
            self._reach_people(job)
        return self._finish(request, job, outcome)

    def _job(self, session: Session, request: StepRequest, now: datetime) -> Job:
        policy = self._desk.policy(session, request.case.policy)
        return Job(
            case=request.case,
            customer=invoices.get_customer(session, request.case.customer_id),
            policy=policy,
            errand=errand_for(request.case, policy, request.step),
            now=now,
            planned_at=request.planned_at,
            rehearsal=request.rehearsal,
        )

    # May it happen now? ----------------------------------------------------------------------------------

    def _judge(self, session: Session, job: Job) -> StepOutcome:
        case, errand, now = job.case, job.errand, job.now
        stored = cases.get_row(session, case.invoice_id)
        changed = stored is not None and stored.revision > case.revision
        paid = ledger.paid(session, case.invoice_id)
        if changed or (errand.ladder is not None and paid >= case.amount):
            return StepOutcome(step=errand.step, status="stale", at=now)
        calendar = self._desk.case_calendar(session, case, now)
        if not calendar.is_open(now):
            until = calendar.next_open(now)
            closed = calendar.why_closed(calendar.local_date(now)) or "outside the contact window"
            return self._hold_back(session, job, "delayed", until, f"{closed}: waits for the next open hour")
        if errand.ladder is None or errand.again:
            return StepOutcome(step=errand.step, status="done", at=now)
        return self._judge_step(session, job, errand.ladder)

    def _judge_step(self, session: Session, job: Job, step: Step) -> StepOutcome:
        case, now = job.case, job.now
        calendar = self._desk.case_calendar(session, case, now)
        judged = ladder.judge(job.policy, agenda.standing(case), calendar, now)
        begun = bool(outbox.of_invoice(session, case.invoice_id, job.errand.key))
        if judged is None or judged.step != step.id:
            return StepOutcome(step=step.id, status="stale", at=now)
        late = judged.verdict is Verdict.LATE and not begun
        if late and judged.do is Late.SKIP:
            self._note(session, job, "skipped", "skipped", f"its time has passed: {judged.why}")
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        missing = self._missing_proof(session, job, step)
        if missing:
            return missing
        shift = judged.shift if late and judged.do is Late.SHIFT else 0
        if shift:
            days = round(shift / 86_400)
            self._note(session, job, "shifted", "shifted", f"{days} day(s) late: the rest moves along")
        return StepOutcome(
            step=step.id,
            status="done",
            at=now,
            shift=shift,
            legal=step.stage is not None,
            ends=step.ends,
        )

    def _missing_proof(self, session: Session, job: Job, step: Step) -> StepOutcome | None:
        """G2: the step waits until enough warnings are known to have arrived, and long enough ago."""
        if step.needs is None:
            return None
        arrived: dict[str, datetime] = {}
        for row in outbox.delivered_warnings(session, job.case.invoice_id):
            warned = row.step.partition(".")[0]  # "<step>.again<n>" after a reversal is the same step
            if warned == step.id:
                continue  # its own news, when it is repeated: no warning of it
            if addresses.why_closed(session, Channel(row.channel), row.address) is None and row.settled_at:
                arrived[warned] = max(row.settled_at, arrived.get(warned, row.settled_at))
        needed = max(
            step.needs.delivered_warnings, job.policy.warnings_before_restriction if step.restricts else 0
        )
        if len(arrived) < needed:
            why = f"{needed} delivered warnings are needed, {len(arrived)} arrived: access stays as it is"
            self._ask_a_person(
                session, job, "proof", f"{why}. Reach the customer, or renew the contact's address."
            )
            return self._hold_back(session, job, "blocked", job.now + _LOOK_AGAIN, why)
        ready = max(arrived.values()) + timedelta(days=step.needs.days)
        if ready > job.now:
            why = f"the last warning arrived less than {step.needs.days} days ago"
            return self._hold_back(session, job, "delayed", ready, why)
        return None

    def _hold_back(self, session: Session, job: Job, status: str, until: datetime, why: str) -> StepOutcome:
        self._note(
            session, job, f"{status}.{until:%Y%m%d%H%M}", status, f"{why} (until {until:%Y-%m-%d %H:%M} UTC)"
        )
        return StepOutcome.model_validate(
            {"step": job.errand.step, "status": status, "at": job.now, "until": until}
        )

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
            self._note(session, job, f"hold.{level.value}", "access", text)
        return outcome.model_copy(update={"placed_hold": True})

    # People ----------------------------------------------------------------------------------------------

    def _reach_people(self, job: Job) -> None:
        """Everybody the step names; if none of the debtor's people can be reached, others; at last a person calls."""
        errand = job.errand
        named = [contact for role in errand.to for contact in _of_role(job.customer, role)]
        reached = [contact for contact in named if self._reach(job, contact)]
        if any(contact.role is not Role.ACCOUNT_MANAGER for contact in reached) or not _meant_for_debtor(
            errand
        ):
            return
        for contact in _others(job.customer, named):
            if self._reach(job, contact):
                return
        if errand.ladder is not None:
            with self._desk.database.writing(job.case.customer_id) as session:
                why = f"nobody could be reached in writing for step {errand.step}: please call"
                self._ask_a_person(session, job, "unreachable", why)

    def _reach(self, job: Job, contact: Contact) -> bool:
        """Try the step's channels in order of preference until one is open to this contact."""
        for channel in job.errand.by:
            if channel is Channel.CALL:
                self._raise_call(job, contact)
                return True
            result = self._sending.send(job, contact, channel)
            if result in {"reached", "silent"}:
                return True
        return False

    def _raise_call(self, job: Job, contact: Contact) -> None:
        with self._desk.database.writing(job.case.customer_id) as session:
            script = self._sending.compose(session, job, job.case, contact).call
            task_id = f"{job.case.invoice_id}.{job.errand.key}.{contact.role.value}"
            raised = tasks.raise_task(
                session,
                task_id=task_id,
                invoice_id=job.case.invoice_id,
                step=job.errand.step,
                kind="call",
                contact_id=contact.contact_id,
                due_at=job.now,
                reason=f"{job.errand.message}: call {contact.contact_id}",
                script=script,
            )
            if raised:
                text = f"{job.errand.message}: call {contact.contact_id}"
                self._note(session, job, f"call.{contact.role.value}", "task", text, "call", task_id)

    def _ask_a_person(self, session: Session, job: Job, topic: str, why: str) -> None:
        task_id = f"{job.case.invoice_id}.{job.errand.key}.{topic}"
        raised = tasks.raise_task(
            session,
            task_id=task_id,
            invoice_id=job.case.invoice_id,
            step=job.errand.step,
            kind="call" if topic == "unreachable" else "decision",
            contact_id=None,
            due_at=job.now,
            reason=why,
            script="",
        )
        if raised:
            self._note(session, job, topic, "task", why, None, task_id)

    # The end of the step ---------------------------------------------------------------------------------

    def _finish(self, request: StepRequest, job: Job, outcome: StepOutcome) -> StepAnswer:
        case = request.case
        answer = StepAnswer(outcome=outcome)
        with self._desk.database.writing(case.customer_id) as session:
            stored = cases.get(session, case.invoice_id)
            if stored is not None and stored.revision > case.revision and outcome.status != "stale":
                case = stored  # what was recorded beside this step must not be overwritten by its older copy
            said = case.take(outcome)
            timeline.write(
                session, case.invoice_id, entries_of(said, f"step.{job.errand.key}", job.now, outcome.step)
            )
            self._desk.answer(
                session, case, now=job.now, rehearsal=request.rehearsal, seen=request.seen, answer=answer
            )
        self._desk.try_publish(answer, case.customer_id, rehearsal=request.rehearsal, now=job.now)
        return answer

    def _note(
        self,
        session: Session,
        job: Job,
        key: str,
        kind: str,
        reason: str,
        channel: str | None = None,
        ref: str | None = None,
    ) -> None:
        entry = Entry(
            key=f"{job.errand.key}.{key}",
            at=job.now,
            kind=kind,
            step=job.errand.step,
            channel=channel,
            reason=reason,
            ref=ref,
        )
        timeline.write(session, job.case.invoice_id, [entry])


def _of_role(customer: Customer, role: Role) -> Iterator[Contact]:
    return (contact for contact in customer.contacts if contact.role is role)


def _others(customer: Customer, tried: list[Contact]) -> Iterator[Contact]:
    """The debtor's other people; never our own account manager."""
    return (
        contact
        for contact in customer.contacts
        if contact not in tried and contact.role is not Role.ACCOUNT_MANAGER
    )


def _meant_for_debtor(errand: Errand) -> bool:
    return any(role is not Role.ACCOUNT_MANAGER for role in errand.to)
