"""Places the holds of invoices on their accounts, and issues the link to the page that explains them."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.links import LinkKind, Scope
from dunwell.domain.terms import Level
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import each_alone
from dunwell.services.links import Links
from dunwell.store import accounts

_SCOPES = (Scope.SEE, Scope.PAY, Scope.PROMISE)


def place(session: Session, deps: Dependencies, case: Case, level: Level, reason: str, now: datetime) -> bool:
    """Place a hold of this case's invoice on its account; the account has the worst of all of its holds.

    Returns False when the invoice already has one at this level.
    """
    if not accounts.place_hold(session, case.customer_id, case.invoice_id, level, reason, now):
        return False
    if deps.links is not None:
        _issue_page(session, deps.links, case.customer_id, now)
    return True


def renew_pages(deps: Dependencies, attempt: Attempt) -> int:
    """Issue a link for each limited account whose page nobody can open any more. Returns how many were issued.

    Its link was revoked, the secret that made it is set no more, or none was set when the hold was placed.
    """
    links = deps.links
    if links is None:
        return 0
    with deps.database.reading() as session:
        known = accounts.pages_of_limited(session)
    lacking = [customer_id for customer_id, page in known.items() if page is None or links.token(page) is None]
    for customer_id in lacking:
        with each_alone("account", customer_id, attempt), deps.database.writing(customer_id) as session:
            _issue_page(session, links, customer_id, attempt.now)
    return len(lacking)


def _issue_page(session: Session, links: Links, customer_id: str, now: datetime) -> None:
    links.issue(session, LinkKind.RESTRICTION, customer_id, now, scopes=_SCOPES)


def page_url(links: Links | None, account: accounts.Account) -> str | None:
    """Return the address of the page about the holds of an account; None while it has none, or nobody makes links.

    Whoever knows the address may open the page.
    """
    if links is None or account.page is None or not account.holds:
        return None
    token = links.token(account.page)
    return links.address(LinkKind.RESTRICTION, token) if token is not None else None
