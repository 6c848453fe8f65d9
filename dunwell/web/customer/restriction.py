"""The page about a restricted account: what is limited and why, and what ends it. The product leads to it.

Whoever in the customer's firm meets the restriction may open it, so it acts for the customer and for no contact.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.links import LinkKind
from dunwell.domain.payment_reference import grouped
from dunwell.domain.principals import NotAllowed
from dunwell.domain.refusal import Refused
from dunwell.services.links import PATHS, Link
from dunwell.views.restriction import HeldInvoice, RestrictedAccount, restricted_account
from dunwell.web.console.forms import FORM_ID, read_form
from dunwell.web.console.rendering import now
from dunwell.web.customer.links import opened
from dunwell.web.customer.rendering import HEADERS, page
from dunwell.web.customer.sending import was_taken
from dunwell.web.repetition import answered_once
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PATHS[LinkKind.RESTRICTION], include_in_schema=False)
Opened = Annotated[Link, Depends(opened(LinkKind.RESTRICTION))]

_LOOKS_FOR = 15 * 60
"""Seconds for which the waiting page looks for the payment by itself."""
_LOOKS_EVERY = 1
"""Seconds between two looks, so that the page says that access is back within a second or two."""
_SINCE = "since"


@dataclass(frozen=True)
class _Refusal:
    """What was refused of a form: of which invoice and form, the sentence to show with its facts, what was typed."""

    invoice_id: str
    form: str
    sentence: str
    facts: Mapping[str, date] = field(default_factory=dict)
    typed: str = ""
    status: int = 422


@router.api_route("/{token}/waiting", methods=["GET", "HEAD"])
async def wait(request: Request, token: str, link: Opened) -> Response:
    """Look again and again whether access is back, for a quarter of an hour; then stop. Changes nothing."""
    here, second = request.url.path, _second(request)
    since = request.query_params.get(_SINCE, "")
    if not (since.isascii() and since.isdecimal() and len(since) <= 12 and int(since) <= second):
        return RedirectResponse(f"{here}?{_SINCE}={second}", 303, HEADERS)
    account = await _read(request, link)
    if not account.limited:
        return _page(request, token, account)
    over = second - int(since) > _LOOKS_FOR
    return _page(request, token, account, "restriction_wait.html", refresh=None if over else _LOOKS_EVERY)


@router.post("/{token}/promise")
async def promise(request: Request, token: str, link: Opened) -> Response:
    """Promise to pay an invoice that holds the account on the day that was named."""
    typed = await read_form(request)
    account = await _read(request, link)
    invoice = _named(account, typed)
    if invoice is None or invoice.promise_until is None:
        refusal = _Refusal(typed.get("invoice", ""), "promise", "restriction_refused")
        return await _impossible(request, token, link, account, refusal, typed)
    text = typed.get("day", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not invoice.promise_from <= day <= invoice.promise_until:
        facts = {"first": invoice.promise_from, "last": invoice.promise_until}
        refusal = _Refusal(invoice.invoice_id, "promise", "restriction_refused_day", facts, text)
        return await _impossible(request, token, link, account, refusal, typed)
    content = {"date": day.isoformat(), "promised_by": link.principal.label}
    told = await _told(request, link, invoice, "promise_to_pay", content, typed)
    return _to_page(token) if told is None else _refused(request, token, await _read(request, link), told)


@router.post("/{token}/grace")
async def grace(request: Request, token: str, link: Opened) -> Response:
    """Have access back until the day that the page offered. Whoever asks has to say that they know what follows.

    Each invoice that reduces access is granted grace: with one alone nothing would come back.
    """
    typed = await read_form(request)
    account = await _read(request, link)
    if account.grace is None or typed.get("until") != account.grace.until.isoformat():
        refusal = _Refusal("", "grace", "restriction_refused")
        return await _impossible(request, token, link, account, refusal, typed)
    if typed.get("agreed") != "yes":
        return _refused(request, token, account, _Refusal("", "grace", "need_tick"))
    for invoice in account.reducing:
        if invoice.grace is not None:
            content = {"until": invoice.grace.until.isoformat(), "by": link.principal.label}
            told = await _told(request, link, invoice, "grace_granted", content, typed)
            if told is not None:
                return _refused(request, token, await _read(request, link), replace(told, invoice_id=""))
    return _to_page(token)


@router.api_route("/{token}/grace", methods=["GET", "HEAD"])
@router.api_route("/{token}/promise", methods=["GET", "HEAD"])
async def after_refusal(token: str, link: Opened) -> Response:
    """Lead back from the address of a form, which a browser shows after a refusal, to the page. Changes nothing."""
    return _to_page(token)


@router.api_route("", methods=["GET", "HEAD"])
@router.api_route("/{token:path}", methods=["GET", "HEAD"])
async def show(request: Request, link: Opened, token: str = "") -> Response:
    """Show what is limited, why, and what ends it. Changes nothing."""
    return _page(request, token, await _read(request, link))


def _named(account: RestrictedAccount, typed: Mapping[str, str]) -> HeldInvoice | None:
    """The invoice that a form names, if it limits this very account, or will again."""
    return next((one for one in account.invoices if one.invoice_id == typed.get("invoice")), None)


async def _told(
    request: Request,
    link: Link,
    invoice: HeldInvoice,
    event: str,
    content: Mapping[str, Any],
    typed: Mapping[str, str],
) -> _Refusal | None:
    """Tell the case of the invoice, once for each form. Returns what was refused; None when it was taken."""
    service, form = service_of(request), "grace" if event == "grace_granted" else "promise"
    try:
        await service.connection.ensure()
        await answered_once(
            lambda: service.cases.tell(
                invoice.invoice_id,
                event,
                content,
                principal=link.principal,
                request_id=typed.get(FORM_ID) or uuid4().hex,
            )
        )
    except (Refused, NotAllowed):
        return _Refusal(invoice.invoice_id, form, "restriction_refused")
    except (NoAnswer, ServerAway):
        return _Refusal(invoice.invoice_id, form, "restriction_later", status=503)
    return None


def _to_page(token: str) -> Response:
    return RedirectResponse(f"{PATHS[LinkKind.RESTRICTION]}/{token}", 303, HEADERS)


def _second(request: Request) -> int:
    return int(now(request).timestamp())


async def _read(request: Request, link: Link) -> RestrictedAccount:
    return await asyncio.to_thread(_account, service_of(request), link, now(request))


def _account(service: Service, link: Link, at: datetime) -> RestrictedAccount:
    with service.database.reading() as session:
        return restricted_account(session, service.deps, link.customer_id, at)


async def _impossible(
    request: Request, token: str, link: Link, account: RestrictedAccount, refusal: _Refusal, typed: Mapping[str, str]
) -> Response:
    """Say what was refused of a form, unless what makes it impossible now is that it was carried out before.

    So it is with a double click, and when the service ended before it could answer the first sending.
    """
    if await asyncio.to_thread(was_taken, service_of(request), link, typed.get(FORM_ID, "")):
        return _to_page(token)
    return _refused(request, token, account, refusal)


def _refused(request: Request, token: str, account: RestrictedAccount, refusal: _Refusal) -> Response:
    return _page(request, token, account, status=refusal.status, refusal=refusal)


def _page(
    request: Request,
    token: str,
    account: RestrictedAccount,
    template: str = "restriction.html",
    status: int = 200,
    **facts: Any,
) -> Response:
    deps, zone = service_of(request).deps, ZoneInfo(account.time_zone)
    known: dict[str, Any] = {
        "account": account,
        "here": f"{PATHS[LinkKind.RESTRICTION]}/{token}",
        "local": lambda moment: moment.astimezone(zone).date(),
        "bank": deps.sender.account_for,
        "grouped": grouped,
        "new_form": lambda: uuid4().hex,
        "now": _second(request),
        "refusal": None,
        "refresh": None,
    }
    return page(deps, template, deps.catalogue.spoken(account.language), status, **known | facts)
