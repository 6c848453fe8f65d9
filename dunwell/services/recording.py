"""Records what happened to a case: payments, promises, disputes, decisions. May run while a step is carried out."""

from datetime import UTC, datetime
from functools import partial

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.events import (
    CallOutcome,
    CallRequested,
    ContactsChanged,
    CreditApplied,
    DeliveryReport,
    InvoiceAmended,
    PaymentAnnounced,
    PaymentReceived,
    PaymentReversed,
    parse_event,
)
from dunwell.domain.keys import TaskId
from dunwell.domain.payments import OUR_MISTAKES
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.terms import MessageState
from dunwell.domain.timeline import Entry
from dunwell.services import (
    access_publishing,
    approvals,
    cancelled_runs,
    case_claim,
    credits,
    customer_requests,
    delivery_reports,
    holds,
    person_tasks,
    told,
)
from dunwell.services.alignment import Alignment
from dunwell.services.attempt import Attempt
from dunwell.services.call_outcomes import CallOutcomes
from dunwell.services.contact_replacement import ContactReplacement
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import Parts
from dunwell.services.handed_case import handed_case
from dunwell.services.hold_release import begin_anew, free_account
from dunwell.services.planning import plan_and_answer
from dunwell.services.request_models import RecordAnswer, RecordRequest
from dunwell.services.step_failures import ask_a_person
from dunwell.services.unposted_letters import take_back_letters
from dunwell.store import cases, idempotency_keys, outbox, payments, timeline

_IDS = ("payment_id", "reversal_id", "task_id", "message_id")
"""The fields that distinguish an event from others of its name."""


class Recording:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def record(self, request: RecordRequest, attempt: Attempt) -> RecordAnswer:
        """Write one event and the decisions that came of it, in one transaction; then say what comes next.

        What cannot be written for want of a fact is left to a person, and the rest is written all the same.
        Raises OtherRun, OtherCopy, and what a database raises that is away: then the next attempt may succeed.
        """
        now, answer = attempt.now, RecordAnswer()
        with self._deps.database.writing(request.customer_id) as session:
            known = handed_case(session, request)
            parts, by = Parts(session, attempt), [SYSTEM]  # the last of `by` told the event
            parts.do("alignment", lambda: self._align(session, request, known, attempt, answer))
            case = answer.newer or known
            if request.event is not None:
                parts.do(request.event, lambda: self._write_event(session, request, case, now, answer))
                parts.do("audit", lambda: by.append(_write_audit(session, request, case, now)))
            if request.told_as is not None:
                parts.do("request", partial(idempotency_keys.mark_taken, session, request.told_as, now))
            parts.do("timeline", lambda: timeline.write(session, case.invoice_id, request.entries))
            self._follow(parts, case, now, rehearsal=request.rehearsal)
            parts.do("requests for approval", lambda: approvals.overtake(session, case, by[-1], _real(request, now)))
            if not case.ended:
                parts.do("calls to people who left", lambda: self._hand_over(session, request, case, now, answer))
            if answer.not_arrived:
                case.reach_further(answer.not_arrived)
            if answer.arrived:
                case.outstanding.blocked_until = None
            if answer.contacts is not None:
                case.remember_contacts(answer.contacts, now)
            self._report_failures(parts, request, case, now)
            plan_and_answer(
                session, self._deps, case, answer, attempt, rehearsal=request.rehearsal, seen=request.seen
            )
            if case is not known:
                answer.newer, answer.replaces = case, True
        if case.frees_account or case.progress.round_since is not None:
            take_back_letters(self._deps, case, now, rehearsal=request.rehearsal)
        access_publishing.try_publish(
            self._deps, answer, case.customer_id, now, rehearsal=request.rehearsal, may_wait=False
        )
        return answer

    def _align(
        self, session: Session, request: RecordRequest, known: Case, attempt: Attempt, answer: RecordAnswer
    ) -> None:
        """Let case and database catch up with each other. `answer.newer` is then the case, if `known` is not."""
        event = parse_event(request.event, [request.content]) if request.event is not None else None
        alignment = Alignment(session, self._deps, request, known, attempt.now)
        case = alignment.newest(event)
        answer.apart = alignment.complete(case) or (attempt.number > 1 and alignment.was_completed())
        if case is not known:
            answer.newer = case

    def _report_failures(self, parts: Parts, request: RecordRequest, case: Case, now: datetime) -> None:
        """A person has to do what could not be written."""
        for name, why in parts.failed.copy().items():
            about = name
            if name == request.event and request.content is not None:
                about += "".join(f" {request.content[key]}" for key in _IDS if key in request.content)
            reason = f"{about} could not be written to the database: {why}. Mend it, then write it down by hand"
            task_id = str(TaskId.of(case.invoice_id, about, "unwritten"))
            entry = Entry(key=f"unwritten.{about}"[:300], at=now, kind="trouble", reason=reason)
            parts.do("task", partial(ask_a_person, parts.session, case, task_id, reason, now, outlives_case=True))
            parts.do("trouble", partial(_note, parts.session, case, entry))

    def _write_event(
        self, session: Session, request: RecordRequest, case: Case, now: datetime, answer: RecordAnswer
    ) -> None:
        event = parse_event(str(request.event), [request.content])
        match event:
            case PaymentReceived() if event.payment_id in case.money.questioned:
                return  # it counts once a person has confirmed it
            case PaymentReceived():
                payments.add_payment(session, case.invoice_id, event, now)
            case CreditApplied():
                credits.apply(session, case.invoice_id, event, now)  # it was taken before the case got the event
                _date_as_counted(session, case, event.credit_id)
            case PaymentReversed():
                for reversal in case.money.reversals:
                    payments.put_reversal(session, case.invoice_id, reversal, now)
                credits.take_back(session, case.invoice_id, event.payment_id, now)
                if event.reason in OUR_MISTAKES and not case.ended:
                    customer_requests.ask_again(session, self._deps, case, now)
            case InvoiceAmended() if event.due_on is not None and case.begins_anew:
                begin_anew(session, case, now)
            case CallOutcome():
                outcomes = CallOutcomes(session, self._deps, case, now, rehearsal=request.rehearsal)
                answer.not_arrived = outcomes.settle(event)
                if outcomes.closed:
                    answer.contacts = ContactsChanged(by=event.by, changes=tuple(outcomes.closed))
            case PaymentAnnounced():
                customer_requests.look_for_payment(session, case, event, now)
            case CallRequested():
                customer_requests.call(session, self._deps, case, event, now, rehearsal=request.rehearsal)
            case DeliveryReport():
                self._delivery(session, case, event, now, answer)

    def _delivery(
        self, session: Session, case: Case, report: DeliveryReport, now: datetime, answer: RecordAnswer
    ) -> None:
        row = outbox.get(session, report.message_id)
        if row is None or delivery_reports.step_of(session, row.message_id, case.invoice_id) is None:
            reason = "delivery_report: message_id: this case sent no such message"
            key = f"report.{report.message_id}"
            _note(session, case, Entry(key=key, at=now, kind="refused", reason=reason, ref=report.message_id))
            return
        state = MessageState(report.status)
        is_new = bool(delivery_reports.report(session, row, state, report.code, report.at, now))
        # A webhook may have recorded the report already: the case still has to be answered what it means, once.
        answer.arrived = delivery_reports.arrived(row, state) and (is_new or _is_blocked(session, case))
        step = delivery_reports.not_arrived(session, row, case.invoice_id, state)
        answer.not_arrived = step if is_new or step not in case.outstanding.again else None

    def _hand_over(
        self, session: Session, request: RecordRequest, case: Case, now: datetime, answer: RecordAnswer
    ) -> None:
        handover = ContactReplacement(session, self._deps, case, now, rehearsal=request.rehearsal)
        content = request.content or {}
        renewed = request.event == "contacts_changed" and content.get("renewed", True)
        further = handover.settle(renewed=renewed)
        answer.not_arrived = answer.not_arrived or further

    def _hold_again(self, session: Session, case: Case, now: datetime) -> None:
        """The next stage of the work waits again when the payment for this one was taken back."""
        level = self._deps.policy(session, case.policy).hold
        if level is None:
            return
        reason = f"the payment of invoice {case.invoice_id} was reversed"
        if holds.place(session, self._deps, case, level, reason, now):
            text = f"hold {level.value}: {reason}"
            key = f"hold.again.{case.reopened}"
            _note(session, case, Entry(key=key, at=now, kind="access", reason=text))

    def _follow(self, parts: Parts, case: Case, now: datetime, *, rehearsal: bool) -> None:
        """What a new state of the case means for the account, the callers and the customer's credit."""
        session = parts.session
        parts.do("claim", lambda: case_claim.keep(session, self._deps, case, now))
        parts.do("credit", lambda: credits.follow(session, case, now))
        parts.do("release of holds", lambda: free_account(session, case, now))
        if case.reopened and not case.frees_account:
            parts.do("hold", lambda: self._hold_again(session, case, now))
        if not case.ended and (case.agreements.pause is None or not case.agreements.pause.interrupted):
            parts.do("question", lambda: cancelled_runs.settle(session, case, now))
        parts.do("needless tasks", lambda: person_tasks.withdraw_needless(session, case, now))
        outcomes = CallOutcomes(session, self._deps, case, now, rehearsal=rehearsal)
        parts.do("scripts of calls", outcomes.renew_scripts)


def _write_audit(session: Session, request: RecordRequest, case: Case, now: datetime) -> Principal:
    """Write who told the event, and return them."""
    return told.write_entry(
        session,
        request.invoice_id,
        str(request.event),
        request.content or {},
        _real(request, now),
        request_id=request.told_as,
        revision=case.revision,
    )


def _real(request: RecordRequest, now: datetime) -> datetime:
    """The time of audit and approvals: the real one, also for a rehearsal."""
    return datetime.now(UTC) if request.rehearsal else now


def _is_blocked(session: Session, case: Case) -> bool:
    """By what the case knows, or by a step whose answer is still on its way to it."""
    if case.outstanding.blocked_until is not None:
        return True
    stored = cases.get(session, case.invoice_id)
    return stored is not None and stored.outstanding.blocked_until is not None


def _note(session: Session, case: Case, entry: Entry) -> None:
    timeline.write(session, case.invoice_id, [entry])


def _date_as_counted(session: Session, case: Case, credit_id: str) -> None:
    """Give a payment by credit, taken a moment before, the time at which its case counts it: interest goes by it."""
    for receipt in case.money.receipts:
        if receipt.payment_id == credit_id:
            payments.set_received(session, case.invoice_id, receipt)
