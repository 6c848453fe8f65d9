"""What a person says of a message whose outcome nobody knew, as the report that its cases get."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.events import parse_event
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.services.submissions import Submission
from dunwell.store import audit, outbox
from dunwell.store.database import Database


def carried_invoices(session: Session, message_id: str) -> list[str]:
    """Return the invoices that the message is about. Raises Refused for a message that is not in the outbox."""
    carried = sorted({link.invoice_id for link in outbox.links(session, message_id)})
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

    Raises Refused for an outcome that it does not know, AlreadyDone for a form that was carried out before.
    """
    report = {"message_id": message_id, "status": outcome, "code": "by a person", "at": now.isoformat()}
    parse_event("delivery_report", [report])
    with database.writing_beside_customers() as session:
        if submission is not None:
            submission.take(session, now)
        audit.append(session, principal, f"message/{message_id}", "settled", now, details={"status": outcome})
    return report
