"""Whether what a form says is in the database, of the forms that no case is told of."""

from sqlalchemy.orm import Session

from dunwell.services import payers, replies
from dunwell.services.links import Link
from dunwell.store import audit


def wish_id(link: Link, form_id: str) -> str:
    """By which id a wish is kept, however often its form comes in."""
    return f"{link.link_id}.{form_id}"


def stop_key(form_id: str) -> str:
    """By which key the audit has that the e-mails were stopped."""
    return f"stopped.{form_id}"


def wish(session: Session, link: Link, form_id: str) -> bool:
    """Whether the wish for instalments is kept as a reply that waits, or waited, for a person."""
    return replies.is_kept_from_page(session, wish_id(link, form_id))


def payer(session: Session, link: Link, form_id: str) -> bool:
    """Whether somebody was named as the one who pays."""
    return payers.was_named(session, link, form_id)


def stop(session: Session, link: Link, form_id: str) -> bool:
    """Whether the audit has that the e-mails were stopped."""
    return audit.has(session, f"customer/{link.customer_id}", stop_key(form_id))
