"""Replies of customers over HTTP: the same as `starter.py replies` and `reply`."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.services.answers import Draft, PreviewedAnswer
from dunwell.views.replies import one_reply, preview_facts, waiting_replies
from dunwell.web.api.reading import answer_read
from dunwell.web.api.routes import body_of
from dunwell.web.auth import allowed, principal_in
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api/replies")

_READS, _WRITES = [Depends(allowed(Right.MESSAGES_READ))], [Depends(allowed(Right.MESSAGES_WRITE))]


@router.get("", summary="Replies that wait for a person", dependencies=_READS)
async def waiting(request: Request) -> JSONResponse:
    """What customers wrote and nobody has handled yet, oldest first. Their cases rest until it is."""
    return await answer_read(request, lambda session: waiting_replies(session, _now()))


@router.get("/{reply_id}", summary="A reply", dependencies=_READS)
async def show(request: Request, reply_id: str) -> JSONResponse:
    """Its text, files, what it seems to say, the cases it concerns, and the answers."""
    return await _answer(request, reply_id)


@router.post("/{reply_id}/handled", summary="Handled, no answer needed", dependencies=_WRITES)
async def handled(request: Request, reply_id: str) -> JSONResponse:
    """Chasing goes on. 422 when somebody else has handled it."""
    return await _done(request, reply_id, service_of(request).replies.handle(reply_id, principal_in(request), _now()))


@router.post("/{reply_id}/preview", summary="An answer as it would leave", dependencies=_WRITES)
async def preview(request: Request, reply_id: str) -> JSONResponse:
    """`phrases` and `text`, as for the answer. 422 when it could not leave, with what to do. Nothing is sent."""
    try:
        found: PreviewedAnswer = await service_of(request).replies.preview(
            reply_id, _draft(await body_of(request)), _now()
        )
    except Refused as refused:
        raise Problem.of(refused) from None
    return JSONResponse(to_jsonable_python(preview_facts(found)))


@router.post("/{reply_id}/answer", summary="Answer it", dependencies=_WRITES)
async def answer(request: Request, reply_id: str) -> JSONResponse:
    """`phrases` of the catalogue and `text` of one's own; the case sends it to whoever wrote, in their hours."""
    draft = _draft(await body_of(request))
    return await _done(
        request, reply_id, service_of(request).replies.handle(reply_id, principal_in(request), _now(), draft)
    )


@router.post("/{reply_id}/writer", summary="Who wrote it", dependencies=_WRITES)
async def writer(request: Request, reply_id: str) -> JSONResponse:
    """`contact_id` of a contact. The cases of their customer then rest until the reply is handled."""
    contact_id = str((await body_of(request)).get("contact_id", ""))
    return await _done(
        request, reply_id, service_of(request).replies.assign(reply_id, contact_id, principal_in(request), _now())
    )


def _draft(body: dict[str, Any]) -> Draft:
    phrases, text, invoice = body.get("phrases", []), body.get("text", ""), body.get("invoice_id")
    if not isinstance(phrases, list) or not all(isinstance(one, str) for one in phrases):
        raise Problem(422, 'must be a list such as ["thanks-for-writing"]', "phrases")
    if not isinstance(text, str):
        raise Problem(422, "must be a text", "text")
    if invoice is not None and not isinstance(invoice, str):
        raise Problem(422, "must be the id of an invoice", "invoice_id")
    try:
        return Draft.of(phrases, text, invoice)
    except Refused as refused:
        raise Problem.of(refused) from None


async def _done(request: Request, reply_id: str, work: Awaitable[object]) -> JSONResponse:
    try:
        await work
    except Refused as refused:
        raise Problem.of(refused) from None
    return await _answer(request, reply_id)


async def _answer(request: Request, reply_id: str) -> JSONResponse:
    return await answer_read(request, lambda session: one_reply(session, reply_id, _now()))


def _now() -> datetime:
    return datetime.now(UTC)
