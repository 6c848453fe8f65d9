"""New invoices from a file: how it was read, what its columns hold, what would happen, and the start of the cases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.previews import notes_on, previewed
from dunwell.client.registration import Registered, known_cases
from dunwell.client.starting import Start
from dunwell.domain.invoice import Invoice
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import NEEDED
from dunwell.intake.invoices import InvoiceFile
from dunwell.intake.refusals import Refusal
from dunwell.intake.source_lines import line_order, reasons_by_place, refused_lines
from dunwell.services.opening import foreseen
from dunwell.views.facts import Facts
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.invoice_upload import GROUPS, InvoiceUpload, as_remembered, chosen_invoices, remember
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, file_response, page
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/invoices", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 5
"""Invoices whose steps the preview shows."""

MayStart = Annotated[Principal, Depends(allowed(Right.INVOICES_WRITE))]


@dataclass(frozen=True)
class _Looked:
    """A file beside what is known already: `new` invoices can be started, and some of the others have a case."""

    file: InvoiceFile
    new: tuple[Invoice, ...]
    running: int
    ended: int


@router.get("")
async def choose(request: Request, principal: MayStart) -> Response:
    """Ask for a file."""
    return _upload_page(request, principal, None)


@router.post("/preview")
async def preview(request: Request, principal: MayStart) -> Response:
    """Show how the file was read and what would happen. Nothing is started."""
    chosen = await chosen_invoices(request)
    service, at = service_of(request), now(request)
    try:
        upload, looked = await asyncio.to_thread(_look, service, chosen)
    except Refused as refused:
        return _upload_page(request, principal, f"{refused.field}: {refused.reason}")
    shown = await asyncio.to_thread(_previews, service, looked.new[:_SHOWN], at)
    facts = {"upload": upload, "file": looked.file, "looked": looked, "shown": shown}
    status = 422 if looked.file.refusals else 200
    return page(request, "invoices_preview.html", principal, status, titles=upload.titles(), groups=GROUPS, **facts)


@router.post("/refused")
async def refused_file(request: Request, principal: MayStart) -> Response:
    """Answer the refused lines of the file as a file, with the reasons."""
    chosen = await chosen_invoices(request)
    _, looked = await asyncio.to_thread(_look, service_of(request), chosen)
    source, reasons = looked.file.source, reasons_by_place(looked.file.refusals)
    if source is None or not reasons:
        raise Problem(422, "The file has no refused line that could be told from the others.")
    text = f"\ufeff{refused_lines(source, reasons)}"
    return file_response(text, f"refused-{now(request):%Y-%m-%d}.csv", "text/csv; charset=utf-8")


def _upload_page(request: Request, principal: Principal, refusal: str | None) -> Response:
    return page(request, "invoices.html", principal, 422 if refusal else 200, refusal=refusal, needed=NEEDED)


@router.post("/start")
async def start(request: Request, principal: MayStart) -> Response:
    """Start a case for each invoice of the file. Safe to repeat: nothing is started or sent twice."""
    upload = await chosen_invoices(request)
    service = service_of(request)
    file = await asyncio.to_thread(upload.read)
    await service.connection.ensure()
    results: list[Result] = []
    changes: list[str] = []

    def register(some: Sequence[Invoice]) -> list[Registered | Refused]:
        found = service.registrar.register_all(some, now(request), principal=principal)
        changes.extend(str(one) for known in found if isinstance(known, Registered) for one in known.changes)
        return found

    away = await start_all(service.cases, file.invoices, register, results.append)
    if any(isinstance(one, Start) for one in results):
        await asyncio.to_thread(_remember, service, upload, principal, now(request))
    counts = {kind.value: number for kind in Start if (number := sum(one is kind for one in results))}
    refused = [one for one in results if isinstance(one, RefusedInvoice)]
    facts = {"counts": counts, "refused": refused, "changes": changes, "away": away}
    return page(request, "invoices_started.html", principal, 503 if away else 200, upload=upload, file=file, **facts)


def _look(service: Service, upload: InvoiceUpload) -> tuple[InvoiceUpload, _Looked]:
    """Read a file as it is said, or was of one before, and look what is known. Raises Refused as `read` does."""
    with service.database.reading() as session:
        upload = as_remembered(session, upload)
        file = upload.read()
        refused = service.registrar.refused_beforehand(session, file.invoices)
        good = tuple(one for one in file.invoices if one.invoice_id not in refused)
        known = known_cases(session, good)
    refusals = tuple(
        Refusal(
            file.places[one.invoice_id],
            why.field,
            why.reason,
            about=f"invoice {one.number} of {one.customer.name}",
        )
        for one in file.invoices
        if (why := refused.get(one.invoice_id))
    )
    new = tuple(one for one in good if one.invoice_id not in known)
    ended = sum(case.finished for case in known.values())
    in_order = sorted((*file.refusals, *refusals), key=lambda one: line_order(one.where))
    file = replace(file, invoices=good, refusals=tuple(in_order))
    return upload, _Looked(file, new, len(known) - ended, ended)


def _remember(service: Service, upload: InvoiceUpload, principal: Principal, at: datetime) -> None:
    with service.database.writing_beside_customers() as session:
        remember(session, upload, principal, at)


def _previews(service: Service, invoices: Sequence[Invoice], at: datetime) -> list[Facts]:
    shown = []
    for invoice in invoices:
        policy = service.registrar.ladder(invoice)
        lines = previewed(service.deps, invoice, policy, foreseen(invoice, policy, at), at)
        notes = list(notes_on(service.deps, service.registrar, invoice, policy, at, None))
        shown.append({"invoice": invoice, "lines": lines, "notes": notes, "policy": policy})
    return shown
