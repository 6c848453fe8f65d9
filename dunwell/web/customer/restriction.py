"""The page about a restricted account: what is limited and why, and what ends it. The product leads to it.

Whoever in the customer's firm meets the restriction may open it, so it acts for the customer and for no contact.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
from dunwell.services.submissions import Submission
from dunwell.views.restriction import RestrictedAccount, restricted_account
from dunwell.web.clock import now
from dunwell.web.customer.acts import Telling
from dunwell.web.customer.links import opened
from dunwell.web.customer.rendering import HEADERS, page
from dunwell.web.customer.sending import tell_all
from dunwell.web.customer.sent_once import EarlierSending, earlier_sending, first_sent, once
from dunwell.web.posted_form import FORM_ID, form_id_of, read_form
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
    """What was refused of a form: of which invoice and form, the sentence to show with its facts, what was typed.

    `form_id`: of a form that may be sent again as the same.
    """

    invoice_id: str
    form: str
    sentence: str
    facts: Mapping[str, date] = field(default_factory=dict)
    typed: str = ""
    status: int = 422
    form_id: str = ""


_Understand = Callable[[RestrictedAccount, Mapping[str, str], str], Sequence[Telling] | _Refusal]
"""What a form tells the cases, by the account as it stands, what was typed and who sent it; or why it is refused."""


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
    return await _carried_out(request, token, link, "promise", _promised)


@router.post("/{token}/grace")
async def grace(request: Request, token: str, link: Opened) -> Response:
    """Have access back until the day that the page offered. Whoever asks has to say that they know what follows."""
    return await _carried_out(request, token, link, "grace", _graced)


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


def _promised(account: RestrictedAccount, typed: Mapping[str, str], by: str) -> Sequence[Telling] | _Refusal:
    """What a promise tells the case of the invoice that it names, or why none is accepted."""
    wanted = typed.get("invoice", "")
    invoice = next((one for one in account.invoices if one.invoice_id == wanted), None)
    if invoice is None or invoice.promise_until is None:
        return _Refusal(wanted, "promise", "restriction_refused")
    text = typed.get("day", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not invoice.promise_from <= day <= invoice.promise_until:
        facts = {"first": invoice.promise_from, "last": invoice.promise_until}
        return _Refusal(wanted, "promise", "restriction_refused_day", facts, text)
    return [Telling(wanted, "promise_to_pay", {"date": day.isoformat(), "promised_by": by})]


def _graced(account: RestrictedAccount, typed: Mapping[str, str], by: str) -> Sequence[Telling] | _Refusal:
    """What is told for grace, or why none is given.

    Each invoice that reduces access is granted grace: with one alone nothing would come back.
    """
    if account.grace is None or typed.get("until") != account.grace.until.isoformat():
        return _Refusal("", "grace", "restriction_refused")
    if typed.get("agreed") != "yes":
        return _Refusal("", "grace", "need_tick")
    return [
        Telling(one.invoice_id, "grace_granted", {"until": one.grace.until.isoformat(), "by": by})
        for one in account.reducing
        if one.grace is not None
    ]


async def _carried_out(request: Request, token: str, link: Link, act: str, understand: _Understand) -> Response:
    """Tell the cases, once for each form, and lead to the page; or show what was refused.

    A form that was carried out before leads to the page as well: what makes it impossible now is that it was done.
    """
    typed = await read_form(request)
    said = {name: text for name, text in typed.items() if name != FORM_ID}
    form = Submission.of(link.link_id, form_id_of(typed), act, said)
    refusal = await _told(request, link, form, act, typed, understand)
    if refusal is None:
        return _to_page(token)
    return _page(request, token, await _read(request, link), status=refusal.status, refusal=refusal)


async def _told(
    request: Request, link: Link, form: Submission, act: str, typed: Mapping[str, str], understand: _Understand
) -> _Refusal | None:
    """Tell the cases. Returns what was refused; None when it was taken."""
    service = service_of(request)
    refusal = _Refusal(typed.get("invoice", "") if act == "promise" else "", act, "restriction_refused")
    try:
        then = await asyncio.to_thread(first_sent, service, form) or now(request)
        found = understand(await asyncio.to_thread(_account, service, link, then), typed, link.principal.label)
        if isinstance(found, _Refusal):
            earlier = await asyncio.to_thread(earlier_sending, service, link, form)
            return _anew(found, form, earlier)
        async with once(service, link, form, then):
            await service.connection.ensure()
            await tell_all(service, link, found, form.form_id)
    except (Refused, NotAllowed):
        return refusal
    except (NoAnswer, ServerAway):
        return _later(refusal, form)
    return None


def _anew(found: _Refusal, form: Submission, earlier: EarlierSending) -> _Refusal | None:
    """What is answered to a form that is impossible now: an earlier sending may be what makes it so."""
    if earlier is EarlierSending.DONE:
        return None
    return _later(found, form) if earlier is EarlierSending.UNDER_WAY else found


def _later(refusal: _Refusal, form: Submission) -> _Refusal:
    return replace(refusal, sentence="restriction_later", facts={}, status=503, form_id=form.form_id)


def _to_page(token: str) -> Response:
    return RedirectResponse(f"{PATHS[LinkKind.RESTRICTION]}/{token}", 303, HEADERS)


def _second(request: Request) -> int:
    return int(now(request).timestamp())


async def _read(request: Request, link: Link) -> RestrictedAccount:
    return await asyncio.to_thread(_account, service_of(request), link, now(request))


def _account(service: Service, link: Link, at: datetime) -> RestrictedAccount:
    with service.database.reading() as session:
        return restricted_account(session, service.deps, link.customer_id, at)


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
