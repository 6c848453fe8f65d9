"""New invoices from a file: how it was read, what its columns hold, what would happen, and the start of the cases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.previews import notes_on, previewed
from dunwell.client.registration import Registered, nobody_to_ask, without_people
from dunwell.client.starting import Start
from dunwell.domain.invoice import Invoice
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import COLUMNS, CUSTOMER_COLUMNS, NEEDED, UNUSED, ColumnMap, read_column_map
from dunwell.intake.csv_dialect import Dialect, read_dialect
from dunwell.intake.csv_rows import read_titles
from dunwell.intake.encoding import decode_table
from dunwell.intake.invoice_fields import INVOICE
from dunwell.intake.invoices import InvoiceFile, read_content
from dunwell.intake.refusals import Refusal
from dunwell.services.opening import foreseen
from dunwell.store import cases
from dunwell.views.facts import Facts
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page
from dunwell.web.console.uploads import read_upload
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/invoices", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 5
"""Invoices whose steps the preview shows."""
_HOLDS, _LEFT_OUT, _FIXED = "holds.", "unused.", "fixed."
"""Fields of the form: `holds.number` is the title of the column with the number, `unused.3` a column to leave out,
`fixed.currency` the currency of every record."""


def _of_contact(name: str) -> bool:
    return name not in INVOICE and name not in CUSTOMER_COLUMNS.values()


_FIELDS = tuple(sorted(COLUMNS, key=lambda name: (_of_contact(name), not COLUMNS[name].needed)))
"""What the columns of a file may hold: what is needed first, the parts of contacts last."""


@dataclass(frozen=True)
class InvoiceUpload:
    """A file of invoices, with what somebody said of it."""

    name: str
    content: bytes
    carried: str
    dialect: str
    columns: tuple[str, ...]
    fixed_values: tuple[str, ...]

    @property
    def fixed(self) -> dict[str, str]:
        """The value that somebody gives a field in every record."""
        return {field: value for field, _, value in (one.partition("=") for one in self.fixed_values)}

    @property
    def chosen(self) -> dict[str, str]:
        """The title of the column that somebody chose for each field."""
        return {field: title for field, title in self._said if field != UNUSED}

    @property
    def left_out(self) -> frozenset[str]:
        """The titles of the columns that somebody leaves out."""
        return frozenset(title for field, title in self._said if field == UNUSED)

    @property
    def _said(self) -> list[tuple[str, str]]:
        return [(field, title) for title, _, field in (one.rpartition("=") for one in self.columns)]


@router.get("")
async def choose(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.INVOICES_WRITE))]
) -> Response:
    """Ask for a file."""
    return _upload_page(request, principal, None)


@router.post("/preview")
async def preview(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.INVOICES_WRITE))]
) -> Response:
    """Show how the file was read and what would happen. Nothing is started."""
    upload = await _chosen(request)
    service, at = service_of(request), now(request)
    try:
        file = await asyncio.to_thread(_read, upload)
    except Refused as refused:
        return _upload_page(request, principal, f"{refused.field}: {refused.reason}")
    file = await asyncio.to_thread(_with_people, service, file)
    shown = await asyncio.to_thread(_previews, service, file.invoices[:_SHOWN], at)
    facts = {"upload": upload, "file": file, "shown": shown, "titles": _titles(upload), "fields": _FIELDS}
    return page(request, "invoices_preview.html", principal, 422 if file.refusals else 200, **facts)


def _upload_page(request: Request, principal: Principal, refusal: str | None) -> Response:
    return page(request, "invoices.html", principal, 422 if refusal else 200, refusal=refusal, needed=NEEDED)


@router.post("/start")
async def start(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.INVOICES_WRITE))]
) -> Response:
    """Start a case for each invoice of the file. Safe to repeat: nothing is started or sent twice."""
    upload = await _chosen(request)
    service = service_of(request)
    file = await asyncio.to_thread(_read, upload)
    await service.connection.ensure()
    results: list[Result] = []
    changes: list[str] = []

    def register(some: Sequence[Invoice]) -> list[Registered | Refused]:
        found = service.registrar.register_all(some, now(request), principal=principal)
        changes.extend(str(one) for known in found if isinstance(known, Registered) for one in known.changes)
        return found

    away = await start_all(service.cases, file.invoices, register, results.append)
    counts = {kind.value: number for kind in Start if (number := sum(one is kind for one in results))}
    refused = [one for one in results if isinstance(one, RefusedInvoice)]
    facts = {"counts": counts, "refused": refused, "refusals": file.refusals, "changes": changes, "away": away}
    return page(request, "invoices_started.html", principal, 503 if away else 200, **facts)


async def _chosen(request: Request) -> InvoiceUpload:
    """Return the file of the form, or the one that the preview's own form carries, with what its columns hold."""
    upload = await read_upload(request, "a CSV or JSON file of invoices")
    typed = upload.fields
    said = [(name, title) for name, title in typed.items() if title]
    holds = [f"{title}={name.removeprefix(_HOLDS)}" for name, title in said if name.startswith(_HOLDS)]
    unused = [f"{title}={UNUSED}" for name, title in said if name.startswith(_LEFT_OUT)]
    fixed = tuple(f"{name.removeprefix(_FIXED)}={value}" for name, value in said if name.startswith(_FIXED))
    columns = (*holds, *unused)
    return InvoiceUpload(upload.name, upload.content, upload.carried, typed.get("dialect", ""), columns, fixed)


def _read(upload: InvoiceUpload) -> InvoiceFile:
    """Raises Refused for a dialect or a column map that is none. A record cannot name a file of this machine."""
    asked, mapped = _said(upload)
    return read_content(upload.content, PurePath(upload.name).name, asked, mapped, documents=False)


def _with_people(service: Service, file: InvoiceFile) -> InvoiceFile:
    """Return the file with a refusal in place of each new invoice about which nobody can be asked."""
    with service.database.reading() as session:
        unasked = without_people(session, file.invoices)
    why = nobody_to_ask()
    refusals = tuple(Refusal(f"invoice {one}", why.field, why.reason) for one in sorted(unasked))
    good = tuple(one for one in file.invoices if one.invoice_id not in unasked)
    return replace(file, invoices=good, refusals=(*file.refusals, *refusals))


def _said(upload: InvoiceUpload) -> tuple[Dialect, ColumnMap]:
    return read_dialect(upload.dialect), read_column_map(upload.columns, fixed_values=upload.fixed_values)


def _titles(upload: InvoiceUpload) -> list[str]:
    """Return the titles of the columns of a CSV file; none of another file."""
    if PurePath(upload.name).suffix.lower() not in {".csv", ".txt", ""}:
        return []
    asked, mapped = _said(upload)
    return list(dict.fromkeys(filter(None, read_titles(decode_table(upload.content, asked.encoding), asked, mapped))))


def _previews(service: Service, invoices: Sequence[Invoice], at: datetime) -> list[Facts]:
    shown = []
    for invoice in invoices:
        try:
            policy = service.registrar.ladder(invoice)
        except Refused as refused:
            shown.append({"invoice": invoice, "refused": str(refused), "lines": (), "notes": (), "policy": None})
            continue
        lines = previewed(service.deps, invoice, policy, foreseen(invoice, policy, at), at)
        with service.database.reading() as session:
            known = cases.get(session, invoice.invoice_id)
        notes = list(notes_on(service.deps, service.registrar, invoice, policy, at, known))
        shown.append({"invoice": invoice, "refused": None, "lines": lines, "notes": notes, "policy": policy})
    return shown
