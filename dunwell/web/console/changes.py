"""Makes a change to a customer or a contact by a form, once, and tells the cases that it concerns."""

import asyncio
from collections.abc import Callable, Mapping

from fastapi import Request

from dunwell.client.customers import Changed, Customers, tell
from dunwell.client.server import ServerAway
from dunwell.domain.principals import Principal
from dunwell.services.submissions import AlreadyDone
from dunwell.web.console.forms import submission_of
from dunwell.web.service import service_of


async def change(
    request: Request, principal: Principal, typed: Mapping[str, str], act: Callable[[Customers], Changed]
) -> int:
    """Make the change. Returns how many cases read it only at their next step, because Temporal does not answer.

    The same form again, by a double click or the back button, changes nothing. Raises Refused.
    """
    service = service_of(request)
    customers = service.customers.acting(principal, submission_of(request, principal, typed))
    try:
        changed = await asyncio.to_thread(act, customers)
    except AlreadyDone:
        return 0
    try:
        await service.connection.ensure()
        return await tell(service.cases, changed, principal)
    except ServerAway:
        return len(changed.invoices)
