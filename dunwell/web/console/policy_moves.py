"""The page that moves a case to another version of its policy: first what that changes, then the move."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.client.policy_moves import PolicyMoves, as_seen
from dunwell.domain.policy import PolicyRef
from dunwell.domain.policy_move import Move
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.store import cases, invoices, policies
from dunwell.views.lookup import find_invoice
from dunwell.web.auth import allowed
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/cases", route_class=ConsoleRoute, include_in_schema=False)

Version = Annotated[int, Query(ge=1, lt=1_000_000)]


def other_versions(service: Service, session: Session, current: PolicyRef) -> Sequence[int]:
    """Return the versions of its policy that a case can be moved to, the newest first."""
    known = set(policies.versions(session, current.name))
    if current.name in service.ladders:
        known.add(service.ladders[current.name].version)
    return sorted(known - {current.version}, reverse=True)


@router.get("/{invoice_id}/move")
async def preview_move(
    request: Request,
    invoice_id: str,
    to: Version,
    principal: Annotated[Principal, Depends(allowed(Right.POLICIES_READ))],
) -> Response:
    """Show what the move to version `to` would change. Changes nothing."""
    return await _shown(request, principal, invoice_id, to)


@router.post("/{invoice_id}/move")
async def move(
    request: Request, invoice_id: str, principal: Annotated[Principal, Depends(allowed(Right.POLICIES_WRITE))]
) -> Response:
    """Move the case, if it still stands as the preview saw it. The same form again is answered alike."""
    service, typed = service_of(request), await read_form(request)
    text = typed.get("to", "")
    to = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    here = await asyncio.to_thread(_policy_of, service, invoice_id)
    done = redirect(f"{PREFIX}/cases/{invoice_id}", done="moved")
    if here.version == to:
        return done
    moves = await asyncio.to_thread(_moves, service, here, to)
    (found,) = await asyncio.to_thread(moves.preview, principal.label, invoice_id)
    (seen,), _ = as_seen([found], {invoice_id: typed.get("fingerprint", "")})
    refused = seen.refused
    if refused is None:
        await service.connection.ensure()
        (result,) = await moves.confirm(service.cases, [seen], principal)
        refused = result.refused
    return done if refused is None else await _shown(request, principal, invoice_id, to, refused)


async def _shown(
    request: Request, principal: Principal, invoice_id: str, to: int, problem: str | None = None
) -> Response:
    service = service_of(request)

    def read() -> dict[str, Any]:
        here = _policy_of(service, invoice_id)
        (found,) = _moves(service, here, to).preview(principal.label, invoice_id)
        with service.database.reading() as session:
            invoice = find_invoice(session, invoice_id)
            zone = invoices.customer_row(session, invoice.customer_id).time_zone
        return {"move": found, "invoice": invoice, "here": here, "zone": zone, "to": to, "problem": problem}

    facts = await asyncio.to_thread(read)
    found: Move = facts["move"]
    return page(request, "policy_move.html", principal, 422 if problem or found.refused else 200, **facts)


def _policy_of(service: Service, invoice_id: str) -> PolicyRef:
    with service.database.reading() as session:
        find_invoice(session, invoice_id)
        case = cases.get(session, invoice_id)
    if case is None:
        raise Refused("invoice", "is registered, but its case was never opened: start its file again")
    return case.policy


def _moves(service: Service, here: PolicyRef, to: int) -> PolicyMoves:
    return PolicyMoves(service.deps, service.ladders, here, PolicyRef(name=here.name, version=to))
