"""The page behind the unsubscribe link of e-mails, and the one-click unsubscribe of RFC 8058.

GET changes nothing, because scanners open every link of an e-mail before its recipient does.
"""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from dunwell.gateways.opt_out_link import PATH
from dunwell.web.customer.error_pages import away, bad_link
from dunwell.web.customer.opt_outs import OptOuts
from dunwell.web.customer.pages import HEADERS
from dunwell.web.service import service_of

router = APIRouter(prefix=PATH, include_in_schema=False)


@router.get("")
@router.get("/{token:path}")
async def ask(request: Request, token: str = "") -> Response:
    """Show what unsubscribing does, with a button. Changes nothing."""
    return await _answer(request, token, stops=False)


@router.post("")
@router.post("/{token:path}")
async def stop(request: Request, token: str = "") -> Response:
    """Unsubscribe the address. Used by the button and by one-click requests, which send no cookie."""
    return await _answer(request, token, stops=True)


async def _answer(request: Request, token: str, *, stops: bool) -> Response:
    """Answer 404 for a token that is not ours, such as a part of a link, and 503 while the database is away."""
    opt_outs = service_of(request).opt_outs
    try:
        page = await asyncio.to_thread(_page, opt_outs, token, stops=stops)
    except SQLAlchemyError:
        return away(request)
    return bad_link(request, "bad_stop_link") if page is None else HTMLResponse(page, headers=HEADERS)


def _page(opt_outs: OptOuts, token: str, *, stops: bool) -> str | None:
    recipient = opt_outs.recipient(token)
    if recipient is None:
        return None
    if stops:
        opt_outs.stop(recipient, datetime.now(UTC))
    return opt_outs.page(recipient.language, done=stops or recipient.stopped)
