"""Incoming payments over HTTP: the same as `starter.py unmatched` and `match`."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from dunwell.domain.cleaning import printable
from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.views.unmatched import one_payment, unmatched
from dunwell.web.api.reading import answer_read
from dunwell.web.api.routes import body_of
from dunwell.web.auth import allowed, principal_in
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api/incoming-payments")

_MOST = Decimal(10) ** 15
_READS, _WRITES = [Depends(allowed(Right.PAYMENTS_READ))], [Depends(allowed(Right.PAYMENTS_WRITE))]


@router.get("", summary="Money that nobody could match yet", dependencies=_READS)
async def waiting(request: Request) -> JSONResponse:
    """Payments that came in and that a person has to decide about, with proposals and their reasons, oldest first."""
    return await answer_read(request, lambda session: unmatched(session, datetime.now(UTC)))


@router.get("/{entry_id}", summary="A payment that came in", dependencies=_READS)
async def show(request: Request, entry_id: str) -> JSONResponse:
    """Whatever became of it: what is proposed, and what was booked and undone."""
    return await _answer(request, entry_id)


@router.post("/{entry_id}/match", summary="Book it on invoices", dependencies=_WRITES)
async def assign(request: Request, entry_id: str, other_money: bool = False) -> JSONResponse:
    """`invoices` is a list of `{"invoice_id": ..., "amount": ...}`; one without an amount gets what is left.

    With `other_money` it is booked though it may be money that is booked already, as its `same_as` says.
    """
    facts = await body_of(request)
    shares = _shares(facts.get("invoices"))
    matching = service_of(request).matching
    return await _done(
        request, entry_id, matching.assign(entry_id, shares, principal_in(request), other_money=other_money)
    )


@router.post("/{entry_id}/proposals/{number}/confirm", summary="Confirm a proposal", dependencies=_WRITES)
async def confirm(request: Request, entry_id: str, number: str, other_money: bool = False) -> JSONResponse:
    """Book it as proposed. Safe to repeat. 422 when less is open by now. `other_money` as for `match`."""
    matching, principal = service_of(request).matching, principal_in(request)
    work = matching.confirm(entry_id, _number(number), principal, other_money=other_money)
    return await _done(request, entry_id, work)


@router.post("/{entry_id}/proposals/{number}/reject", summary="Reject a proposal", dependencies=_WRITES)
async def reject(request: Request, entry_id: str, number: str) -> JSONResponse:
    """It is not proposed again."""
    matching = service_of(request).matching
    return await _done(request, entry_id, matching.reject(entry_id, _number(number), principal_in(request)))


@router.post("/{entry_id}/undo", summary="Undo what was decided", dependencies=_WRITES)
async def undo(request: Request, entry_id: str) -> JSONResponse:
    """Take it back from the invoices it was booked on, as a reversal; what was set aside waits again."""
    return await _done(request, entry_id, service_of(request).matching.undo(entry_id, principal_in(request)))


@router.post("/{entry_id}/set-aside", summary="It is for no invoice", dependencies=_WRITES)
async def set_aside(request: Request, entry_id: str) -> JSONResponse:
    """`reason` is a short code, such as bank-interest."""
    reason = str((await body_of(request)).get("reason", ""))
    matching = service_of(request).matching
    return await _done(request, entry_id, matching.set_aside(entry_id, reason, principal_in(request)))


async def _done(request: Request, entry_id: str, work: Awaitable[None]) -> JSONResponse:
    try:
        await work
    except Refused as refused:
        raise Problem.of(refused) from None
    return await _answer(request, entry_id)


async def _answer(request: Request, entry_id: str) -> JSONResponse:
    return await answer_read(request, lambda session: one_payment(session, entry_id, datetime.now(UTC)))


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Problem(404, "There is no such proposal.", "proposal") from None


def _shares(given: Any) -> list[tuple[str, Decimal | None]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("invoice_id") for one in given):
        raise Problem(422, 'must be a list such as [{"invoice_id": "INV-1", "amount": "1200.00"}]', "invoices")
    return [(str(one["invoice_id"]), _amount(one.get("amount"))) for one in given]


def _amount(given: Any) -> Decimal | None:
    if given is None:
        return None
    if not isinstance(given, str):
        raise Problem(422, 'is not an amount: write it as text such as "1200.00"', "amount")
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= _MOST:
        raise Problem(422, f"{printable(given)!r} is not an amount: write it as 1200.00", "amount")
    return amount
