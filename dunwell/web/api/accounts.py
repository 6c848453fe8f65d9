"""Accounts over HTTP: what the product asks before it lets a customer in."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_json, to_jsonable_python

from dunwell.domain.principals import Principal, Right, Role
from dunwell.domain.refusal import Refused
from dunwell.intake.text_checks import is_identifier
from dunwell.views.account import access_facts, account_facts
from dunwell.web.auth import allowed, principal_in
from dunwell.web.entity_tag import answer_tagged
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

ACCESS_AGE = 30
"""Seconds for which the product may keep an account's access without asking again."""

router = APIRouter(prefix="/api")


@router.get(
    "/accounts/{customer_id}",
    summary="A customer's account: access and credit",
    dependencies=[Depends(allowed(Right.CUSTOMERS_READ))],
)
async def account(request: Request, customer_id: str) -> JSONResponse:
    """What `access` says, and `credits`: what was paid too much on each invoice and is neither applied nor returned.
    404: no such customer.
    """
    database = service_of(request).database

    def read() -> dict[str, Any]:
        with database.reading() as session:
            return account_facts(session, customer_id)

    return JSONResponse(to_jsonable_python(await _read(customer_id, read)))


@router.get(
    "/accounts/{customer_id}/access",
    summary="What a customer's account may do",
    dependencies=[Depends(allowed(Right.ACCESS_READ))],
)
async def account_access(request: Request, customer_id: str) -> Response:
    """`access` is full, restricted or suspended, by the worst of the open holds; `work_on_hold` stops the next
    stage of staged work. `page_url`, while there are holds: the page that explains them to the customer; it opens
    without a login, so lead only the customer's own people there. The answer may be kept for 30 seconds. With its
    `ETag` in `If-None-Match` an unchanged one is answered by 304 without a body. When no answer comes, let the
    customer in. 404: no such customer.
    """
    service = service_of(request)
    database, links = service.database, service.deps.links if _may_know_page(principal_in(request)) else None

    def read() -> dict[str, Any]:
        with database.reading_once() as connection:
            return access_facts(connection, customer_id, links)

    body = to_json(await _read(customer_id, read))
    return answer_tagged(request, body, f"private, max-age={ACCESS_AGE}")


def _may_know_page(principal: Principal) -> bool:
    """Whoever knows the page may act on it: the product, which sends people there, and who may act themselves."""
    return principal.role is Role.PRODUCT or principal.may(Right.CASES_WRITE)


async def _read(customer_id: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `read` returns in a thread of its own. Raises Problem 404 when there is no such customer."""
    if not is_identifier(customer_id):
        raise Problem(404, "There is no such customer.")
    try:
        return await asyncio.to_thread(read)
    except Refused:
        raise Problem(404, "There is no such customer.") from None
