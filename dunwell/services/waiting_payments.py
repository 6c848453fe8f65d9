"""What a person decides about payments that were reported and that no case has got."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.billing_events import SubjectKind, SubjectState
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
            row.invoice_id = invoice_id
            billing_events.again(session, provider, payment, now)
            details = {"invoice": invoice_id}
            audit.append(session, principal, _about(row), "payment_assigned", now, details=details)

    def dismiss(self, provider: str, payment: str, reason: str, principal: Principal, now: datetime) -> None:
        """Say that a payment concerns no case. It stays in the database. Raises NotAllowed, Refused."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.writing_beside_customers() as session:
            submissions.take(session, self._submission, now)
            row = _waiting(session, provider, payment)
            row.state, row.reason, row.next_at = SubjectState.DISMISSED, reason, None
            audit.append(session, principal, _about(row), "payment_dismissed", now, reason=reason)


def _about(row: BillingSubjectRow) -> str:
    return f"payment/{row.provider}/{row.subject}"


def _waiting(session: Session, provider: str, payment: str) -> BillingSubjectRow:
    row = billing_events.get(session, provider, payment)
    if row is None or row.kind is not SubjectKind.PAYMENT:
        raise Refused(
            "payment", f"{payment[:60]!r} was not reported by {provider[:20]!r}; `starter.py waiting list` shows them"
        )
    if row.state is not SubjectState.WAITING:
        raise Refused("payment", f"does not wait: it is {row.state.value}")
    return row
