"""Lists over HTTP: the same items as the commands that read print with --json, page by page."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean
from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Stage, TaskKind
from dunwell.store import standstills
from dunwell.views.audit import audit_facts
from dunwell.views.case_list import case_page
from dunwell.views.outbox import message_page
from dunwell.views.work_list import Place, work_page
from dunwell.web.api.paging import USUAL, After, Keyed, Limit, answer_page, only_known, read_cursor
from dunwell.web.auth import allowed
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api")

Items = Sequence[Keyed]


def _needs(right: Right) -> list[Any]:
    return [Depends(allowed(right)), Depends(only_known)]


@router.get("/cases", summary="The cases", dependencies=_needs(Right.CASES_READ))
async def list_cases(
    request: Request, stage: Stage | None = None, limit: Limit = USUAL, after: After = None
) -> JSONResponse:
    """All cases, or those of a stage, by invoice id, each as `starter.py list --json` prints it."""
    last = read_cursor(after, _text)

    def read(session: Session) -> Items:
        stands = standstills.in_force(session)
        found = case_page(session, stage, last, limit + 1)
        return [((one["invoice_id"],), one | {"standstill": stands}) for one in found]

    return answer_page(request, await _read(request, read), limit)


@router.get("/outbox", summary="The messages", dependencies=_needs(Right.MESSAGES_READ))
async def list_messages(
    request: Request, invoice_id: str | None = None, limit: Limit = USUAL, after: After = None
) -> JSONResponse:
    """All messages, or those about an invoice, in the order in which they were claimed, each as `starter.py outbox
    --json` prints it. A message that is claimed again moves to the end. 404: no such invoice.
    """
    last = read_cursor(after, _place_of_message)

    def read(session: Session) -> Items:
        return message_page(session, invoice_id, last, limit + 1)

    return answer_page(request, await _read(request, read), limit)


@router.get("/tasks", summary="What people have to do", dependencies=_needs(Right.TASKS_READ))
async def list_tasks(
    request: Request,
    kind: TaskKind | None = None,
    due_by: AwareDatetime | None = None,
    invoice_id: str | None = None,
    rehearsals: bool = False,
    limit: Limit = USUAL,
    after: After = None,
) -> JSONResponse:
    """Open calls, visits, meetings and decisions: escalated ones first, then by hour, in each hour the largest amount
    first. `script` is the call script, `agent_script` the same in your agents' language. Tasks of rehearsals are
    included only with `rehearsals=true`, and marked: nobody must be called for them. A task whose urgency changes
    between two pages stands where it belongs then. 404: no such invoice.
    """
    last = read_cursor(after, _place_of_task)

    def read(session: Session) -> Items:
        return work_page(session, last, limit + 1, invoice_id, kind, due_by, rehearsals=rehearsals)

    return answer_page(request, await _read(request, read), limit)


@router.get("/audit", summary="Who changed what", dependencies=_needs(Right.AUDIT_READ))
async def list_audit(
    request: Request,
    object: str | None = None,
    who: str | None = None,
    since: AwareDatetime | None = None,
    limit: Limit = USUAL,
    after: After = None,
) -> JSONResponse:
    """The entries about an object, such as `invoice/INV-1`, by a principal, since a time; the oldest first, each as
    `starter.py audit --json` prints it.
    """
    last = read_cursor(after, _number)

    def read(session: Session) -> Items:
        found = audit_facts(session, about=object, who=who, since=since, after=last or 0, limit=limit + 1)
        return [((one["entry_id"],), one) for one in found]

    return answer_page(request, await _read(request, read), limit)


async def _read(request: Request, read: Callable[[Session], Items]) -> Items:
    """Return what `read` returns in a thread of its own. Raises Problem for what it refuses."""
    database = service_of(request).database

    def run() -> Items:
        with database.reading() as session:
            return read(session)

    try:
        return await asyncio.to_thread(run)
    except Refused as refused:
        raise Problem(404 if refused.field == "invoice" else 422, refused.reason, refused.field) from None


# Cursors -------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_clean(value):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError
    return value


def _moment(value: object) -> datetime:
    return datetime.fromisoformat(_text(value)).astimezone(UTC)


def _place_of_message(claimed_at: object, message_id: object) -> tuple[datetime, str]:
    return _moment(claimed_at), _text(message_id)


def _place_of_task(calm: object, hour: object, amount: object, task_id: object) -> Place:
    if not isinstance(calm, bool) or not (minus := Decimal(_text(amount))).is_finite():
        raise TypeError
    return calm, _moment(hour), minus, _text(task_id)
