"""Every route of the web service: the console's forms as its pages show them, the API, and what is open to all.

Nobody lists the routes, ids and forms: they are read from the application, the database and the pages themselves, so
that a new one is tried as soon as it is there.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from random import Random
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunwell.domain.principals import Role
from dunwell.store.database import Database
from dunwell.store.tables import Base
from tests.fuzz.nonsense import mutated, spoiled, value
from tests.fuzz.service import quiet
from tests.fuzz.talk import GOOD
from tests.fuzz.tally import Tally
from tests.web.principals import bearer, give_keys, sign_in

_PAGES_OF_A_ROUTE = 3
_MOST_IDS = 30
_NUMBERS = ("-1", "0", "1", "40", "2147483648", "9223372036854775807", "9223372036854775808", "1" + "0" * 400, "1e3")
"""Where a place in a list, or an amount, is asked for."""
_REFUSED_AT_THE_DOOR = frozenset({401, 403})


class Reached:
    """An application that counts, by method and path of the route, the requests that got past its door."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.counts = Counter[tuple[str, str]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, noting_status)
        route = scope.get("route")
        if isinstance(route, APIRoute) and status not in _REFUSED_AT_THE_DOOR:
            self.counts[scope["method"], route.path] += 1


@dataclass
class _Form:
    """A form of a page: what a browser would send, and for a choice all that may be chosen."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def filled(self, random: Random) -> dict[str, str]:
        return self.values | {name: random.choice(options) for name, options in self.choices.items()}


class _Page(HTMLParser):
    """The addresses and forms of a page. A form without an action goes to the page's own `path`."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__()
        self._path = path
        self.links: set[str] = set()
        self.forms: list[_Form] = []
        self._choice = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: text or "" for name, text in attrs}
        self.links |= {known[name] for name in ("href", "hx-get") if known.get(name, "").startswith("/console")}
        name = known.get("name", "")
        if tag == "form":
            self.forms.append(_Form(known.get("action") or self._path, known.get("method", "get").upper()))
        elif self.forms and tag in {"input", "textarea"} and name:
            self.forms[-1].values[name] = known.get("value", "")
        elif tag == "select":
            self._choice = name
        elif tag == "option" and self.forms and self._choice:
            self.forms[-1].choices[self._choice].append(known.get("value", ""))


class Visitor:
    """An administrator with a browser and a key, who tries every route of `app` with what the database holds."""

    def __init__(self, app: Reached, routes: Sequence[APIRoute], database: Database, random: Random) -> None:
        self._routes, self._database, self._random = routes, database, random
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")
        self._links: dict[str, set[str]] = defaultdict(set)
        self._forms: dict[str, list[_Form]] = defaultdict(list)
        give_keys(database)
        self._sign_in()
        self._ids = _ids(database)

    def _sign_in(self) -> None:
        session = sign_in(self._database, Role.ADMINISTRATOR)
        self._headers = session | bearer(Role.ADMINISTRATOR) | {"Sec-Fetch-Site": "same-origin"}

    async def look_around(self) -> None:
        """Follow the links from the first page, some pages of each kind, and remember their forms."""
        todo, seen = ["/console"], set[str]()
        while todo:
            address = todo.pop(0)
            route = self._route_of("GET", address)
            if address in seen or route is None or len(self._links[route]) >= _PAGES_OF_A_ROUTE:
                continue
            seen.add(address)
            self._links[route].add(address)
            answer = await self._http.get(address, headers=self._headers)
            todo += sorted(self._remember(answer))

    def _remember(self, answer: httpx.Response) -> set[str]:
        """Keep the forms of a page. Returns where it leads to."""
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            return set()
        page = _Page(answer.text, answer.request.url.path)
        for form in page.forms:
            wanted = self._route_of(form.method, form.action)
            if wanted is not None:
                self._forms[wanted].append(form)
        return page.links

    async def try_all(self, count: int, tally: Tally) -> None:
        """`count` requests for each method of each route."""
        with quiet():
            for route in self._routes:
                for method in sorted(route.methods or ()):
                    for _ in range(count):
                        await self._try(route, method, tally)

    async def close(self) -> None:
        await self._http.aclose()

    async def _try(self, route: APIRoute, method: str, tally: Tally) -> None:
        request = self._request(route, method)
        if request is None:
            return
        tally.tried += 1
        where = f"{method} {route.path}"
        try:
            answer = await self._http.request(method, headers=self._headers | request.pop("headers", {}), **request)
        except Exception as error:
            tally.crashed(where, error, request["url"])
            return
        tally.answered(where, answer.status_code, request["url"])
        if method == "POST":
            self._remember(answer)
        if route.path in {"/console/sign-out", "/console/set-password"} or answer.status_code == 401:
            self._sign_in()

    # What is sent ----------------------------------------------------------------------------------------

    def _request(self, route: APIRoute, method: str) -> dict[str, Any] | None:
        """The address and content of a request; None for what cannot be put on a wire."""
        forms = self._forms.get(route.path, []) if method != "GET" else []
        form = self._random.choice(forms) if forms else None
        try:
            address = urlsplit(form.action).path if form and self._random.random() < 0.8 else self._path(route)
            query = self._query(route)
            url = f"{address}?{urlencode(query)}" if query else address
            request: dict[str, Any] = {"url": url}
            if self._random.random() < 0.2:
                request["headers"] = {"HX-Request": "true"}
            return request if method in {"GET", "HEAD"} else request | self._body(route, form)
        except UnicodeEncodeError:
            return None

    def _path(self, route: APIRoute) -> str:
        """The route's address with ids that exist, or none."""
        path = route.path
        for one in route.dependant.path_params:
            known = self._ids.get(one.name, []) or [part for part in _WORDS if self._random.random() < 0.2]
            text = self._random.choice(known) if known and self._random.random() < 0.8 else self._text()[:300]
            path = path.replace(f"{{{one.name}}}", quote(text.replace("/", "") or "x", safe=""))
        return path

    def _query(self, route: APIRoute) -> dict[str, str]:
        found = {}
        for name in _query_names(route.dependant):
            if self._random.random() < 0.5:
                known = self._ids.get(name, [])
                kinds = [self._text(), self._random.choice(_NUMBERS), *known[:1], *known[-1:]]
                found[name] = self._random.choice(kinds)
        return found

    def _body(self, route: APIRoute, form: _Form | None) -> dict[str, Any]:
        """The body of a request: mostly a form or an object that is nearly right."""
        fields = form.filled(self._random) if form else {}
        kind = self._random.randrange(10)
        if kind == 0:
            return {"content": self._random.randbytes(self._random.randrange(3000))}
        if kind == 1:
            name = self._text()[:50].replace("\r", "").replace("\n", "") or "f"
            name.encode()  # UnicodeEncodeError: no client can send it
            return {"data": fields, "files": {"file": (name, self._random.randbytes(200))}}
        if kind == 2:
            return {"content": spoiled(self._random, urlencode(fields or {"a": "b"}).encode()), "headers": _AS_FORM}
        if not route.path.startswith("/console"):
            name = self._random.choice(list(GOOD))
            good = GOOD.get(route.path.rpartition("/")[2], GOOD[name])
            content = mutated(self._random, good) if self._random.random() < 0.7 else value(self._random)
            return {"content": json.dumps(content).encode(), "headers": {"Content-Type": "application/json"}}
        changed = mutated(self._random, fields) if self._random.random() < 0.5 else fields | self._typed(fields)
        flat = {str(name): str(text) for name, text in changed.items()} if isinstance(changed, Mapping) else {}
        return {"content": urlencode(flat).encode(), "headers": _AS_FORM}

    def _typed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Some of the empty fields, filled with what people type and with what they should not."""
        likely = ("2027-04-01", "100.00", "2027-04-01T10:00", "hardship", "done", "approved", "delivered")
        return {
            name: self._random.choice(likely) if self._random.random() < 0.7 else self._text()
            for name, text in fields.items()
            if not text and self._random.random() < 0.7
        }

    def _text(self) -> str:
        return str(value(self._random, 1))

    def _route_of(self, method: str, address: str) -> str | None:
        path = urlsplit(address).path
        found = (one for one in self._routes if method in (one.methods or ()) and one.path_regex.match(path))
        return next((one.path for one in found), None)


async def every_route(
    app: Reached, routes: Sequence[APIRoute], database: Database, random: Random, count: int, tally: Tally
) -> None:
    """`count` requests for each method of each route, over a database that others have filled."""
    visitor = Visitor(app, routes, database, random)
    await visitor.look_around()
    await visitor.try_all(count, tally)
    await visitor.close()


_AS_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_WORDS = (*GOOD, "set", "close", "open", "apply", "return", "pause", "resume", "contacts", "approve", "decline")
"""What may stand for an event, an action or a decision in an address."""


def _query_names(dependant: Dependant) -> list[str]:
    inner = [name for one in dependant.dependencies for name in _query_names(one)]
    return [*(one.name for one in dependant.query_params), *inner]


def _ids(database: Database) -> dict[str, list[str]]:
    """By the name of the column: some of the ids that there are."""
    found: dict[str, list[str]] = defaultdict(list)
    with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            for column in table.primary_key.columns:
                found[column.name] += map(str, session.scalars(select(column).distinct().limit(_MOST_IDS)))
    return found
