"""What a stranger tries at the doors: other names, other origins, keys told twice, and callers who never finish."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn

from dunwell.web import request_body
from dunwell.web.allowed_hosts import AllowedHosts, host_of
from dunwell.web.app import make_app
from dunwell.web.slow_clients import HeadTimeoutProtocol
from tests.web.conftest import TOKEN, Site

BEARER = {"Authorization": f"Bearer {TOKEN}"}


# Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "inside.example.evil.example", "10.0.0.7", "", "127.0.0.1.evil", "[::"]
)
@pytest.mark.parametrize(
    "path", ["/api/tasks", "/healthz", "/unsubscribe/x", "/p/x", "/i/x", "/r/x", "/webhooks/sendgrid", "/nothing"]
)
async def test_f6_a_foreign_host_is_refused_everywhere(site: Site, host: str, path: str) -> None:
    answer = await site.http.get(path, headers={"Host": host, **BEARER})
    assert answer.status_code == 421
    assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["inside.example", "INSIDE.example:443", "localhost:8080", "127.0.0.1", "[::1]:1"])
async def test_f6_our_own_names_are_answered(site: Site, host: str) -> None:
    assert (await site.http.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_f6_probes_ask_by_any_name_and_learn_nothing(site: Site, path: str) -> None:
    answer = await site.http.get(path, headers={"Host": "10.4.0.17:8080"})
    assert (answer.status_code, answer.json()) in [(200, {"service": "ok"}), (200, {"database": "ok"})]


async def test_f6_two_hosts_are_none() -> None:
    called: list[object] = []

    async def app(*_: object) -> None:
        called.append(1)

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        called.append(message.get("status"))

    scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost"), (b"host", b"evil.example")]}
    await AllowedHosts(app, ())(scope, None, send)  # type: ignore[arg-type]
    assert called == [421, None]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("https://D.example/base", "d.example"),
        ("d.example", "d.example"),
        ("", ""),
    ],
)
def test_the_host_of_an_address(address: str, host: str) -> None:
    assert host_of(address) == host


async def test_f6_a_slash_too_many_leads_nowhere(site: Site) -> None:
    answer = await site.http.get("/api/tasks/", headers={"Host": "inside.example"})
    assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_f6_the_description_needs_the_token(site: Site) -> None:
    assert (await site.http.get("/api/openapi.json")).status_code == 401
    assert (await site.http.get("/api/openapi.json", headers=BEARER)).status_code == 200


async def test_f6_a_page_of_another_origin_gets_no_leave_to_read_or_write(site: Site) -> None:
    """No answer names an origin, and without the token, which no page has, nothing is done."""
    foreign = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    for method, path in [
        ("OPTIONS", "/api/tasks"),
        ("POST", "/api/cases/inv-1/payment_received"),
        ("GET", "/healthz"),
    ]:
        answer = await site.http.request(method, path, headers=foreign, content=b"{}")
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert site.temporal.signals == []


# Bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"by": "a", "by": "b"}', "by"),
        (
            '{"by": "a", "instalments": [{"date": "2027-01-01", "amount": "1", "amount": "2"}]}',
            "instalments.0.amount",
        ),
        ('{"promise": {"date": "2027-01-01", "date": "2027-01-02"}}', "promise.date"),
        ('{"a": [[{"b": {"c": 1, "c": 2}}]]}', "a.0.0.b.c"),
    ],
)
async def test_f6_a_key_given_twice_is_refused_however_deep(site: Site, body: str, field: str) -> None:
    answer = await site.http.post("/api/cases/inv-1/payment_plan_agreed", content=body, headers=BEARER)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


# Slow callers --------------------------------------------------------------------------------------------


class Hasty(HeadTimeoutProtocol):
    head_seconds = 0.5


@pytest.fixture
def hasty_bodies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.5)
    yield


@contextlib.asynccontextmanager
async def served(site: Site) -> AsyncIterator[int]:
    """The application on a real port, with little patience."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(make_app(site.service), http=Hasty, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield int(door.getsockname()[1])
        finally:
            server.should_exit = True
            await task


async def heard(port: int, *pieces: bytes) -> bytes:
    """All that the service says to a caller who sends these pieces and then nothing, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    said = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(30):
            said = await reader.read()
    writer.close()
    return said


WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ((), 0),
        ((b"GET /livez HTTP/1.1\r\n", b"Host: local"), 0),
        ((WHOLE,), 1),
        ((WHOLE, WHOLE[:20]), 1),
        ((WHOLE + WHOLE[:20],), 1),
    ],
    ids=["nothing", "half a head", "one request", "a second half", "a second half at once"],
)
async def test_f6_who_does_not_finish_a_head_is_hung_up_on(
    site: Site, pieces: tuple[bytes, ...], answers: int
) -> None:
    async with served(site) as port:
        said = await heard(port, *pieces)
    assert said.count(b"HTTP/1.1 200") == answers


@pytest.mark.usefixtures("hasty_bodies")
async def test_f6_who_does_not_finish_a_body_is_told_so(site: Site) -> None:
    head = f"POST /api/cases/inv-1/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    async with served(site) as port:
        said = await heard(port, head.encode() + b"Content-Length: 50\r\n\r\n", b"{")
    assert said.startswith(b"HTTP/1.1 408")


# Probes --------------------------------------------------------------------------------------------------


async def test_e17_while_temporal_is_away_the_service_lives_and_takes_webhooks(site: Site) -> None:
    site.temporal.away = True
    found = {path: (await site.http.get(path)).status_code for path in ("/livez", "/readyz", "/healthz")}
    assert found == {"/livez": 200, "/readyz": 200, "/healthz": 503}


async def test_e17_without_its_database_it_lives_and_is_not_ready(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.database, "problem", lambda: "does not answer")
    found = {path: (await site.http.get(path)).status_code for path in ("/livez", "/readyz", "/healthz")}
    assert found == {"/livez": 200, "/readyz": 503, "/healthz": 503}
