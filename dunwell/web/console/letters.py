"""The letters that wait: as one file to print, and marked as posted."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pypdf import PdfWriter
from pypdf.errors import PyPdfError

from dunwell.client.posting import chosen_letters, note_posted, tell_posted
from dunwell.client.server import ServerAway
from dunwell.domain.principals import Principal, Right
from dunwell.store import outbox
from dunwell.views.facts import Facts
from dunwell.views.letters import letter_facts
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, file_response, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/letters", route_class=ConsoleRoute, include_in_schema=False)

_CHOSEN = "letter."
_DONE = {
    "posted": "Recorded: these letters count as delivered from now on.",
    "untold": "Recorded. Temporal does not answer just now, so the cases read it at their next step.",
}


@router.get("")
async def letters(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.LETTERS_READ))], done: str = ""
) -> Response:
    """Show the letters that wait, and which of them are not to be posted."""
    found = await asyncio.to_thread(_letters, service_of(request))
    return page(request, "letters.html", principal, letters=found, done=_DONE.get(done))


@router.get("/print")
async def print_file(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.LETTERS_READ))]
) -> Response:
    """Answer all letters that are to be posted as one PDF, in the order of the page."""
    found = await asyncio.to_thread(_letters, service_of(request))
    files = [Path(one["file"]) for one in found if one["file"] and not one["hold_back"]]
    if not files:
        raise Problem(404, "No letter waits in the print folder.")
    content = await asyncio.to_thread(_merged, files)
    return file_response(content, f"letters-{now(request):%Y-%m-%d}.pdf", "application/pdf")


@router.post("/posted")
async def posted(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.LETTERS_WRITE))]
) -> Response:
    """Record that the chosen letters were posted. Safe to repeat."""
    service, typed, at = service_of(request), await read_form(request), now(request)
    chosen = [name.removeprefix(_CHOSEN) for name in typed if name.startswith(_CHOSEN)]
    if not chosen:
        raise Problem(422, "No letter was chosen: tick those that you posted.")

    def note() -> dict[str, set[str]]:
        with service.database.reading() as session:
            known = chosen_letters(session, chosen)
        return note_posted(service.database, known, principal, at)

    carried = await asyncio.to_thread(note)
    try:
        await service.connection.ensure()
        await tell_posted(service.cases, carried, at)
    except ServerAway:
        return redirect(f"{PREFIX}/letters", done="untold")
    return redirect(f"{PREFIX}/letters", done="posted")


def _letters(service: Service) -> list[Facts]:
    with service.database.reading() as session:
        return [letter_facts(session, row, service.settings) for row in outbox.letters(session)]


def _merged(files: list[Path]) -> bytes:
    """Return one PDF. Raises Problem for a letter whose file was taken away or is damaged."""
    writer: Any = PdfWriter()
    for file in files:
        try:
            writer.append(file)
        except (OSError, PyPdfError) as error:
            reason = f"{file.name} cannot be read ({type(error).__name__}): print the files of the folder one by one."
            raise Problem(503, reason) from None
    merged = BytesIO()
    writer.write(merged)
    return merged.getvalue()
