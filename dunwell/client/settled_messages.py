"""What a person says of a message whose outcome nobody knew, as the report that its cases get."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.events import parse_event
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import MessageState, PayerState
from dunwell.services import payers as payer_service
from dunwell.services.submissions import Submission
from dunwell.store import audit, outbox, payers
from dunwell.store.database import Database


def carried_invoices(session: Session, message_id: str) -> list[str]:
    """Return the invoices that the message is about. Raises Refused for a message that is not in the outbox."""
    carried = sorted({link.invoice_id for link in outbox.links(session, message_id)})
    if not carried and payers.mail(session, message_id) is not None:
        return []  # no case waits for the mail to somebody who was named as the one who pays
    if not carried:
        raise Refused("message", f"{message_id!r} is not in the outbox; `starter.py outbox` shows every message")
    return carried


def report_by_person(
    database: Database,
    principal: Principal,
    message_id: str,
    outcome: str,
    now: datetime,
    submission: Submission | None = None,
) -> dict[str, Any]:
    """Write into the audit what somebody says of a message, and return the fields of `delivery_report`.

    Raises Refused for an outcome that it does not know, AlreadyDone for a form that was carried out before. A mail to
    somebody who was named as the one who pays is settled by it; Refused for one whose outcome is known already.
    """
    report = {"message_id": message_id, "status": outcome, "code": "by a person", "at": now.isoformat()}
    parse_event("delivery_report", [report])
    with database.reading() as session:
        payer = payers.mail(session, message_id)
    with database.writing(payer.customer_id) if payer else database.writing_beside_customers() as session:
        if submission is not None:
            submission.take(session, now)
        audit.append(session, principal, f"message/{message_id}", "settled", now, details={"status": outcome})
        _settle_payer(session, message_id, MessageState(outcome), now)
    return report


def _settle_payer(session: Session, message_id: str, outcome: MessageState, now: datetime) -> None:
    """Write what became of the mail to somebody who was named as the one who pays, if this is one.

    It is not sent again. Raises Refused for one whose outcome is known.
    """
    row = payers.mail(session, message_id)
    if row is None:
        return
    if row.state is not PayerState.UNKNOWN:
        raise Refused("status", f"what became of this mail is known already: {row.state.value}")
    payer_service.settle(session, row, _OF_PAYER[outcome], "by a person", now)


_OF_PAYER = {
    MessageState.ACCEPTED: PayerState.SENT,
    MessageState.DELIVERED: PayerState.SENT,
    MessageState.BOUNCED: PayerState.BOUNCED,
    MessageState.FAILED: PayerState.FAILED,
}
