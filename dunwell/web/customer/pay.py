"""The short payment link of an SMS: redirects to the payment URL of the invoice."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from dunwell.gateways.pay_link import PAY_PATH, is_pay_code
from dunwell.store import invoices
from dunwell.store.database import Database
from dunwell.web.service import service_of

router = APIRouter(prefix=PAY_PATH, include_in_schema=False)

_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_UNKNOWN = "This link leads to no invoice. Please take the whole link, or the one in our e-mail.\n"


@router.api_route("/{code}", methods=["GET", "HEAD"])
async def pay(code: str, request: Request) -> Response:
    """Redirect to the invoice's payment URL. Answers 404 for an unknown code, without repeating it."""
    page = await asyncio.to_thread(_page, service_of(request).database, code) if is_pay_code(code) else None
    if page is None:
        return PlainTextResponse(_UNKNOWN, 404, _HEADERS)
    return RedirectResponse(page, 302, _HEADERS)


def _page(database: Database, code: str) -> str | None:
    with database.reading() as session:
        return invoices.payment_page(session, code)
