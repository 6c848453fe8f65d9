"""The page that the link of a message opens: the invoices of that message, and what is open of each."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from dunwell.domain.links import LinkKind
from dunwell.services.links import PATHS, Link
from dunwell.store import cases, invoices, payments
from dunwell.texts.formatting import CALL, Formatter
from dunwell.web.customer.links import opened
from dunwell.web.customer.pages import HEADERS, customer_page
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PATHS[LinkKind.PAGE], include_in_schema=False)
Opened = Annotated[Link, Depends(opened(LinkKind.PAGE))]


@router.api_route("", methods=["GET", "HEAD"])
@router.api_route("/{token:path}", methods=["GET", "HEAD"])
async def show(request: Request, link: Opened) -> Response:
    """Show the invoices of the message. Changes nothing."""
    return HTMLResponse(await asyncio.to_thread(_page, service_of(request), link), headers=HEADERS)


def _page(service: Service, link: Link) -> str:
    deps = service.deps
    with service.database.reading() as session:
        customer = invoices.customer_row(session, link.customer_id)
        language = deps.catalogue.spoken(customer.language)
        labels, formatter = deps.catalogue.labels(language), Formatter(deps.catalogue.locale(language), CALL)
        said = []
        for invoice_id in link.invoice_ids:
            row, case = invoices.get_row(session, invoice_id), cases.get(session, invoice_id)
            if row is None or case is None:
                continue
            case = case.with_paid(payments.paid(session, invoice_id))
            amount = formatter.money(case.open_amount, case.currency, case.money.digits)
            said.append(f"{labels['invoice']} {row.number} · {labels['open']}: {amount}")
    return customer_page(deps, language, labels["page_link"], said)
