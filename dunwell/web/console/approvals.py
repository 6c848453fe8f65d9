"""The page of requests for approval: an agent asks, a manager decides."""

import asyncio
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client import approvals as client
from dunwell.domain.principals import ON_REQUEST, ApprovalDecision, NotAllowed, Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.typed_codes import code_typed
from dunwell.services.submissions import AlreadyDone
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.formats import full_stop
from dunwell.web.console.forms import submission_of
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.repetition import answered_once
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

HERE = f"{PREFIX}/approvals"
_DONE = {
    "asked": "A manager sees it on this page.",
    "approved": "It is approved and done.",
    "declined": "It is declined: nothing is done.",
    "withdrawn": "The request is withdrawn: nothing is done.",
}

router = APIRouter(prefix=HERE, route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def show(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.APPROVALS_READ))],
    invoice: str = "",
    event: str = "",
    done: str = "",
) -> Response:
    """Show what waits, and what became of the last requests. `invoice` and `event` fill in the form that asks."""
    return await _shown(request, principal, typed={"invoice_id": invoice, "event": event}, done=_DONE.get(done))


@router.post("")
async def ask(request: Request, principal: Annotated[Principal, Depends(allowed(Right.CASES_WRITE))]) -> Response:
    """Ask for what the form says."""
    typed, known = await read_form(request), service_of(request).approvals
    content = {"reason": code_typed(typed.get("reason", ""))}
    try:
        await asyncio.to_thread(
            known.request,
            typed.get("invoice_id", ""),
            typed.get("event", ""),
            content,
            principal,
            now(request),
            submission_of(request, principal, typed),
        )
    except AlreadyDone:
        return redirect(HERE, done="asked")
    except Refused as refused:
        return await _shown(request, principal, typed=typed, error=refused, status=422)
    return redirect(HERE, done="asked")


@router.post("/{approval_id}/{decision}")
async def decide(
    request: Request,
    approval_id: str,
    decision: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_WRITE))],
) -> Response:
    """Approve a request, which has it done, or decline it; whoever asked withdraws it so."""
    service = service_of(request)
    try:
        if decision == "approve":
            await service.connection.ensure()
            await answered_once(lambda: client.approve(service.cases, service.approvals, approval_id, principal))
            return redirect(HERE, done="approved")
        if decision != "decline":
            raise Problem(404, "There is no such form.")
        row = await asyncio.to_thread(
            service.approvals.decide, approval_id, ApprovalDecision.DECLINED, principal, now(request)
        )
    except NotAllowed as refused:
        return await _shown(request, principal, problem=str(refused), status=403)
    except Refused as refused:
        return await _shown(request, principal, problem=full_stop(refused.reason), status=422)
    return redirect(HERE, done=(row.decision or ApprovalDecision.DECLINED).value)


async def _shown(
    request: Request,
    principal: Principal,
    typed: dict[str, str] | None = None,
    error: Refused | None = None,
    problem: str | None = None,
    status: int = 200,
    done: str | None = None,
) -> Response:
    known = service_of(request).approvals
    found = await asyncio.to_thread(known.waiting_for, principal)
    decided = await asyncio.to_thread(known.last_decided)
    return page(
        request,
        "approvals.html",
        principal,
        status,
        found=found,
        decided=decided,
        on_request=ON_REQUEST,
        form_id=uuid4().hex,
        typed=typed or {},
        error=error,
        problem=problem,
        done=done,
    )
