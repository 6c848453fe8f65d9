"""The messages to debtors as people read them, with what became of each."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.invoice import is_rehearsal
from dunwell.store import outbox
from dunwell.store.tables import MessageRow
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice


def messages(session: Session, invoice_id: str | None = None) -> list[Facts]:
    """All messages, or those about one invoice. Raises Refused when nobody registered that invoice."""
    if invoice_id is not None:
        find_invoice(session, invoice_id)
    return [_facts(row, carried) for row, carried, _ in outbox.rows(session, invoice_id)]


def message_page(
    session: Session, invoice_id: str | None, after: tuple[datetime, str] | None, most: int
) -> list[tuple[tuple[datetime, str], Facts]]:
    """Messages in the order in which they were claimed, at most `most`, each after its time of claim and id.

    after: the last one seen. Raises Refused when nobody registered that invoice.
    """
    if invoice_id is not None:
        find_invoice(session, invoice_id)
    found = outbox.page(session, invoice_id, after, most)
    return [((row.claimed_at, row.message_id), _facts(row, carried)) for row, carried in found]


def _facts(row: MessageRow, carried: list[str]) -> Facts:
    """What is not known of a message is left out."""
    facts = {
        "message_id": row.message_id,
        "invoices": carried,
        "step": row.step,
        "channel": row.channel,
        "contact": row.contact_id,
        "to": row.address,
        "state": row.state,
        "reason": row.reason,
        "subject": row.subject or None,
        "body": row.body,
        "planned_at": row.planned_at,
        "sent_at": row.sent_at,
        "provider_id": row.provider_id,
        "rehearsal": is_rehearsal(row.customer_id),
    }
    return {name: value for name, value in facts.items() if value is not None}
