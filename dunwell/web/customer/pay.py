"""The short payment link of an SMS: redirects to the payment URL of the invoice."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from dunwell.gateways.pay_link import PAY_PATH, is_pay_code
from dunwell.store import invoices
from dunwell.store.database import Database
from dunwell.web.customer.error_pages import away, bad_link
from dunwell.web.customer.pages import HEADERS
from dunwell.web.service import service_of

router = APIRouter(prefix=PAY_PATH, include_in_schema=False)


@router.api_route("", methods=["GET", "HEAD"])
@router.api_route("/{code:path}", methods=["GET", "HEAD"])
async def pay(request: Request, code: str = "") -> Response:
    """Redirect to the invoice's payment URL. Answers 404 for an unknown code, without repeating it."""
    try:
        url = await asyncio.to_thread(_page, service_of(request).database, code) if is_pay_code(code) else None
    except SQLAlchemyError:
        return away(request)
    return bad_link(request, "bad_pay_link") if url is None else RedirectResponse(url, 302, HEADERS)


def _page(database: Database, code: str) -> str | None:
    with database.reading() as session:
        return invoices.payment_page(session, code)
