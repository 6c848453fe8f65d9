"""Links of customers as people read them. No token is among them."""

from sqlalchemy.orm import Session

from dunwell.domain.links import expiry
from dunwell.store import links
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_customer
from dunwell.views.names import user_name


def customer_links(session: Session, customer_id: str, contact_id: str | None = None) -> list[Facts]:
    """Return the customer's links, or those of one contact, the latest first. Raises Refused for no such customer."""
    find_customer(session, customer_id)
    found = []
    for row in links.of_customer(session, customer_id, contact_id):
        opened = links.invoices(session, row)
        found.append(
            {
                "link_id": row.link_id,
                "kind": row.kind,
                "contact": row.contact_id,
                "message_id": row.message_id,
                "invoices": [invoice_id for invoice_id, _ in opened],
                "scopes": row.scopes,
                "made_at": row.made_at,
                "until": expiry(row.made_at, (ended_at for _, ended_at in opened)),
                "revoked_at": row.revoked_at,
                "revoked_by": user_name(session, row.revoked_by),
                "reason": row.revoked_why,
            }
        )
    return found
