"""The page behind "Stop e-mails to this address", and the one click by which a mail program asks the same.

Looking at it changes nothing: scanners open every link of a mail before its reader does.
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
    """A button, and what it does. Nothing is changed by looking."""
    opt_outs = service_of(request).opt_outs
    reader = await asyncio.to_thread(opt_outs.reader, token)
    if reader is None:
        return _unknown(opt_outs)
    return HTMLResponse(opt_outs.page(reader.language, done=reader.stopped), headers=_HEADERS)


@router.post("/{token}")
async def stop(token: str, request: Request) -> Response:
    """The button, or the one click of RFC 8058, which brings no cookie and no page."""
    opt_outs = service_of(request).opt_outs
    reader = await asyncio.to_thread(opt_outs.reader, token)
    if reader is None:
        return _unknown(opt_outs)
    await asyncio.to_thread(opt_outs.stop, reader, datetime.now(UTC))
    return HTMLResponse(opt_outs.page(reader.language, done=True), headers=_HEADERS)


def _unknown(opt_outs: OptOuts) -> Response:
    """For people who copied half a link; what they sent is not repeated."""
    return HTMLResponse(opt_outs.lost(), 404, _HEADERS)
