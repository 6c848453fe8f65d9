"""Opens a case: from the invoice in the database to the first thing to wait for."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import credits, rest
from activities.desk import Answer, Desk, entries_of, plan
from domain.case import Case
from domain.events import Pause, PaymentReceived
from domain.invoice import Customer, EarlierPayment, History
from domain.model import Record
from domain.policy import PolicyRef, Rules
from domain.timeline import Entry
from store import accounts, cases, invoices, ledger, pauses, timeline
from store.tables import CustomerPauseRow, InvoiceRow


class OpenRequest(Record):
    invoice_id: str
    now: datetime
    rehearsal: bool = False


class Opening(Record):
    """Everything a run begins with."""

    case: Case
    answer: Answer
    number: str


class Planning:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @activity.defn(name="open_case")
    def open_case(self, request: OpenRequest) -> Opening:
        """Begin a case, or go on with one that ended. Fails for good when the invoice is unknown."""
        now = request.now if request.rehearsal else activity.info().started_time
        try:
            return self.open(request.invoice_id, now, request.rehearsal)
        except LookupError as error:
            raise ApplicationError(str(error), type="UnknownInvoice", non_retryable=True) from error

    def open(self, invoice_id: str, now: datetime, rehearsal: bool) -> Opening:
        """The same, for the command line, which opens cases before it starts their workflows.

        Raises LookupError when the invoice, its customer or its policy is not in the database.
        """
        with self._desk.database.reading() as session:
            customer_id = _found(session, invoice_id).customer_id
        with self._desk.database.writing(customer_id) as session:
            row, customer = _found(session, invoice_id), invoices.get_debtor(session, invoice_id)
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
        resting = pauses.of(session, customers)
        for case in new.values():
            policy, customer = self._desk.policy(session, case.policy), customers[case.customer_id]
            calendar = self._desk.calendar(customer, policy, case, now)
            self._rest(session, case, resting.get(case.customer_id), calendar.local_date(now), now)
            plan(case, policy, calendar, holds.get(case.customer_id, []), now)
        cases.add(session, new.values(), rehearsal=rehearsal, now=now)
        every = known | new
        answers = self._desk.recalled(session, every.values())
        return {
            row.invoice_id: Opening(case=every[row.invoice_id], answer=answers[row.invoice_id], number=row.number)
            for row in rows
        }

    def _new_case(self, session: Session, row: InvoiceRow) -> Case:
        ref = PolicyRef(name=row.policy_name, version=row.policy_version)
        policy = self._desk.policy(session, ref)
        return Case(
            invoice_id=row.invoice_id,
            customer_id=row.customer_id,
            policy=ref,
            rules=Rules.of(policy),
            currency=row.currency,
            digits=row.digits,
            issued_on=row.issued_on,
            due_on=row.due_on,
            amount=row.amount,
        )

    def _bring_history(
        self, session: Session, row: InvoiceRow, case: Case, customer: Customer, now: datetime
    ) -> None:
        """What happened before the invoice came to us is in force before anything is sent."""
        history, policy = History.model_validate(row.history), self._desk.policy(session, case.policy)
        payments = [_as_payment(earlier, number, case) for number, earlier in enumerate(history.paid, 1)]
        zone = ZoneInfo(customer.time_zone)
        reminded = {
            one.step: datetime.combine(one.on, policy.window[0], zone).astimezone(UTC) for one in history.reminded
        }
        said = case.take_over(payments, reminded, [step.id for step in policy.steps], now)
        for payment in payments:
            ledger.add_payment(session, case.invoice_id, payment, now)
        credits.follow(session, case, now)
        timeline.write(session, case.invoice_id, entries_of(said, "history", now))

    def _rest(self, session: Session, case: Case, pause: CustomerPauseRow | None, today: date, now: datetime) -> None:
        """An invoice of a customer who rests as a whole rests from the start."""
        if pause is None or case.ended or (pause.until is not None and pause.until <= today):
            return
        event = Pause(reason=pause.reason, by=pause.by, until=pause.until, scope="customer")
        timeline.write(session, case.invoice_id, entries_of(case.apply(event, now), "customer-paused", now))
        rest.ask(session, case, pause, self._desk.policy(session, case.policy))

    def _place_first_hold(self, session: Session, case: Case, now: datetime) -> None:
        """A ladder for staged work: the next stage waits from the start until this invoice is paid."""
        hold = self._desk.policy(session, case.policy).hold
        if hold is None or case.ended:
            return
        reason = f"invoice {case.invoice_id} pays for a stage of the work"
        if accounts.place_hold(session, case.customer_id, case.invoice_id, hold, reason, now):
            text = f"hold {hold.value}: the next stage waits until this invoice is paid"
            timeline.write(session, case.invoice_id, [Entry(key="hold.first", at=now, kind="access", reason=text)])


def _as_payment(earlier: EarlierPayment, number: int, case: Case) -> PaymentReceived:
    """One without an id gets one that no bank gives."""
    return PaymentReceived(
        payment_id=earlier.payment_id or f"before-import-{number}",
        amount=earlier.amount,
        currency=case.currency,
        received_at=earlier.received_at,
    )


def _found(session: Session, invoice_id: str) -> InvoiceRow:
    row = invoices.get_row(session, invoice_id)
    if row is None:
        raise LookupError(f"invoice {invoice_id!r} is not in the database: register it with starter.py start")
    return row


def _opened(case: Case, now: datetime) -> Entry:
    policy = case.policy
    text = f"{case.amount} {case.currency} due on {case.due_on}, ladder {policy.name}@{policy.version}"
    return Entry(key="opened", at=now, kind="opened", reason=text)
