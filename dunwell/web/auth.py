"""Who a request comes from, and whether they may do what it asks.

Programs send an API key to `/api`; people have a session at `/console`, named by a cookie.
"""

import asyncio
import hmac
from datetime import UTC, datetime

from fastapi import Request

from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.principals import Principal, Right
from dunwell.services.api_keys import is_well_formed
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

CONSOLE = "/console"
SIGN_IN = f"{CONSOLE}/sign-in"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(Exception):
    """A console request without a live session. `path` is where it wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class allowed:
    """A dependency that returns the principal of a request and checks that it has a right.

    API requests raise Problem 401 without a live key. Console requests raise SignInNeeded without a live session, and
    Problem 403 when another site sent them. Both raise NotAllowed when the principal's role lacks the right.
    """

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, request: Request) -> Principal:
        principal = await principal_of(request)
        request.state.principal = principal
        principal.check(self.right)
        return principal


class allowed_to_tell:
    """The same for routes with a parameter `event`: the right is the one that telling this event needs."""

    async def __call__(self, request: Request) -> Principal:
        principal = await principal_of(request)
        request.state.principal = principal
        event = request.path_params["event"]
        if event in PERSONAL_DECISIONS:  # another is unknown, which the route says itself
            principal.check_event(event)
        return principal


async def principal_of(request: Request) -> Principal:
    """Return who sent the request, by session for the console and else by key. Raises Problem or SignInNeeded."""
    if request.url.path == CONSOLE or request.url.path.startswith(f"{CONSOLE}/"):
        check_same_origin(request)
        principal = await _of_session(request)
        if principal is None:
            raise SignInNeeded(request.url.path if request.method in _SAFE_METHODS else CONSOLE)
    else:
        principal = await _of_key(request)
    return principal


def principal_in(request: Request) -> Principal:
    """Return the principal that a dependency of the route has found."""
    principal: Principal = request.state.principal
    return principal


async def _of_key(request: Request) -> Principal:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    keys, now = service_of(request).api_keys, datetime.now(UTC)
    if scheme.lower() == "bearer" and is_well_formed(key := key.strip()):
        found = keys.recall(key, now) or await asyncio.to_thread(keys.principal, key, now)
        if found is not None:
            return found
        reason = "This key is not known, was revoked or has expired: `starter.py key list` shows those that live."
    elif key:
        reason = "This is no key of ours: send Authorization: Bearer with a whole key, which begins with dwl_."
    else:
        reason = "Send the header Authorization: Bearer with an API key; `starter.py key create` makes one."
    raise Problem(401, reason, headers={"WWW-Authenticate": "Bearer"})


async def _of_session(request: Request) -> Principal | None:
    token = session_token(request)
    if not token:
        return None
    return await asyncio.to_thread(service_of(request).users.principal, token, datetime.now(UTC))


def session_cookie(request: Request) -> str:
    """Return the name of the session's cookie. Over HTTPS its prefix binds it to this host."""
    return "__Host-dunwell" if is_secure(request) else "dunwell"


def session_token(request: Request) -> str:
    """Return the value of the session's cookie; empty without one."""
    return request.cookies.get(session_cookie(request), "")


def is_secure(request: Request) -> bool:
    """Whether browsers reach this service by HTTPS. PUBLIC_URL says so, because a proxy may end TLS before it."""
    return service_of(request).public_url.startswith("https://")


def check_same_origin(request: Request) -> None:
    """Raise Problem 403 for an unsafe method that a page of another site sent.

    Browsers say so in Sec-Fetch-Site; those that do not are judged by Origin. With neither the request is refused.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    ours = site == "same-origin" if site is not None else _is_our_origin(request)
    if not ours:
        raise Problem(403, "This form was sent by another site: open the console and send it from there.")


def _is_our_origin(request: Request) -> bool:
    # AllowedHosts has checked Host. The scheme is not compared: a proxy before this service may end TLS.
    host = request.headers.get("Host", "")
    return request.headers.get("Origin", "") in {f"http://{host}", f"https://{host}"}


def check_bearer(authorization: str, token: str, setting: str) -> None:
    """Raise Problem 401 unless the header Authorization is "Bearer" with this token, which is never empty.

    The token is compared in constant time. `setting` names the variable that holds it, for the caller's reader.
    """
    scheme, _, given = authorization.partition(" ")
    # The server decodes headers as Latin-1; the bytes that were sent are those of the token in UTF-8.
    sent = given.strip(" \t").encode("latin-1", "replace")
    same = hmac.compare_digest(sent, token.encode())
    if scheme.lower() != "bearer" or not (token and same):
        reason = f"Send the header Authorization: Bearer with the value of {setting}."
        raise Problem(401, reason, headers={"WWW-Authenticate": "Bearer"})
