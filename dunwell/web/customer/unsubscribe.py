"""The page behind the unsubscribe link of e-mails, and the one-click unsubscribe of RFC 8058.

GET changes nothing, because scanners open every link of an e-mail before its recipient does.
"""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from dunwell.gateways.opt_out_link import PATH
from dunwell.web.customer.opt_outs import OptOuts
from dunwell.web.service import service_of

router = APIRouter(prefix=PATH, include_in_schema=False)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


@router.get("/{token}")
async def ask(token: str, request: Request) -> Response:
    """Show what unsubscribing does, with a button. Changes nothing."""
    opt_outs = service_of(request).opt_outs
    recipient = await asyncio.to_thread(opt_outs.recipient, token)
    if recipient is None:
        return _unknown(opt_outs)
    return HTMLResponse(opt_outs.page(recipient.language, done=recipient.stopped), headers=_HEADERS)


@router.post("/{token}")
async def stop(token: str, request: Request) -> Response:
    """Unsubscribe the address. Used by the button and by one-click requests, which send no cookie."""
    opt_outs = service_of(request).opt_outs
    recipient = await asyncio.to_thread(opt_outs.recipient, token)
    if recipient is None:
        return _unknown(opt_outs)
    await asyncio.to_thread(opt_outs.stop, recipient, datetime.now(UTC))
    return HTMLResponse(opt_outs.page(recipient.language, done=True), headers=_HEADERS)


def _unknown(opt_outs: OptOuts) -> Response:
    """Answer 404 for a token that is not ours, such as a part of a link. The answer does not repeat the token."""
    return HTMLResponse(opt_outs.unknown_page(), 404, _HEADERS)
