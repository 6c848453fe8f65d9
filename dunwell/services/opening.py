"""Opens cases: from the invoice in the database to the first thing to wait for."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.events import Pause, PaymentReceived
from dunwell.domain.invoice import Customer, EarlierPayment, History, Invoice, is_rehearsal
from dunwell.domain.keys import TaskId
from dunwell.domain.model import MutableValue
from dunwell.domain.money import Money
from dunwell.domain.policy import Policy, PolicyRef, Rules
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import TaskKind
from dunwell.domain.timeline import Entry, entries_of
from dunwell.services import credits, customer_pause, holds
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import OtherRun, lasts, reason_of
from dunwell.services.planning import plan, stored_answers
from dunwell.services.request_models import CaseAnswer
from dunwell.store import accounts, cases, customer_pauses, invoices, payments, tasks, timeline
from dunwell.store.tables import CustomerPauseRow, InvoiceRow, TaskRow

_PATIENCE = timedelta(days=1)
"""How long a run waits for its invoice before a person is asked."""


class Opening(MutableValue):
    """Everything a run begins with."""

    case: Case
    answer: CaseAnswer
    number: str


class NotYetOpened(Exception):
    """The case cannot be opened yet; the text says why, without personal data."""


class Opener:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def open_for_run(self, invoice_id: str, attempt: Attempt, since: datetime | None, *, rehearsal: bool) -> Opening:
        """Begin the case of a run, or go on with one that ended.

        since  when the run began to wait for its invoice; None: it asks for the first time. After a day a person is
               asked for the invoice

        Raises NotYetOpened without the invoice or a fact about it, OtherRun for a run with another clock.
        """
        with self._deps.database.reading() as session:
            row = invoices.get_row(session, invoice_id)
        if row is None:
            why = f"not registered yet: bring {invoice_id} by starter.py start"
            raise self._not_yet(invoice_id, why, attempt.now, since)
        if is_rehearsal(row.customer_id) != rehearsal:
            raise OtherRun(invoice_id, rehearsal=is_rehearsal(row.customer_id))
        try:
            return self.open(invoice_id, attempt.now, rehearsal)
        except Exception as error:
            if not lasts(error, attempt):
                raise
            why = f"it cannot be opened: {reason_of(error)}"
        raise self._not_yet(invoice_id, why, attempt.now, since)

    def _not_yet(self, invoice_id: str, why: str, now: datetime, since: datetime | None) -> NotYetOpened:
        if since is not None and now - since >= _PATIENCE:
            reason = f"{invoice_id} is waited for since {since:%Y-%m-%d %H:%M} UTC: {why}"
            with self._deps.database.writing() as session:
                task = TaskRow(
                    task_id=_waiting(invoice_id),
                    invoice_id=invoice_id,
                    step="opening",
                    kind=TaskKind.DECISION,
                    due_at=now,
                    reason=f"{reason}. What it was told meanwhile is kept. If there is no such invoice, terminate it",
                    script="",
                )
                tasks.add(session, task)
        return NotYetOpened(why)

    def open(self, invoice_id: str, now: datetime, rehearsal: bool) -> Opening:
        """The case with the first thing to wait for; the same as before when it was opened already.

        Raises LookupError when the invoice, its customer or its policy is not in the database.
        """
        with self._deps.database.reading() as session:
            customer_id = _found(session, invoice_id).customer_id
        with self._deps.database.writing(customer_id) as session:
            row, customer = _found(session, invoice_id), invoices.get_customer_of(session, invoice_id)
            tasks.close_task(session, _waiting(invoice_id), "the invoice is here", now)
            return self.open_all(session, [row], {customer_id: customer}, now, rehearsal)[invoice_id]

    def open_all(
        self,
        session: Session,
        rows: Collection[InvoiceRow],
        customers: Mapping[str, Customer],
        now: datetime,
        rehearsal: bool,
    ) -> dict[str, Opening]:
        """The cases of many invoices, by invoice, in the caller's transaction, which holds the customers' locks.

        customers: those of the invoices, by id, as they are in the database. Raises LookupError when a policy is
        not there.
        """
        kept = cases.get_rows(session, [row.invoice_id for row in rows])
        known = {name: Case.model_validate(row.state) for name, row in kept.items()}
        fresh = [row for row in rows if row.invoice_id not in known]
        new = {row.invoice_id: self._new_case(session, row) for row in fresh}
        timeline.write_all(session, {name: [_opened(case, now)] for name, case in new.items()})
        for row in fresh:
            if row.history:
                self._bring_history(session, row, new[row.invoice_id], customers[row.customer_id], now)
        for case in new.values():
            self._place_first_hold(session, case, now)
        holds = accounts.open_holds_of(session, customers)
        resting = customer_pauses.of(session, customers)
        for case in new.values():
            policy, customer = self._deps.policy(session, case.policy), customers[case.customer_id]
            calendar = self._deps.calendar(customer, policy, case, now)
            self._rest(session, case, resting.get(case.customer_id), calendar.local_date(now), now)
            plan(case, policy, calendar, holds.get(case.customer_id, []), now)
        cases.add(session, new.values(), rehearsal=rehearsal, now=now)
        every = known | new
        answers = stored_answers(session, every.values())
        return {
            row.invoice_id: Opening(case=every[row.invoice_id], answer=answers[row.invoice_id], number=row.number)
            for row in rows
        }

    def _new_case(self, session: Session, row: InvoiceRow) -> Case:
        policy = self._deps.policy(session, PolicyRef(name=row.policy_name, version=row.policy_version))
        return _new_case(row, row.customer_id, policy)

    def _bring_history(
        self, session: Session, row: InvoiceRow, case: Case, customer: Customer, now: datetime
    ) -> None:
        """What happened before the invoice came to us is in force before anything is sent."""
        history, policy = History.model_validate(row.history), self._deps.policy(session, case.policy)
        earlier, said = _take_over(case, history, policy, customer.time_zone, now)
        for payment in earlier:
            payments.add_payment(session, case.invoice_id, payment, now)
        credits.follow(session, case, now)
        timeline.write(session, case.invoice_id, entries_of(said, "history", now))

    def _rest(self, session: Session, case: Case, pause: CustomerPauseRow | None, today: date, now: datetime) -> None:
        """An invoice of a customer who rests as a whole rests from the start."""
        if pause is None or case.ended or (pause.until is not None and pause.until <= today):
            return
        event = Pause(reason=pause.reason, by=pause.by, until=pause.until, scope="customer")
        timeline.write(session, case.invoice_id, entries_of(case.apply(event, now), "customer-paused", now))
        customer_pause.ask(session, case, pause, self._deps.policy(session, case.policy))

    def _place_first_hold(self, session: Session, case: Case, now: datetime) -> None:
        """A ladder for staged work: the next stage waits from the start until this invoice is paid."""
        hold = self._deps.policy(session, case.policy).hold
        if hold is None or case.ended:
            return
        reason = f"invoice {case.invoice_id} pays for a stage of the work"
        if holds.place(session, self._deps, case, hold, reason, now):
            text = f"hold {hold.value}: the next stage waits until this invoice is paid"
            timeline.write(session, case.invoice_id, [Entry(key="hold.first", at=now, kind="access", reason=text)])


def foreseen(invoice: Invoice, policy: Policy, now: datetime) -> Case:
    """The case that this invoice would begin with, by what its record says of its past. Nothing is kept."""
    case = _new_case(invoice, invoice.customer.customer_id, policy)
    _take_over(case, invoice.history, policy, invoice.customer.time_zone, now)
    return case


def _new_case(invoice: Invoice | InvoiceRow, customer_id: str, policy: Policy) -> Case:
    return Case(
        invoice_id=invoice.invoice_id,
        customer_id=customer_id,
        policy=PolicyRef(name=policy.name, version=policy.version),
        rules=Rules.of(policy),
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        money=Money(currency=invoice.currency, digits=invoice.digits, amount=invoice.amount),
    )


def _take_over(
    case: Case, history: History, policy: Policy, time_zone: str, now: datetime
) -> tuple[list[PaymentReceived], list[Said]]:
    """Apply the invoice's history to the case. Returns the earlier payments and what the timeline says of them."""
    payments = [_as_payment(earlier, number, case) for number, earlier in enumerate(history.paid, 1)]
    zone = ZoneInfo(time_zone)
    reminded = {
        one.step: datetime.combine(one.on, policy.window[0], zone).astimezone(UTC) for one in history.reminded
    }
    return payments, case.take_over(payments, reminded, [step.id for step in policy.steps], now)


def _as_payment(earlier: EarlierPayment, number: int, case: Case) -> PaymentReceived:
    """One without an id gets one that no bank gives."""
    return PaymentReceived(
        payment_id=earlier.payment_id or f"before-import-{number}",
        amount=earlier.amount,
        currency=case.currency,
        received_at=earlier.received_at,
    )


def _waiting(invoice_id: str) -> str:
    """The id of the task that asks where the invoice is."""
    return str(TaskId.of(invoice_id, "opening"))


def _found(session: Session, invoice_id: str) -> InvoiceRow:
    row = invoices.get_row(session, invoice_id)
    if row is None:
        raise LookupError(f"invoice {invoice_id!r} is not in the database: register it with starter.py start")
    return row


def _opened(case: Case, now: datetime) -> Entry:
    policy = case.policy
    text = f"{case.money.amount} {case.currency} due on {case.due_on}, ladder {policy.name}@{policy.version}"
    return Entry(key="opened", at=now, kind="opened", reason=text)
