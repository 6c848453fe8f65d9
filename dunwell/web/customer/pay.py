"""The short link of an SMS: on to the page on which the invoice is paid."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from dunwell.gateways.pay_link import PAY_PATH, is_pay_code
from dunwell.store import invoices
from dunwell.store.database import Database
from dunwell.web.service import service_of

router = APIRouter(prefix=PAY_PATH, include_in_schema=False)

_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_LOST = "This link leads to no invoice. Please take the whole link, or the one in our e-mail.\n"


@router.api_route("/{code}", methods=["GET", "HEAD"])
async def pay(code: str, request: Request) -> Response:
    """Where to, is as the billing system said when it handed the invoice over. What was sent is not repeated."""
    page = await asyncio.to_thread(_page, service_of(request).database, code) if is_pay_code(code) else None
    if page is None:
        return PlainTextResponse(_LOST, 404, _HEADERS)
    return RedirectResponse(page, 302, _HEADERS)


def _page(database: Database, code: str) -> str | None:
    with database.reading() as session:
        return invoices.payment_page(session, code)
