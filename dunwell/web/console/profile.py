"""The page of whoever is signed in: who they are, and whether they get a digest in the morning."""

import asyncio
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.client.digests import Digests
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.time_zones import zones_of
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.service import Service, service_of

HERE = f"{PREFIX}/profile"
_DONE = {"on": "You get the digest from the next morning on.", "off": "You get no digest any more."}

router = APIRouter(prefix=HERE, route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def profile(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))], done: str = ""
) -> Response:
    """Show who is signed in, their digest, and what it would say now."""
    return await _shown(request, principal, done=_DONE.get(done))


@router.post("")
async def change_digest(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))]
) -> Response:
    """Switch the digest of whoever is signed in. Safe to repeat."""
    typed, users = await read_form(request), service_of(request).users
    zone = typed.get("time_zone", "") if typed.get("digest") == "on" else None
    try:
        await asyncio.to_thread(users.set_digest, principal.id, zone, principal, now(request))
    except Refused as refused:
        return await _shown(request, principal, error=refused.reason, typed=typed.get("time_zone", ""), status=422)
    return redirect(HERE, done="on" if zone is not None else "off")


async def _shown(
    request: Request,
    principal: Principal,
    *,
    done: str | None = None,
    error: str = "",
    typed: str = "",
    status: int = 200,
) -> Response:
    facts = await asyncio.to_thread(_facts, service_of(request), principal, request)
    known = {"typed": typed or facts["zone"] or facts["usual"], "error": error, "done": done}
    return page(request, "profile.html", principal, status, **known, **facts)


def _facts(service: Service, principal: Principal, request: Request) -> dict[str, Any]:
    if principal.role is None:
        raise ValueError("only users have a profile, and each has a role")
    zone = service.users.digest_zone(principal.id)
    here = zones_of(service.seller) if service.seller else ()
    usual = here[0] if here else "UTC"
    digest = Digests(service.deps, f"{service.public_url}{PREFIX}", lambda: now(request))
    shown = digest.preview(principal.role, zone or usual)
    return {"zone": zone, "usual": usual, "zones": sorted(available_timezones()), "digest": shown}
