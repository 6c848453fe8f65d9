"""Sends the product each change of an account's access, once and in order."""

import logging
from datetime import datetime

from dunwell.domain.terms import Access
from dunwell.gateways.base import AccessChange, DeliveryError
from dunwell.services import holds
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import CaseAnswer
from dunwell.store import accounts

_log = logging.getLogger("dunwell.services")


def publish(deps: Dependencies, customer_id: str, now: datetime, *, rehearsal: bool) -> None:
    """Send the product each change of access that it has not confirmed yet. Raises DeliveryError."""
    product = deps.product_gateway(rehearsal)
    with deps.database.reading() as session:
        account = accounts.account(session, customer_id)
        page_url = holds.page_url(deps.links, account) if account is not None else None
        waiting = [
            AccessChange(
                change_id=row.change_id,
                customer_id=row.customer_id,
                invoice_id=row.invoice_id,
                access=row.access,
                work_on_hold=row.work_on_hold,
                reason=row.reason,
                at=row.at,
                page_url=page_url if row.work_on_hold or row.access is not Access.FULL else None,
            )
            for row in accounts.unpublished(session, customer_id)
        ]
    for change in waiting:
        product.publish(change)
        with deps.database.writing(customer_id) as session:
            accounts.mark_published(session, change.change_id, now)


def try_publish(
    deps: Dependencies, answer: CaseAnswer, customer_id: str, now: datetime, *, rehearsal: bool, may_wait: bool
) -> None:
    """Publish once, where the answer says that something is unpublished; most often this spares an activity.

    A failure is logged, and `answer.unpublished` stays. Without `may_wait` a product behind a network is not called.
    """
    if not answer.unpublished or (deps.product_gateway(rehearsal).remote and not may_wait):
        return
    try:
        publish(deps, customer_id, now, rehearsal=rehearsal)
        answer.unpublished = False
    except DeliveryError as error:
        _log.warning("the product did not take a change of access: %s", error.reason)
