"""How the CSV files of a bank are read: asked once on a page, tried on the file, and kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.client.statements import read_and_preview
from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.statement_layout import SEVERAL, StatementLayout
from dunwell.intake.csv_dialect import SEPARATORS, Dialect, read_dialect
from dunwell.intake.csv_statements import fits
from dunwell.intake.numbers_and_dates import Days, Decimals
from dunwell.intake.statement_layouts import layout_of, table_head
from dunwell.intake.statement_parts import StatementError
from dunwell.intake.statements import is_known, read_statement
from dunwell.store import statement_layouts
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page
from dunwell.web.console.statement_pages import shown_statement
from dunwell.web.console.uploads import Upload, read_upload
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/statements", route_class=ConsoleRoute, include_in_schema=False)

_LABELS: Mapping[str, str] = {
    "booked_on": "Booking day",
    "amount": "Amount, below zero where money went out",
    "money_in": "Or: amount that came in",
    "money_out": "And: amount that went out",
    "text": "What was written",
    "payer_name": "Who is on the other side",
    "payer_iban": "Their account",
    "references": "Structured reference",
    "reference": "The bank's own reference",
    "end_to_end_id": "The payer's own id of the transfer",
    "value_on": "Value day",
    "currency": "Currency, where the account has several",
    "balance": "Balance after it, by which the file is checked",
}
"""What a column may hold, in the order of the form."""
_MORE = 3
"""Columns that may hold a field of which several may."""
_LONGEST_NAME = 60
_WRITTEN = ("decimals", "days", "separator", "encoding")
_CHOICES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "decimals": ("Amounts", {Decimals.COMMA: "1.234,56", Decimals.POINT: "1,234.56"}),
    "days": ("Days", {Days.DAY: "31.12.2027, the day first", Days.MONTH: "12/31/2027, the month first"}),
    "separator": ("Between the cells", {word: word for word in SEPARATORS}),
}
_READ_SHOWN = 10
"""Entries that are shown before the layout is kept."""

MayBook = Annotated[Principal, Depends(allowed(Right.STATEMENTS_WRITE))]


@dataclass(frozen=True)
class Tried:
    """What a file tells by a layout that is not kept yet."""

    entries: tuple[Any, ...]
    more: int
    problems: tuple[str, ...]


@router.post("/layout")
async def layout(request: Request, principal: MayBook) -> Response:
    """Show what the file tells by the layout of the form, or keep the layout and show what the file would bring."""
    upload, service, at = await read_upload(request, "a bank statement"), service_of(request), now(request)
    typed, name = upload.fields, _name(upload.fields)
    try:
        made = _made(typed)
        tried = await asyncio.to_thread(_try, upload, made)
        if "keep" not in typed:
            return ask_layout(request, principal, upload, tried=tried)
        if tried.problems and not tried.entries:
            raise Refused("The file", f"has no entry that can be read in this way: {tried.problems[0]}")
        await asyncio.to_thread(_keep, service, principal, name, made, at, replace="replace" in typed)
        shown, _ = await asyncio.to_thread(
            read_and_preview,
            service.database,
            service.deps.unmatched_days,
            upload.content,
            PurePath(upload.name).name,
            name,
            at,
        )
    except Refused as refused:
        return ask_layout(request, principal, upload, refused=refused)
    done = f"The layout {name} is kept: the next file of this bank is read by it."
    return shown_statement(request, principal, upload, shown, layout=name, done=done)


def ask_layout(
    request: Request,
    principal: Principal,
    upload: Upload,
    *,
    refused: Refused | None = None,
    tried: Tried | None = None,
    fit: Mapping[str, StatementLayout] | None = None,
) -> Response:
    """Ask what the columns of a CSV file of a bank hold. `fit`: the kept layouts by which it may be read."""
    typed = upload.fields
    service = service_of(request)
    own = service.deps.sender.account_for(typed.get("currency", "EUR"))
    try:
        head = table_head(upload.content, _way(typed))
    except Refused:
        head = table_head(upload.content, Dialect())
    return page(
        request,
        "statement_layout.html",
        principal,
        422 if refused else 200,
        upload=upload,
        head=head,
        titles=head.titles if head else (),
        labels=_LABELS,
        boxes={name: _boxes(name) for name in _LABELS},
        choices=_CHOICES,
        account=typed.get("account", own.iban if own else ""),
        refused=refused,
        tried=tried,
        fit=fit or {},
        name=_name(typed),
    )


def fitting(session: Session, content: bytes) -> dict[str, StatementLayout] | None:
    """Return the kept layouts that a CSV file fits; None for a file that is no table, or read without a layout."""
    if is_known(content) or table_head(content, Dialect()) is None:
        return None
    known = {name: statement_layouts.find(session, name) for name in statement_layouts.names(session)}
    return {name: one for name, one in known.items() if fits(content, one)}


def _boxes(name: str) -> list[str]:
    """The fields of the form in which columns are chosen for a field of the layout."""
    return [f"holds.{name}", *(f"holds.{name}.{at}" for at in range(2, _MORE + 1) if name in SEVERAL)]


def _name(typed: Mapping[str, str]) -> str:
    return one_line(clean(typed.get("layout_name", ""))).strip()[:_LONGEST_NAME]


def _way(typed: Mapping[str, str]) -> Dialect:
    """Raises Refused for an encoding that is none."""
    try:
        return read_dialect(" ".join(typed.get(name, "") for name in _WRITTEN))
    except Refused as refused:
        raise Refused("How it is written", refused.reason) from None


def _made(typed: Mapping[str, str]) -> StatementLayout:
    """Raises Refused."""
    held = {name: [title for box in _boxes(name) if (title := typed.get(box))] for name in _LABELS}
    columns = {name: list(dict.fromkeys(titles)) for name, titles in held.items() if titles}
    try:
        return layout_of(typed.get("account", ""), typed.get("currency", ""), columns, _way(typed))
    except Refused as refused:
        raise Refused("The columns" if refused.field == "message" else refused.field, refused.reason) from None


def _try(upload: Upload, made: StatementLayout) -> Tried:
    """Raises Refused for a file that cannot be read by the layout."""
    try:
        file = read_statement(upload.content, made)
    except StatementError as error:
        raise Refused("The file", str(error)) from None
    return Tried(
        tuple(file.entries[:_READ_SHOWN]), max(len(file.entries) - _READ_SHOWN, 0), tuple(map(str, file.problems))
    )


def _keep(
    service: Service, principal: Principal, name: str, made: StatementLayout, at: Any, *, replace: bool
) -> None:
    """Raises Refused for no name, and for one that stands for another layout, which is not to be replaced."""
    if not name:
        raise Refused("Name", "is missing: such as that of the bank")
    with service.database.writing_beside_customers() as session:
        known = statement_layouts.find(session, name) if name in statement_layouts.names(session) else None
        if known is not None and known != made and not replace:
            raise Refused(
                "Name", f"{name} stands for another layout: choose another name, or tick that it is replaced"
            )
        statement_layouts.put(session, name, made, principal, at)
