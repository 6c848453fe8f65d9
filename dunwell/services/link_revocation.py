"""Revokes links of customers, and shows the address of one again. Each is audited."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.cleaning import is_clean, printable
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused, Unknown
from dunwell.services.links import PATHS, Links
from dunwell.store import audit, links, outbox
from dunwell.store.tables import LinkRow

CONTACT_CLOSED = "contact closed"
WRONG_NUMBER = "wrong number"


def find(session: Session, link_id: str) -> LinkRow:
    """Return a link by its id. Raises Unknown when there is none."""
    row = links.get(session, link_id) if is_clean(link_id) else None
    if row is None:
        raise Unknown("link", f"{printable(link_id)!r} is not known; `starter.py link list` shows the ids")
    return row


def revoke(session: Session, chosen: Sequence[LinkRow], principal: Principal, reason: str, now: datetime) -> int:
    """Revoke these links of one customer, in the caller's transaction. Returns how many were not revoked before."""
    living = [row for row in chosen if row.revoked_at is None]
    if living:
        links.revoke(session, [row.link_id for row in living], principal.label, reason, now)
        contacts = sorted({row.contact_id for row in living if row.contact_id is not None})
        details = {"links": len(living), "contacts": contacts}
        about = f"customer/{living[0].customer_id}"
        audit.append(session, principal, about, "links_revoked", now, reason=reason, details=details)
    return len(living)


def revoke_of_contacts(
    session: Session,
    customer_id: str,
    contact_ids: Collection[str],
    principal: Principal,
    reason: str,
    now: datetime,
    channels: Collection[Channel] | None = None,
) -> int:
    """Revoke the links of these contacts, or those that went by these channels."""
    found = [
        row
        for contact_id in contact_ids
        for row in links.of_customer(session, customer_id, contact_id)
        if channels is None or _channel(session, row) in channels
    ]
    return revoke(session, found, principal, reason, now)


def _channel(session: Session, row: LinkRow) -> Channel | None:
    """The channel of the message that carries the link."""
    message = outbox.get(session, row.message_id) if row.message_id is not None else None
    return message.channel if message is not None else None


def shown_again(session: Session, made_by: Links | None, row: LinkRow, principal: Principal, now: datetime) -> str:
    """Return the address that this link has. Raises Refused when it opens nothing or cannot be made again."""
    if row.kind not in PATHS:
        raise Refused("address", "is a part of an address for replies, and opens no page")
    if row.revoked_at is not None:
        raise Refused("address", f"was revoked by {row.revoked_by} and opens nothing")
    token = made_by.token(row) if made_by is not None else None
    if made_by is None or token is None:
        raise Refused("address", "was made with a LINK_SECRET that is set no more: it opens nothing")
    about = f"customer/{row.customer_id}"
    audit.append(session, principal, about, "link_shown", now, details={"link": row.link_id})
    return made_by.address(row.kind, token)
