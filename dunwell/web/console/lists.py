"""The lists: cases and customers, found by what somebody knows of them, and the cases as CSV."""

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from dunwell.domain.principals import Principal, Right
from dunwell.domain.terms import Stage
from dunwell.intake.typed_amounts import sought_amount
from dunwell.services import saved_filters
from dunwell.store.tables import PolicyRow
from dunwell.views.search import OPEN, Filters, FoundCase, find_cases, find_customers
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.formats import csv_cell
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, Position, file_response, is_partial, page
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PREFIX, route_class=ConsoleRoute, include_in_schema=False)

_PAGE = 50
_MOST_ROWS = 20_000
"""Rows of a CSV file."""
_LONGEST = 100
_REHEARSALS = "only"
"""Says in an address that a list is of rehearsals."""
_HEADS = (
    "invoice_id",
    "number",
    "customer_id",
    "customer",
    "stage",
    "invoiced",
    "open",
    "currency",
    "due_on",
    "policy",
    "next_step",
    "next_at",
)

Words = Annotated[str, Query(max_length=_LONGEST)]


def filters_of(
    q: Words = "",
    stage: Words = "",
    policy: Words = "",
    least: Words = "",
    most: Words = "",
    sort: Words = "due",
    rehearsals: Words = "",
) -> Filters:
    """Return the filters of a request. What makes no sense narrows nothing."""
    known = stage if stage == OPEN or stage in set(Stage) else ""
    amounts = sought_amount(least), sought_amount(most)
    return Filters(q.strip(), known, policy.strip(), *amounts, sort, rehearsals == _REHEARSALS)


Narrowed = Annotated[Filters, Depends(filters_of)]


@router.get("/cases")
async def cases(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))],
    filters: Narrowed,
    first: Position = 0,
) -> Response:
    """Show the cases that the filters leave. htmx gets the table alone."""
    service, rehearsed = service_of(request), replace(filters, rehearsals=True)

    def read() -> dict[str, Any]:
        with service.database.reading() as session:
            found, total = find_cases(session, filters, first, _PAGE)
            apart = 0 if total or filters.rehearsals else find_cases(session, rehearsed, 0, 0)[1]
            names = session.scalars(select(PolicyRow.name).distinct().order_by(PolicyRow.name)).all()
            saved = saved_filters.of_user(session, principal, "cases")
            return {"found": found, "total": total, "policies": names, "saved": saved, "apart": apart}

    facts = await asyncio.to_thread(read)
    template = "cases_part.html" if is_partial(request) else "cases.html"
    known = {"filters": filters, "query": _query(filters), "first": first, "size": _PAGE, "stages": [OPEN, *Stage]}
    return page(request, template, principal, rehearsed=_query(rehearsed), **known, **facts)


@router.get("/cases.csv")
async def cases_as_csv(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))], filters: Narrowed
) -> Response:
    """Answer the same cases as a CSV file."""
    text = await asyncio.to_thread(_csv, service_of(request), filters)
    name = f"{'rehearsals' if filters.rehearsals else 'cases'}-{now(request):%Y-%m-%d}.csv"
    return file_response(text, name, "text/csv; charset=utf-8")


@router.get("/customers")
async def customers(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.CUSTOMERS_READ))],
    q: Words = "",
    first: Position = 0,
    rehearsals: Words = "",
) -> Response:
    """Show the customers that the words find. htmx gets the table alone."""
    service, words, only = service_of(request), q.strip(), rehearsals == _REHEARSALS

    def read() -> dict[str, Any]:
        with service.database.reading() as session:
            found, total = find_customers(session, words, first, _PAGE, rehearsals=only)
            apart = 0 if total or only else find_customers(session, words, 0, 0, rehearsals=True)[1]
            saved = saved_filters.of_user(session, principal, "customers")
            return {"found": found, "total": total, "saved": saved, "apart": apart}

    facts = await asyncio.to_thread(read)
    template = "customers_part.html" if is_partial(request) else "customers.html"
    query = _given({"q": words, "rehearsals": _REHEARSALS if only else ""})
    known = {"words": q, "rehearsals": only, "query": query, "first": first, "size": _PAGE}
    return page(
        request, template, principal, rehearsed=_given({"q": words, "rehearsals": _REHEARSALS}), **known, **facts
    )


def _query(filters: Filters) -> str:
    given = {
        "q": filters.words,
        "stage": filters.stage,
        "policy": filters.policy,
        "least": filters.least,
        "most": filters.most,
        "sort": filters.sort if filters.sort != "due" else "",
        "rehearsals": _REHEARSALS if filters.rehearsals else "",
    }
    return _given(given)


def _given(values: Mapping[str, object]) -> str:
    return urlencode({name: str(value) for name, value in values.items() if value not in {"", None}})


def _csv(service: Service, filters: Filters) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_HEADS)
    with service.database.reading() as session:
        found, _ = find_cases(session, filters, 0, _MOST_ROWS)
    writer.writerows(list(_cells(one)) for one in found)
    return file.getvalue()


def _cells(one: FoundCase) -> Iterator[str | Decimal]:
    yield csv_cell(one.invoice_id)
    yield csv_cell(one.number)
    yield csv_cell(one.customer_id)
    yield csv_cell(one.customer)
    yield one.stage.value
    yield one.amount
    yield one.open
    yield one.currency
    yield one.due_on.isoformat()
    yield csv_cell(one.policy)
    yield csv_cell(one.next_step or "")
    yield one.next_at.isoformat() if one.next_at else ""
