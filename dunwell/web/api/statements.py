"""Bank statements over HTTP: the same as `starter.py statement`."""

import asyncio
from datetime import UTC, datetime
from pathlib import PurePath

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from dunwell.client.statements import StatementBooking, read_and_preview
from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.views.statements import preview_facts
from dunwell.web.auth import allowed, principal_in
from dunwell.web.request_body import Problem, read_body
from dunwell.web.service import service_of

router = APIRouter(prefix="/api/statements")


@router.post(
    "",
    summary="Read a bank statement, and book it",
    dependencies=[Depends(allowed(Right.STATEMENTS_WRITE))],
)
async def post(
    request: Request, name: str = "statement", layout: str = "", book: bool = False, accept_partial: bool = False
) -> JSONResponse:
    """The body is the file itself: camt.052, .053, .054, MT940, MT942 or OFX; CSV with the name of its `layout`.

    Without `book` nothing is booked, and the answer says what would follow from each entry; with it, what came of
    each. Safe to repeat: every entry counts once, whichever files tell it. A file with `problems` is booked only with
    `accept_partial`.
    """
    service, content = service_of(request), await read_body(request)
    days, now = service.deps.unmatched_days, datetime.now(UTC)
    try:
        preview, file = await asyncio.to_thread(
            read_and_preview, service.database, days, content, PurePath(name).name, layout or None, now
        )
        if book:
            await service.connection.ensure()
            booking = StatementBooking(service.database, service.cases, days)
            preview = await booking.book(preview, file, principal_in(request), accept_partial=accept_partial)
    except Refused as refused:
        raise Problem(422, refused.reason, refused.field) from None
    return JSONResponse(to_jsonable_python(preview_facts(preview) | {"booked": book}))
