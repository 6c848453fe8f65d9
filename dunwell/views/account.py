"""A customer's account as people and the product read it: its access, the holds behind it, and its credit."""

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean
from dunwell.services.holds import page_url
from dunwell.services.links import Links
from dunwell.store import accounts
from dunwell.views.credit import credit_of
from dunwell.views.facts import Facts
from dunwell.views.lookup import no_customer


def access_facts(session: Session | Connection, customer_id: str, links: Links | None = None) -> Facts:
    """The account's access, by the worst of the open holds, and these holds, newest last. One query.

    With `links` it has, while there are holds, `page_url`: the page that explains them, which opens without a login.
    Raises Refused when nobody registered this customer.
    """
    account = accounts.account(session, customer_id) if is_clean(customer_id) else None
    if account is None:
        raise no_customer(customer_id)
    url = page_url(links, account)
    return ({"page_url": url} if url is not None else {}) | {
        "customer_id": customer_id,
        "access": accounts.access_by(account.holds).value,
        "work_on_hold": accounts.holds_work(account.holds),
        "holds": [
            {"invoice_id": hold.invoice_id, "level": hold.level, "reason": hold.reason, "since": hold.placed_at}
            for hold in account.holds
        ],
    }


def account_facts(session: Session, customer_id: str) -> Facts:
    """The same with the customer's credit. Raises Refused when nobody registered this customer."""
    return access_facts(session, customer_id) | {"credits": credit_of(session, customer_id)}
