"""All routes of the web service, with the right that each needs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import MagicMock

from fastapi import FastAPI
from fastapi.routing import APIRoute

from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.principals import Right, right_for
from dunwell.web.app import make_app
from dunwell.web.auth import allowed, allowed_to_tell


@dataclass(frozen=True)
class Route:
    """`right` None: the route has no right of its own."""

    method: str
    path: str
    right: Right | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def all_routes() -> tuple[Route, ...]:
    """Return every route; one with a parameter `event` once for each event that people tell."""
    service = MagicMock()
    service.keys.hosts = frozenset()
    found = []
    for route in routes_of(make_app(service)):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            needs = [one.call for one in route.dependant.dependencies]
            if any(isinstance(one, allowed_to_tell) for one in needs):
                for event in sorted(PERSONAL_DECISIONS):
                    found.append(Route(method, route.path.replace("{event}", event), right_for(event)))
            else:
                rights = [one.right for one in needs if isinstance(one, allowed)]
                found.append(Route(method, route.path, rights[0] if rights else None))
    return tuple(found)


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Return the routes of an application, in the order in which they are tried."""
    return list(_walk(app.routes))


def _walk(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes)
