"""Requests for approval over HTTP: the same as `starter.py approvals`, `approve` and `decline`."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from dunwell.client import approvals as client
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.principals import ApprovalDecision, Right
from dunwell.domain.refusal import Refused
from dunwell.services.idempotency import StillRunning
from dunwell.web.api.routes import body_of
from dunwell.web.auth import allowed, principal_in
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api/approvals")


@router.get("", summary="What waits for approval", dependencies=[Depends(allowed(Right.APPROVALS_READ))])
async def waiting(request: Request) -> JSONResponse:
    """Requests that nobody has decided, the oldest first."""
    return JSONResponse(to_jsonable_python(await asyncio.to_thread(service_of(request).approvals.waiting)))


@router.post("", summary="Ask for approval", dependencies=[Depends(allowed(Right.CASES_WRITE))])
async def ask(request: Request) -> JSONResponse:
    """`invoice_id`, `event`, which is write_off or cancel, and `reason`. A manager decides about it."""
    facts = await body_of(request)
    invoice_id, event = str(facts.pop("invoice_id", "")), str(facts.pop("event", ""))
    principal, known = principal_in(request), service_of(request).approvals
    try:
        approval_id = await asyncio.to_thread(known.request, invoice_id, event, facts, principal, datetime.now(UTC))
    except Refused as refused:
        raise _problem(refused) from None
    return JSONResponse({"approval_id": approval_id}, 201)


@router.post("/{approval_id}/approve", summary="Approve", dependencies=[Depends(allowed(Right.APPROVALS_WRITE))])
async def approve(request: Request, approval_id: str) -> JSONResponse:
    """Have done what was asked for. 403 for one's own request, unless the house allows that. Safe to repeat."""
    service, principal = service_of(request), principal_in(request)
    try:
        await service.connection.ensure()
        invoice_id, told = await client.approve(service.cases, service.approvals, approval_id, principal)
    except Refused as refused:
        raise _problem(refused) from None
    except (NoAnswer, ServerAway, StillRunning) as error:
        raise Problem(503, str(error)) from None
    return JSONResponse({"approval_id": approval_id, "invoice_id": invoice_id, "result": told.how.value})


@router.post("/{approval_id}/decline", summary="Decline", dependencies=[Depends(allowed(Right.CASES_WRITE))])
async def decline(request: Request, approval_id: str) -> JSONResponse:
    """Nothing is done. Whoever asked withdraws the request so; 403 for others without the right to approve."""
    known, principal = service_of(request).approvals, principal_in(request)
    try:
        row = await asyncio.to_thread(
            known.decide, approval_id, ApprovalDecision.DECLINED, principal, datetime.now(UTC)
        )
    except Refused as refused:
        raise _problem(refused) from None
    return JSONResponse({"approval_id": approval_id, "invoice_id": row.invoice_id, "result": row.decision})


def _problem(refused: Refused) -> Problem:
    return Problem(404 if refused.field in {"invoice", "approval"} else 422, refused.reason, refused.field)
