"""Signing in to the console by password, one-use link or identity provider, and signing out.

A GET never signs anybody in, except the answer of the identity provider, which only this browser can have asked for.
"""

import asyncio
import json
import re
import secrets
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from dunwell.domain.evidence import digest
from dunwell.domain.refusal import Refused
from dunwell.gateways.open_id import OpenIdProvider, ProviderFailed
from dunwell.services.users import WHOLE, SignedIn, SignInRefused
from dunwell.store import users
from dunwell.store.tables import SignInStateRow
from dunwell.web.allowed_hosts import LOOPBACK, host_of
from dunwell.web.auth import SIGN_IN, SignInNeeded, check_same_origin, is_secure, session_cookie, session_token
from dunwell.web.clock import now
from dunwell.web.console.rendering import HEADERS, PREFIX, ConsoleRoute, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

SET_PASSWORD = f"{PREFIX}/set-password"
_CALLBACK = f"{SIGN_IN}/callback"
_ANSWERED_WITHIN = timedelta(minutes=10)
_OWN_PATH = re.compile(rf"{PREFIX}(/[A-Za-z0-9._~%-]+)*")
_MOST_KEPT = 300_000
"""Bytes of a form that the sign-in's form carries along; encoded in that form they become three times as many."""


def from_this_site(request: Request) -> None:
    """Raise Problem 403 for a form of another site, and where cookies would travel unprotected."""
    check_same_origin(request)
    if not is_secure(request) and host_of(request.headers.get("Host", "")) not in LOOPBACK:
        raise Problem(403, "The console needs HTTPS: set PUBLIC_URL to an address that begins with https://.")


router = APIRouter(
    prefix=PREFIX, route_class=ConsoleRoute, include_in_schema=False, dependencies=[Depends(from_this_site)]
)


@router.get("/sign-in")
async def show(request: Request, next: str = PREFIX, link: str = "") -> Response:
    """Show the form for e-mail and password, or with a link the button that uses it."""
    if not link:
        return _sign_in_page(request, 200, wanted=_own(next))
    sets_password = await asyncio.to_thread(service_of(request).users.link_sets_password, link, now(request))
    if sets_password:
        return redirect(SET_PASSWORD, link=link)
    return _sign_in_page(request, 200, link=link) if sets_password is False else _used_up(request)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in by password or link. Then show the wanted page, or offer to send the form whose session had ended."""
    typed, known = await read_form(request), service_of(request).users
    wanted, again, link = _own(typed.get("next", "")), _again(typed.get("again", "")), typed.get("link", "")
    email = typed.get("email", "")
    try:
        if link:
            signed_in = await asyncio.to_thread(known.use_link, link, None, now(request))
        else:
            address = request.client.host if request.client else ""
            async with _one_of_few(request):
                signed_in = await asyncio.to_thread(
                    known.sign_in, email, typed.get("password", ""), address, now(request)
                )
    except Refused:  # the link is for choosing a password
        return redirect(SET_PASSWORD, link=link)
    except SignInRefused as refused:
        return _sign_in_page(request, 422, problem=str(refused), wanted=wanted, again=again, email=email)
    if again is not None:
        response = page(request, "again.html", signed_in.principal, fields=again["fields"], to=again["path"])
    else:
        response = redirect(wanted)
    return _begun(request, response, signed_in)


@router.get("/set-password")
async def show_set_password(request: Request, link: str = "") -> Response:
    """Show the form for a first or forgotten password."""
    sets_password = await asyncio.to_thread(service_of(request).users.link_sets_password, link, now(request))
    if not sets_password:
        return _used_up(request) if sets_password is None else redirect(SIGN_IN, link=link)
    return page(request, "set_password.html", link=link, error=None)


@router.post("/set-password")
async def set_password(request: Request) -> Response:
    """Set the password that the link is for, and sign in."""
    typed = await read_form(request)
    link, password = typed.get("link", ""), typed.get("password", "")
    if password != typed.get("repeated", ""):
        return page(
            request, "set_password.html", None, 422, link=link, error="The two passwords differ: write them again."
        )
    try:
        async with _one_of_few(request):
            signed_in = await asyncio.to_thread(service_of(request).users.use_link, link, password, now(request))
    except Refused as refused:
        return page(request, "set_password.html", None, 422, link=link, error=f"The password {refused.reason}.")
    except SignInRefused:
        return _used_up(request)
    return _begun(request, redirect(PREFIX), signed_in)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    await asyncio.to_thread(service_of(request).users.sign_out, session_token(request))
    response = redirect(SIGN_IN)
    response.delete_cookie(
        session_cookie(request), path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )
    return response


# By the identity provider --------------------------------------------------------------------------------


def _provider(request: Request) -> OpenIdProvider:
    provider = service_of(request).open_id
    if provider is None:
        raise Problem(404, "No identity provider is set up: OIDC_ISSUER names one.")
    return provider


Provider = Annotated[OpenIdProvider, Depends(_provider)]


@router.get("/sign-in/provider")
async def to_provider(request: Request, provider: Provider) -> Response:
    """Send the browser to the identity provider."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    try:
        address = await asyncio.to_thread(provider.authorization_url, state, nonce, verifier)
    except ProviderFailed as failed:
        return _sign_in_page(request, 503, problem=str(failed))
    row = SignInStateRow(
        state_hash=digest(state), nonce=nonce, verifier=verifier, expires_at=now(request) + _ANSWERED_WITHIN
    )
    await asyncio.to_thread(_keep_state, service_of(request), row, request)
    response = RedirectResponse(address, 303, HEADERS)
    _set_cookie(request, response, _state_cookie(request), state, _ANSWERED_WITHIN)
    return response


@router.get("/sign-in/callback")
async def from_provider(request: Request, provider: Provider, state: str = "", code: str = "") -> Response:
    """Take the provider's answer, if this browser asked for it, and sign in the user with the verified address."""
    service, moment = service_of(request), now(request)
    asked = request.cookies.get(_state_cookie(request), "")
    known = await asyncio.to_thread(_take_state, service, asked, request)
    if known is None or not code or not secrets.compare_digest(asked.encode(), state.encode()):
        return _sign_in_page(request, 422, problem="The sign-in took too long, or was begun elsewhere: begin again.")
    try:
        email = await asyncio.to_thread(provider.verified_email, code, *known)
        signed_in = await asyncio.to_thread(service.users.sign_in_as, email, moment)
    except (ProviderFailed, SignInRefused) as refused:
        return _sign_in_page(request, 422, problem=str(refused))
    response = _begun(request, redirect(PREFIX), signed_in)
    _drop_cookie(request, response, _state_cookie(request))
    return response


def _keep_state(service: Service, row: SignInStateRow, request: Request) -> None:
    with service.database.writing_beside_customers() as session:
        users.put_state(session, row, now(request))


def _take_state(service: Service, state: str, request: Request) -> tuple[str, str] | None:
    if not state:
        return None
    with service.database.writing_beside_customers() as session:
        return users.take_state(session, digest(state), now(request))


def _state_cookie(request: Request) -> str:
    return f"{session_cookie(request)}-sign-in"


# A request without a session -----------------------------------------------------------------------------


async def ask_to_sign_in(request: Request, error: Exception) -> Response:
    """Answer a console request without a session: htmx leaves the page, a form is kept to be sent afterwards."""
    wanted = error.path if isinstance(error, SignInNeeded) else PREFIX
    address = f"{SIGN_IN}?{urlencode({'next': wanted})}"
    if request.headers.get("HX-Request") == "true":
        return Response(status_code=200, headers=HEADERS | {"HX-Redirect": address})
    if request.method != "POST":
        return RedirectResponse(address, 303, HEADERS)
    if request.headers.get("Content-Type", "").startswith("multipart/"):
        problem = "Your session has ended. Sign in, and choose the file again: nothing was read of it."
        return _sign_in_page(request, 401, problem=problem, wanted=_own(request.url.path.rpartition("/")[0]))
    try:
        again = {"path": request.url.path, "fields": await read_form(request)}
    except Problem:  # it is no form that could be kept
        return RedirectResponse(address, 303, HEADERS)
    problem = "Your session has ended. What you have written is still here; it is sent once you have signed in."
    return _sign_in_page(request, 401, problem=problem, again=again)


def _again(text: str) -> dict[str, Any] | None:
    """Return the kept form: path and fields; None when there is none, or it is not one of this console's."""
    if not text or len(text.encode()) > _MOST_KEPT:
        return None
    try:
        kept = json.loads(text)
        path, fields = str(kept["path"]), {str(name): str(value) for name, value in kept["fields"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return {"path": path, "fields": fields} if _OWN_PATH.fullmatch(path) else None


# What the pages need -------------------------------------------------------------------------------------


def _sign_in_page(
    request: Request,
    status: int,
    *,
    problem: str | None = None,
    wanted: str = PREFIX,
    again: dict[str, Any] | None = None,
    link: str = "",
    email: str = "",
) -> Response:
    kept = json.dumps(again, ensure_ascii=False) if again is not None else ""
    return page(
        request,
        "sign_in.html",
        None,
        status,
        error=problem,
        wanted=wanted,
        again=kept if len(kept.encode()) <= _MOST_KEPT else "",
        unsent=again,
        link=link,
        email=email,
        provider=service_of(request).open_id is not None,
    )


def _used_up(request: Request) -> Response:
    problem = "This link was used before, or its time is over: ask an administrator for a new one."
    return _sign_in_page(request, 404, problem=problem)


def _own(path: str) -> str:
    """Return the path if it is a page of this console, else its first page: nobody is sent elsewhere."""
    return path if _OWN_PATH.fullmatch(path) else PREFIX


def _begun(request: Request, response: Response, signed_in: SignedIn) -> Response:
    """Put the cookie of the new session into the response."""
    _set_cookie(request, response, session_cookie(request), signed_in.token, WHOLE)
    return response


def _set_cookie(request: Request, response: Response, name: str, value: str, lasts: timedelta) -> None:
    # Lax and not Strict, or the session would be missing on the way back from the provider or out of a mail.
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _drop_cookie(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=is_secure(request), httponly=True, samesite="lax")


def _one_of_few(request: Request) -> asyncio.Semaphore:
    """Return what limits how many passwords are checked at once: each check takes 19 MiB."""
    state = request.app.state
    if not hasattr(state, "password_checks"):
        state.password_checks = asyncio.Semaphore(4)
    checks: asyncio.Semaphore = state.password_checks
    return checks
