"""Bank statements from a file: what each entry would bring, and the booking."""

import asyncio
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client.statements import StatementBooking, read_and_preview
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.statement_layouts import table_head
from dunwell.intake.statement_parts import StatementFile
from dunwell.services.statements import StatementPreview
from dunwell.store import bank_entries, statement_layouts
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page
from dunwell.web.console.statement_layouts import ask_layout, fitting
from dunwell.web.console.statement_pages import shown_statement
from dunwell.web.console.uploads import Upload, read_upload
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/statements", route_class=ConsoleRoute, include_in_schema=False)

_LATEST = 20

MayBook = Annotated[Principal, Depends(allowed(Right.STATEMENTS_WRITE))]


@router.get("")
async def choose(request: Request, principal: MayBook) -> Response:
    """Ask for a file, and show those that were booked last."""
    return await _ask(request, principal)


@router.post("/preview")
async def preview(request: Request, principal: MayBook) -> Response:
    """Show what the file would bring. Nothing is booked."""
    upload, service = await _chosen(request), service_of(request)
    layout = upload.fields.get("layout", "")
    fit = None if layout else await asyncio.to_thread(_fitting, service, upload)
    if fit is not None:  # not even one that fits is taken by itself: another account's files may look the same
        return ask_layout(request, principal, upload, fit=fit)
    try:
        shown, _ = await asyncio.to_thread(_preview, service, upload, layout, now(request))
    except Refused as refused:
        if layout and table_head(upload.content, Dialect()) is not None:
            return ask_layout(request, principal, upload, refused=refused)
        return await _ask(request, principal, refused)
    return shown_statement(request, principal, upload, shown, layout=layout)


@router.post("/book")
async def book(request: Request, principal: MayBook) -> Response:
    """Book what is new in the file that the preview carries. Safe to repeat: every entry counts once."""
    upload, service = await _chosen(request), service_of(request)
    accept = upload.fields.get("accept_partial") == "yes"
    layout = upload.fields.get("layout", "")
    shown, file = await asyncio.to_thread(_preview, service, upload, layout, now(request))
    if shown.problems and not accept:
        return shown_statement(request, principal, upload, shown, layout=layout, unaccepted=True)
    await service.connection.ensure()
    booking = StatementBooking(service.database, service.cases, service.deps.unmatched_days)
    shown = await booking.book(shown, file, principal, accept_partial=accept)
    return shown_statement(request, principal, upload, shown, layout=layout, booked=True)


async def _chosen(request: Request) -> Upload:
    return await read_upload(request, "a bank statement")


def _fitting(service: Service, upload: Upload) -> dict[str, StatementLayout] | None:
    with service.database.reading() as session:
        return fitting(session, upload.content)


def _preview(service: Service, upload: Upload, layout: str, at: datetime) -> tuple[StatementPreview, StatementFile]:
    """Raises Refused for a file that is no statement, and for an unknown layout."""
    name = PurePath(upload.name).name
    return read_and_preview(service.database, service.deps.unmatched_days, upload.content, name, layout or None, at)


async def _ask(request: Request, principal: Principal, refused: Refused | None = None) -> Response:
    def known() -> dict[str, Any]:
        with service_of(request).database.reading() as session:
            return {"layouts": statement_layouts.names(session), "latest": bank_entries.latest(session, _LATEST)}

    facts = await asyncio.to_thread(known)
    refusal = refused.reason if refused else None
    return page(request, "statements.html", principal, 422 if refused else 200, **facts, refusal=refusal)
