"""The page of money that nobody could match yet: confirm or reject what is proposed, split by hand, undo."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client.matching import Matching
from dunwell.client.server import ServerAway
from dunwell.domain.bank_entry import EntryState
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.typed_amounts import typed_amount
from dunwell.intake.typed_codes import code_typed
from dunwell.services.submissions import AlreadyDone
from dunwell.views.facts import Facts
from dunwell.views.unmatched import currency_of, lately_decided, unmatched
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.forms import submission_of
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

HERE = f"{PREFIX}/unmatched"
ROWS = 4
"""Invoices over which the form splits a payment. More are split by command or API."""
_DONE = {
    "confirm": "Booked as proposed. It can be undone below.",
    "reject": "Rejected: it is not proposed again.",
    "match": "Booked. It can be undone below.",
    "undo": "Undone: it waits for a decision again.",
    "aside": "Set aside: it is for no invoice. It can be undone below.",
}

router = APIRouter(prefix=HERE, route_class=ConsoleRoute, include_in_schema=False)

Writes = Annotated[Principal, Depends(allowed(Right.PAYMENTS_WRITE))]


@router.get("")
async def show(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.PAYMENTS_READ))], done: str = ""
) -> Response:
    """Show what waits, and what was booked lately."""
    return await _shown(request, principal, done=_DONE.get(done))


@router.post("/{entry_id}/proposals/{number}/{decision}")
async def decide(request: Request, entry_id: str, number: int, decision: str, principal: Writes) -> Response:
    """Confirm a proposal, which books it, or reject it."""
    if decision not in {"confirm", "reject"}:
        raise Problem(404, "There is no such form.")
    typed = await read_form(request)

    def act(matching: Matching) -> Awaitable[None]:
        if decision == "reject":
            return matching.reject(entry_id, number, principal)
        return matching.confirm(entry_id, number, principal, other_money=_is_other_money(typed))

    return await _decided(request, principal, decision, entry_id, typed, act)


@router.post("/{entry_id}/match")
async def match(request: Request, entry_id: str, principal: Writes) -> Response:
    """Book the payment on the invoices that were typed."""
    typed = await read_form(request)

    async def act(matching: Matching) -> None:
        shares = await asyncio.to_thread(_shares, request, entry_id, typed)
        await matching.assign(entry_id, shares, principal, other_money=_is_other_money(typed))

    return await _decided(request, principal, "match", entry_id, typed, act)


@router.post("/{entry_id}/undo")
async def undo(request: Request, entry_id: str, principal: Writes) -> Response:
    """Take a booked payment back from its invoices, or take up again one that was set aside."""
    typed = await read_form(request)
    return await _decided(request, principal, "undo", entry_id, typed, lambda to: to.undo(entry_id, principal))


@router.post("/{entry_id}/aside")
async def aside(request: Request, entry_id: str, principal: Writes) -> Response:
    """Note that the payment is for no invoice."""
    typed = await read_form(request)
    reason = code_typed(typed.get("reason", ""))
    return await _decided(
        request, principal, "aside", entry_id, typed, lambda to: to.set_aside(entry_id, reason, principal)
    )


async def _decided(
    request: Request,
    principal: Principal,
    what: str,
    entry_id: str,
    typed: Mapping[str, str],
    act: Callable[[Matching], Awaitable[None]],
) -> Response:
    """Carry the form out, once: sent again by a double click or the back button, it changes nothing."""
    service, submission = service_of(request), submission_of(request, principal, typed)

    def is_done() -> bool:
        with service.database.reading() as session:
            return submission.is_known(session)

    try:
        if not await asyncio.to_thread(is_done):
            await act(service.matching.by_form(submission))
    except Refused as refused:
        if not await asyncio.to_thread(is_done):  # else the same form was carried out a moment before
            return await _shown(request, principal, refused=(entry_id, refused), typed=typed, status=422)
    except (AlreadyDone, ServerAway):
        pass  # it is written down; the cases are told within the hour
    return redirect(HERE, done=what)


async def _shown(
    request: Request,
    principal: Principal,
    refused: tuple[str, Refused] | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
    done: str | None = None,
) -> Response:
    found, booked, aside = await asyncio.to_thread(_read, request)
    elsewhere = refused if refused and all(one["entry_id"] != refused[0] for one in found) else None
    return page(
        request,
        "unmatched.html",
        principal,
        status,
        found=found,
        decided=[("booked", booked), ("set aside", aside)],
        refused=refused,
        elsewhere=elsewhere,
        stands_below=elsewhere is not None and any(one["entry_id"] == elsewhere[0] for one in [*booked, *aside]),
        typed=typed or {},
        rows=range(1, ROWS + 1),
        done=done,
        new_form_id=lambda: uuid4().hex,
    )


def _read(request: Request) -> tuple[list[Facts], list[Facts], list[Facts]]:
    """Return what waits, what was booked lately, and what was set aside lately."""
    at = now(request)
    with service_of(request).database.reading() as session:
        states = (EntryState.BOOKED, EntryState.SET_ASIDE)
        booked, aside = (lately_decided(session, state, at) for state in states)
        return unmatched(session, at), booked, aside


def _is_other_money(typed: Mapping[str, str]) -> bool:
    """Whether they ticked that it is not the money, booked already, that it may be."""
    return "other_money" in typed


def _shares(request: Request, entry_id: str, typed: Mapping[str, str]) -> list[tuple[str, Decimal | None]]:
    """Return invoice and amount of each row that was filled in. Raises Refused for what is no amount."""
    shares: list[tuple[str, Decimal | None]] = []
    with service_of(request).database.reading() as session:
        currency = currency_of(session, entry_id, now(request))
    for row in range(1, ROWS + 1):
        invoice_id, amount = typed.get(f"invoice.{row}", "").strip(), typed.get(f"amount.{row}", "").strip()
        if not invoice_id and amount:
            raise Refused("invoices", f"name the invoice for the {amount[:20]}")
        if invoice_id:
            shares.append((invoice_id, typed_amount("amount", amount, currency) if amount else None))
    return shares
