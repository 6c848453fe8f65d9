"""Every route by every role: let in or refused, as the table below says. A route that names no right fails."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from dunwell.domain.principals import Right, Role
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.web.app import make_app
from tests.web.conftest import FakeTemporal, a_key, keys_for, serve
from tests.web.principals import bearer, from_our_page, sign_in
from tests.web.routes import Route, all_routes

ADMINISTRATOR, MANAGER, AGENT, AUDITOR, BILLING, PRODUCT = Role

MAY: Mapping[Right, set[Role]] = {
    Right.INVOICES_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR, BILLING},
    Right.INVOICES_WRITE: {ADMINISTRATOR, MANAGER, AGENT, BILLING},
    Right.PAYMENTS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR, BILLING},
    Right.PAYMENTS_WRITE: {ADMINISTRATOR, MANAGER, AGENT, BILLING},
    Right.CASES_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR, BILLING},
    Right.CASES_WRITE: {ADMINISTRATOR, MANAGER, AGENT},
    Right.TASKS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.TASKS_WRITE: {ADMINISTRATOR, MANAGER, AGENT},
    Right.MESSAGES_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.MESSAGES_WRITE: {ADMINISTRATOR, MANAGER, AGENT},
    Right.CUSTOMERS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.CUSTOMERS_WRITE: {ADMINISTRATOR, MANAGER, AGENT},
    Right.POLICIES_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.POLICIES_WRITE: {ADMINISTRATOR, MANAGER},
    Right.APPROVALS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.APPROVALS_WRITE: {ADMINISTRATOR, MANAGER},
    Right.WRITE_OFF_WRITE: {ADMINISTRATOR, MANAGER},
    Right.CANCEL_WRITE: {ADMINISTRATOR, MANAGER, BILLING},
    Right.STATEMENTS_WRITE: {ADMINISTRATOR, MANAGER, BILLING},
    Right.LETTERS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.LETTERS_WRITE: {ADMINISTRATOR, MANAGER, AGENT},
    Right.FIGURES_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR},
    Right.ACCESS_READ: {ADMINISTRATOR, MANAGER, AGENT, AUDITOR, PRODUCT},
    Right.USERS_READ: {ADMINISTRATOR, AUDITOR},
    Right.USERS_WRITE: {ADMINISTRATOR},
    Right.KEYS_READ: {ADMINISTRATOR, AUDITOR},
    Right.KEYS_WRITE: {ADMINISTRATOR},
    Right.SETTINGS_READ: {ADMINISTRATOR, AUDITOR},
    Right.SETTINGS_WRITE: {ADMINISTRATOR},
    Right.AUDIT_READ: {ADMINISTRATOR, MANAGER, AUDITOR},
}

OPEN = re.compile(
    r"/console/(static/\{name\}|sign-in(/.*)?|set-password|sign-out)"  # before a session, or to end one
    r"|/api/(openapi\.json|docs.*)"  # with any key
    r"|/webhooks/.*|/unsubscribe(/\{token:path\})?|/p(/\{code:path\})?"
    r"|/i/static/(customer\.css|icon\.svg)|/i(/\{token.*)?"  # signed, or with a token of their own; or a style sheet
    r"|/r(/\{token:path\}|/\{token\}/(waiting|promise|grace))?"
    r"|/(livez|readyz|healthz)"
)
"""Paths whose routes need no right."""

GUARDED = [route for route in all_routes() if route.right is not None]


def test_every_right_has_its_row() -> None:
    assert MAY.keys() == set(Right)


def test_every_route_names_a_right_or_is_open() -> None:
    assert [str(one) for one in all_routes() if one.right is None and not OPEN.fullmatch(one.path)] == []
    assert len(GUARDED) > 50


OTHERWISE = {
    "GET /console/invoices",  # the empty form of those who may start invoices
    *(f"POST /console/filters/{name}" for name in ("cases", "customers", "messages")),  # one's own, as the next
    *(f"POST /console/filters/{name}/delete" for name in ("cases", "customers", "messages")),
    "POST /console/profile",
    "GET /console/statements",  # likewise of those who may book statements
    "POST /console/policies/check",  # checks the text that was sent, and keeps nothing
}


def test_what_reads_has_the_right_to_read_and_what_writes_to_write() -> None:
    other = {str(one) for one in GUARDED if one.right and one.right.reads != (one.method == "GET")}
    assert other == OTHERWISE


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty database, where each role has a key and a session."""
    folder: Path = tmp_path_factory.mktemp("roles")
    database = Database(f"sqlite:///{folder}/roles.sqlite")
    migrate(database)
    yield database
    database.close()


@pytest.fixture(scope="module")
def doors(town: Database) -> httpx.ASGITransport:
    return httpx.ASGITransport(app=make_app(serve(FakeTemporal(), town, keys_for(a_key()))))  # type: ignore[arg-type]


@pytest.fixture
async def http(doors: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=doors, base_url="http://127.0.0.1") as client:
        yield client


def headers_of(role: Role, route: Route, town: Database) -> dict[str, str]:
    if route.path.startswith("/api/"):
        return bearer(role)
    return from_our_page(sign_in(town, role))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("route", GUARDED, ids=str)
async def test_a_role_at_a_route(http: httpx.AsyncClient, town: Database, route: Route, role: Role) -> None:
    assert route.right is not None
    path = re.sub(r"\{\w+\}", "nobody", route.path)
    headers = await asyncio.to_thread(headers_of, role, route, town)
    answer = await http.request(route.method, path, headers=headers)
    assert (answer.status_code != 403) is (role in MAY[route.right]), answer.text
    assert answer.status_code != 401 and answer.status_code < 500
    if answer.status_code == 403:
        assert role.value in answer.text


@pytest.mark.parametrize("route", GUARDED, ids=str)
async def test_nobody_at_a_route(http: httpx.AsyncClient, route: Route) -> None:
    path = re.sub(r"\{\w+\}", "nobody", route.path)
    answer = await http.request(route.method, path, headers=from_our_page({}))
    assert answer.status_code == 401 if route.path.startswith("/api/") else answer.status_code in {303, 401}
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/console/sign-in")


@pytest.mark.parametrize("route", [one for one in GUARDED if one.path.startswith("/console")], ids=str)
async def test_a_key_opens_no_page_nor_a_session_the_api(
    http: httpx.AsyncClient, town: Database, route: Route
) -> None:
    path = re.sub(r"\{\w+\}", "nobody", route.path)
    answer = await http.request(route.method, path, headers=bearer(Role.ADMINISTRATOR) | from_our_page({}))
    assert answer.status_code in {303, 401}
    by_session = await http.get("/api/tasks", headers=sign_in(town, Role.ADMINISTRATOR))
    assert by_session.status_code == 401


@pytest.mark.parametrize(("role", "status"), [(Role.AGENT, 403), (Role.BILLING, 403), (Role.MANAGER, 404)])
async def test_who_may_approve_a_step(http: httpx.AsyncClient, role: Role, status: int) -> None:
    body = {"task_id": "t", "outcome": "approved", "by": "x"}
    answer = await http.post("/api/cases/nobody/call_outcome", json=body, headers=bearer(role))
    assert answer.status_code == status
