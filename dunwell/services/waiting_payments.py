"""What a person decides about payments that were reported and that no case has got."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.billing_events import Paid, RefundedInAll, SubjectKind, SubjectState, TakenBack
from dunwell.domain.incoming import said_of_set_aside, said_of_taking_up
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.services import submissions
from dunwell.services.submissions import Submission
from dunwell.store import audit, billing_events
from dunwell.store.database import Database
from dunwell.store.tables import BillingSubjectRow


class WaitingPayments:
    """Safe to share between threads. Each decision is in the audit, with who made it.

    submission: the form by which a person decides. A decision by one that was carried out raises AlreadyDone.
    """

    def __init__(self, database: Database, submission: Submission | None = None) -> None:
        self._database, self._submission = database, submission

    def assign(self, provider: str, payment: str, invoice_id: str, principal: Principal, now: datetime) -> None:
        """Say for which invoice a payment is; its case is told at once. Raises NotAllowed, Refused."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.writing_beside_customers() as session:
            submissions.take(session, self._submission, now)
            row = _waiting(session, provider, payment)
            if not billing_events.real_invoices(session, invoice_id=invoice_id):
                raise Refused(
                    "invoice", f"{invoice_id[:60]!r} is not registered; `starter.py list` shows those that are"
                )
            _check_it_came(session, row, invoice_id)
            row.invoice_id, row.reason = invoice_id, None
            row.decided_by, row.decided_at = principal.label, now
            billing_events.again(session, provider, payment, now)
            details = {"invoice": invoice_id}
            audit.append(session, principal, _about(row), "payment_assigned", now, details=details)

    def dismiss(self, provider: str, payment: str, reason: str, principal: Principal, now: datetime) -> None:
        """Say that a payment concerns no case. It stays in the database. Raises NotAllowed, Refused."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.writing_beside_customers() as session:
            submissions.take(session, self._submission, now)
            row = _waiting(session, provider, payment)
            row.state, row.next_at = SubjectState.DISMISSED, None
            row.reason = said_of_set_aside(reason, principal)
            row.decided_by, row.decided_at = principal.label, now
            audit.append(session, principal, _about(row), "payment_dismissed", now, reason=reason)

    def undo(self, provider: str, payment: str, principal: Principal, now: datetime) -> None:
        """Undo for which invoice a payment is, or that it concerns no case. Raises NotAllowed, Refused.

        The case of the invoice gives it back at once; then it waits for a person. One that had been dismissed is
        tried again by itself.
        """
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.writing_beside_customers() as session:
            submissions.take(session, self._submission, now)
            row = _reported(session, provider, payment)
            if row.state is SubjectState.DISMISSED:
                row.reason = said_of_taking_up(row.reason or "", principal)
                row.decided_by = row.decided_at = None
                audit.append(session, principal, _about(row), "payment_dismissal_undone", now)
            else:
                _check_can_be_undone(row)
                details = {"invoice": row.invoice_id}
                row.reason = f"its match with {row.invoice_id} was undone by {principal.author}: a person decides"
                row.undone_from, row.invoice_id = row.invoice_id, None
                row.decided_by, row.decided_at = principal.label, now
                audit.append(session, principal, _about(row), "payment_match_undone", now, details=details)
            row.state, row.next_at, row.attempts = SubjectState.WAITING, now, 0
            row.version += 1


def _about(row: BillingSubjectRow) -> str:
    return f"payment/{row.provider}/{row.subject}"


def _check_it_came(session: Session, row: BillingSubjectRow, invoice_id: str) -> None:
    """Raises Refused when only what went back of the payment was reported, and the invoice does not have it."""
    facts = billing_events.facts(session, row.provider, row.subject)
    went = any(isinstance(one, TakenBack | RefundedInAll) for one in facts)
    came = any(isinstance(one, Paid) for one in facts)
    if went and not came and invoice_id not in billing_events.booked_on(session, row.subject):
        raise Refused(
            "payment",
            f"{row.subject} was only reported as taken back, never as received, and {invoice_id} does not have it: "
            "wait until the payment itself is reported, or set it aside",
        )


def _check_can_be_undone(row: BillingSubjectRow) -> None:
    if row.undone_from is not None:
        raise Refused("payment", f"is being taken back from {row.undone_from}: try again in a moment")
    if row.invoice_id is None:
        raise Refused("payment", f"{row.subject} is for no invoice yet: nothing was decided that can be undone")


def _waiting(session: Session, provider: str, payment: str) -> BillingSubjectRow:
    row = _reported(session, provider, payment)
    if row.state is not SubjectState.WAITING:
        advice = f"`starter.py match {provider}:{payment} --undo` undoes what was decided"
        raise Refused("payment", f"does not wait: it is {row.state.value}; {advice}")
    return row


def _reported(session: Session, provider: str, payment: str) -> BillingSubjectRow:
    row = billing_events.get(session, provider, payment)
    if row is None or row.kind is not SubjectKind.PAYMENT:
        raise Refused(
            "payment", f"{payment[:60]!r} was not reported by {provider[:20]!r}; `starter.py waiting list` shows them"
        )
    return row
