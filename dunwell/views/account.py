"""A customer's account as people and the product read it: its access, the holds behind it, and its credit."""

from sqlalchemy.orm import Session

from dunwell.store import accounts
from dunwell.views.credit import credit_of
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_customer


def access_facts(session: Session, customer_id: str) -> Facts:
    """The account's access, by the worst of the open holds. Raises Refused when nobody registered this customer."""
    find_customer(session, customer_id)
    return {
        "customer_id": customer_id,
        "access": accounts.access(session, customer_id).value,
        "work_on_hold": accounts.work_on_hold(session, customer_id),
        "holds": holds(session, customer_id),
    }


def account_facts(session: Session, customer_id: str) -> Facts:
    """The same with the customer's credit. Raises Refused when nobody registered this customer."""
    return access_facts(session, customer_id) | {"credits": credit_of(session, customer_id)}


def holds(session: Session, customer_id: str) -> list[Facts]:
    """The open holds of the account, newest last."""
    return [
        {"invoice_id": hold.invoice_id, "level": hold.level, "reason": hold.reason, "since": hold.placed_at}
        for hold in accounts.open_holds(session, customer_id)
    ]
