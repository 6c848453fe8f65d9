"""Customers and contacts over HTTP: the same as `starter.py customer`, `contact`, `pause --customer`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from dunwell.client.customers import Changed, Customers, tell
from dunwell.client.server import ServerAway
from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.views.customer import customer_facts
from dunwell.views.links import customer_links
from dunwell.web.api.reading import answer_read
from dunwell.web.api.routes import body_of
from dunwell.web.auth import allowed, principal_in
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api")


@router.get(
    "/customers/{customer_id}", summary="A customer whole", dependencies=[Depends(allowed(Right.CUSTOMERS_READ))]
)
async def one_customer(request: Request, customer_id: str) -> JSONResponse:
    """Invoices, contacts with their state, credit, holds, tasks, messages. 404: no such customer."""
    return await answer_read(request, lambda session: customer_facts(session, customer_id))


@router.post(
    "/customers/{customer_id}/set",
    summary="Correct a customer",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def set_customer(request: Request, customer_id: str) -> JSONResponse:
    """`name`, `country`, `language`, `time_zone`, `kind`, `interest`, `lump_sum`, each if it changes, and `by`. It
    stands until the billing system's own value changes.
    """
    facts, by = await _facts(request)
    return await _changed(request, lambda customers: customers.set_customer(customer_id, facts, by))


@router.post(
    "/customers/{customer_id}/contacts",
    summary="Add a contact",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def add_contact(request: Request, customer_id: str) -> JSONResponse:
    """`role`, `name`, one of `email`, `phone`, `post`, `whatsapp_opt_in` if they agreed to it, and `by`."""
    facts, by = await _facts(request)
    role = facts.pop("role", None)
    return await _changed(request, lambda customers: customers.add_contact(customer_id, role, facts, by))


@router.post(
    "/customers/{customer_id}/pause",
    summary="Pause a whole customer",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def pause(request: Request, customer_id: str) -> JSONResponse:
    """`reason`, `by` and, if there is an end, `until`. All open invoices, and those still to come."""
    facts, by = await _facts(request, "reason", "until")
    return await _changed(
        request, lambda customers: customers.pause(customer_id, facts.get("reason", ""), by, facts.get("until"))
    )


@router.post(
    "/customers/{customer_id}/resume",
    summary="End the pause of a customer",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def resume(request: Request, customer_id: str) -> JSONResponse:
    """`by`. An invoice that was paused by itself stays paused."""
    _, by = await _facts(request, "")
    return await _changed(request, lambda customers: customers.resume(customer_id, by))


@router.get(
    "/customers/{customer_id}/links",
    summary="Links by which a customer acts without a login",
    dependencies=[Depends(allowed(Right.CUSTOMERS_READ))],
)
async def links_of_customer(request: Request, customer_id: str) -> JSONResponse:
    """The latest first, without their addresses. 404: no such customer."""
    return await answer_read(request, lambda session: customer_links(session, customer_id))


@router.post(
    "/customers/{customer_id}/links/revoke",
    summary="Revoke the links of a customer",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def revoke_links(request: Request, customer_id: str) -> JSONResponse:
    """`reason`, a short code, and `by`. Later messages have links of their own."""
    facts, by = await _facts(request, "reason")
    return await _changed(request, lambda customers: customers.revoke_links(customer_id, facts.get("reason", ""), by))


@router.post(
    "/contacts/{contact_id}/links/revoke",
    summary="Revoke the links of a contact",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def revoke_links_of_contact(request: Request, contact_id: str) -> JSONResponse:
    """`reason`, a short code, and `by`."""
    facts, by = await _facts(request, "reason")
    return await _changed(
        request, lambda customers: customers.revoke_links_of(contact_id, facts.get("reason", ""), by)
    )


@router.post(
    "/links/{link_id}/revoke", summary="Revoke a link", dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))]
)
async def revoke_link(request: Request, link_id: str) -> JSONResponse:
    """`reason`, a short code, and `by`."""
    facts, by = await _facts(request, "reason")
    return await _changed(request, lambda customers: customers.revoke_link(link_id, facts.get("reason", ""), by))


@router.post(
    "/links/{link_id}/show",
    summary="The address of a link again",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def show_link(request: Request, link_id: str) -> JSONResponse:
    """Its `address`. That it was shown is audited. 404: no such link."""
    customers = service_of(request).customers.acting(principal_in(request))
    try:
        address = await asyncio.to_thread(customers.link_shown, link_id)
    except Refused as refused:
        raise Problem.of(refused) from None
    return JSONResponse({"address": address}, headers={"Cache-Control": "no-store"})


@router.post(
    "/contacts/{contact_id}/set", summary="Correct a contact", dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))]
)
async def set_contact(request: Request, contact_id: str) -> JSONResponse:
    """`name`, `email`, `phone`, `post`, `whatsapp_opt_in`, each if it changes ("" takes it away), and `by`."""
    facts, by = await _facts(request)
    return await _changed(request, lambda customers: customers.set_contact(contact_id, facts, by))


@router.post(
    "/contacts/{contact_id}/close",
    summary="Write to a contact no more",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def close_contact(request: Request, contact_id: str) -> JSONResponse:
    """`reason`, a short code, and `by`. With `calls` true and no reason: they want no more calls, and are still
    written to.
    """
    facts, by = await _facts(request, "reason", "calls")
    if _only_calls(facts):
        if facts.get("reason") is not None:
            raise Problem(422, "does not go with calls: the reason is that they want no more calls", "reason")
        return await _changed(request, lambda customers: customers.stop_calls(contact_id, by))
    return await _changed(request, lambda customers: customers.close_contact(contact_id, facts.get("reason", ""), by))


@router.post(
    "/contacts/{contact_id}/open",
    summary="Write to a contact again",
    dependencies=[Depends(allowed(Right.CUSTOMERS_WRITE))],
)
async def open_contact(request: Request, contact_id: str) -> JSONResponse:
    """`by`. Also after a bounce or a wrong number; an address closed by STOP stays closed. With `calls` true: they
    wanted no more calls, and have asked for them now.
    """
    facts, by = await _facts(request, "calls")
    if _only_calls(facts):
        return await _changed(request, lambda customers: customers.allow_calls(contact_id, by))
    return await _changed(request, lambda customers: customers.open_contact(contact_id, by))


def _only_calls(facts: Mapping[str, Any]) -> bool:
    calls = facts.get("calls", False)
    if not isinstance(calls, bool):
        raise Problem(422, "must be true or false", "calls")
    return calls


async def _facts(request: Request, *only: str) -> tuple[dict[str, Any], Any]:
    """Return the fields of the body without `by`, and `by`. With `only`, other fields raise Problem 422."""
    facts = await body_of(request)
    by = facts.pop("by", None)
    for name in facts if only else ():
        if name not in only:
            raise Problem(422, "is no field here", name[:60])
    return facts, by


async def _changed(request: Request, act: Callable[[Customers], Changed]) -> JSONResponse:
    """Make the change and answer 200. `untold`: how many cases read it only at their next step, without a server."""
    service = service_of(request)
    try:
        changed = await asyncio.to_thread(act, service.customers.acting(principal_in(request)))
    except Refused as refused:
        raise Problem.of(refused) from None
    try:
        await service.connection.ensure()
        untold = await tell(service.cases, changed, principal_in(request))
    except ServerAway:
        untold = len(changed.invoices)
    return JSONResponse({"done": list(changed.said), "invoices": list(changed.invoices), "untold": untold})
