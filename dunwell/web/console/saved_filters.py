"""The forms that save the filters of a list under a name, and delete them again."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dunwell.domain.principals import Principal, Right
from dunwell.services import saved_filters
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.service import service_of

router = APIRouter(prefix=f"{PREFIX}/filters", route_class=ConsoleRoute, include_in_schema=False)

LISTS: Mapping[str, tuple[Right, frozenset[str]]] = {
    "cases": (Right.CASES_READ, frozenset({"q", "stage", "policy", "least", "most", "sort", "rehearsals"})),
    "customers": (Right.CUSTOMERS_READ, frozenset({"q", "rehearsals"})),
    "messages": (Right.MESSAGES_READ, frozenset({"state", "channel", "customer"})),
}
"""The lists whose filters can be saved: the right that reads one, and the fields that it is narrowed by."""


def _add(name: str, right: Right, fields: frozenset[str]) -> None:
    async def save(request: Request, principal: Annotated[Principal, Depends(allowed(right))]) -> Response:
        """Save the filters. The same name again stands for the new ones."""
        typed, database = await read_form(request), service_of(request).database
        given = typed.get("name", ""), typed.get("query", "")
        query = await asyncio.to_thread(saved_filters.save, database, principal, name, *given, fields, now(request))
        return redirect(f"{PREFIX}/{name}?{query}")

    async def delete(request: Request, principal: Annotated[Principal, Depends(allowed(right))]) -> Response:
        """Delete saved filters. Safe to repeat."""
        typed, database = await read_form(request), service_of(request).database
        await asyncio.to_thread(saved_filters.delete, database, principal, name, typed.get("name", ""), now(request))
        return redirect(f"{PREFIX}/{name}")

    router.add_api_route(f"/{name}", save, methods=["POST"])
    router.add_api_route(f"/{name}/delete", delete, methods=["POST"])


for _name, (_right, _fields) in LISTS.items():
    _add(_name, _right, _fields)
