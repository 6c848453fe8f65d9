"""Opens a case: from the invoice in the database to the first thing to wait for."""

from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.desk import Answer, Desk
from domain.case import EDITION, Case
from domain.model import Record
from domain.policy import Policy, PolicyRef, Rules
from domain.timeline import Entry
from store import accounts, cases, invoices, timeline


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
            row = invoices.get_row(session, invoice_id)
            if row is None:
                raise LookupError(f"invoice {invoice_id!r} is not in the database: register it with starter.py start")
            customer_id, number = row.customer_id, row.number
        with self._desk.database.writing(customer_id) as session:
            return self.open_in(session, invoice_id, number, now, rehearsal)

    def open_in(self, session: Session, invoice_id: str, number: str, now: datetime, rehearsal: bool) -> Opening:
        """The same inside the caller's transaction, which holds the customer's lock."""
        case = cases.get(session, invoice_id)
        answer = Answer()
        if case is None:
            case = self._new_case(session, invoice_id, now)
            self._desk.answer(session, case, now=now, rehearsal=rehearsal, seen=0, answer=answer)
        else:
            self._desk.recall(session, case, answer)
        return Opening(case=case, answer=answer, number=number)

    def _new_case(self, session: Session, invoice_id: str, now: datetime) -> Case:
        row = invoices.get_row(session, invoice_id)
        if row is None:
            raise LookupError(f"invoice {invoice_id!r} is not in the database")
        ref = PolicyRef(name=row.policy_name, version=row.policy_version)
        policy = self._desk.policy(session, ref)
        case = Case(
            invoice_id=invoice_id,
            customer_id=row.customer_id,
            edition=EDITION,
            policy=ref,
            rules=Rules(promises=policy.promises, reactions=policy.reactions),
            currency=row.currency,
            digits=row.digits,
            issued_on=row.issued_on,
            due_on=row.due_on,
            amount=row.amount,
        )
        text = f"{case.amount} {case.currency} due on {case.due_on}, ladder {ref.name}@{ref.version}"
        timeline.write(session, invoice_id, [Entry(key="opened", at=now, kind="opened", reason=text)])
        self._place_first_hold(session, case, policy, now)
        return case

    def _place_first_hold(self, session: Session, case: Case, policy: Policy, now: datetime) -> None:
        """A ladder for staged work: the next stage waits from the start until this invoice is paid."""
        if policy.hold is None:
            return
        reason = f"invoice {case.invoice_id} pays for a stage of the work"
        if accounts.place_hold(session, case.customer_id, case.invoice_id, policy.hold, reason, now):
            text = f"hold {policy.hold.value}: the next stage waits until this invoice is paid"
            timeline.write(session, case.invoice_id, [Entry(key="hold.first", at=now, kind="access", reason=text)])
