"""Signing in to the console as a browser does it: by link, by password, by an identity provider."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from dunwell.domain.principals import Role
from dunwell.gateways.open_id import OpenIdSettings
from dunwell.services.users import Users
from dunwell.store import audit
from dunwell.store.database import Database
from dunwell.web.app import make_app
from dunwell.web.service import Keys
from tests.web.conftest import PUBLIC_URL, serve
from tests.web.identity_provider import CLIENT, SECRET, IdentityProvider, running
from tests.web.principals import OPERATOR, from_our_page, sign_in

PASSWORD = "four words of a song"
OURS = from_our_page({})
LOCAL = Keys(public_url="http://127.0.0.1:8080")


def browser(database: Database, keys: Keys = LOCAL) -> httpx.AsyncClient:
    app = make_app(serve(None, database, keys))  # type: ignore[arg-type]  # no page asks the engine
    base = "https://dunning.example" if keys.public_url.startswith("https") else "http://127.0.0.1:8080"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base)


@pytest.fixture
async def http(file_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(file_database) as client:
        yield client


def invite(database: Database, role: Role = Role.AGENT, *, sets_password: bool = True) -> str:
    """Return the token of a link for ada@example.com."""
    users, now = Users(database), datetime.now(UTC)
    _, link = users.add("ada@example.com", role, OPERATOR, now)
    return link if sets_password else users.link("ada@example.com", OPERATOR, now, sets_password=False)


async def test_a_first_sign_in_sets_a_password(file_database: Database, http: httpx.AsyncClient) -> None:
    link = invite(file_database)
    for _ in range(2):  # looking at it, as a scanner of mails does, uses nothing up
        shown = await http.get(f"/console/set-password?link={link}")
        assert shown.status_code == 200 and link in shown.text and not shown.cookies
    form = {"link": link, "password": PASSWORD, "repeated": "another four words"}
    differ = await http.post("/console/set-password", data=form, headers=OURS)
    assert differ.status_code == 422 and "differ" in differ.text and PASSWORD not in differ.text
    short = await http.post("/console/set-password", data=form | {"password": "a", "repeated": "a"}, headers=OURS)
    assert short.status_code == 422 and "15 to 200 characters" in short.text
    done = await http.post("/console/set-password", data=form | {"repeated": PASSWORD}, headers=OURS)
    assert (done.status_code, done.headers["location"]) == (303, "/console")
    cookie = done.headers["set-cookie"]
    assert cookie.startswith("dunwell=") and "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert "Secure" not in cookie  # plain HTTP, on this machine only
    assert (await http.get("/console")).status_code == 200
    assert (await http.get(f"/console/set-password?link={link}")).status_code == 404
    left = await http.post("/console/sign-out", headers=OURS)
    assert left.headers["location"] == "/console/sign-in"
    assert (await http.get("/console")).headers["location"] == "/console/sign-in?next=%2Fconsole"


async def test_a_link_that_signs_in_does_so_once_and_by_its_button(
    file_database: Database, http: httpx.AsyncClient
) -> None:
    link = invite(file_database, sets_password=False)
    shown = await http.get(f"/console/sign-in?link={link}")
    assert shown.status_code == 200 and "signs you in once" in shown.text and not shown.cookies
    done = await http.post("/console/sign-in", data={"link": link}, headers=OURS)
    assert (done.status_code, done.headers["location"]) == (303, "/console")
    http.cookies.clear()
    again = await http.post("/console/sign-in", data={"link": link}, headers=OURS)
    assert again.status_code == 422 and "used before" in again.text and not again.cookies


async def test_by_password_and_only_to_pages_of_the_console(file_database: Database, http: httpx.AsyncClient) -> None:
    Users(file_database).use_link(invite(file_database), PASSWORD, datetime.now(UTC))
    form = {"email": "Ada@example.com", "password": PASSWORD}
    wrong = await http.post("/console/sign-in", data=form | {"password": "wrong"}, headers=OURS)
    assert wrong.status_code == 422 and "do not belong together" in wrong.text and not wrong.cookies
    tokens = set()
    for wanted, sent_to in (
        ("/console/cases", "/console/cases"),
        ("//evil.example", "/console"),
        ("https://evil.example/console", "/console"),
        ("/console/../../x\r\ny", "/console"),
        ("/console//evil.example", "/console"),
    ):
        done = await http.post("/console/sign-in", data=form | {"next": wanted}, headers=OURS)
        assert (done.status_code, done.headers["location"]) == (303, sent_to)
        tokens.add(done.headers["set-cookie"].partition(";")[0])
    assert len(tokens) == 5  # new at each sign-in


async def test_over_https_the_cookie_is_bound_to_the_host(file_database: Database) -> None:
    link = invite(file_database, sets_password=False)
    async with browser(file_database, Keys(public_url=PUBLIC_URL, hosts=frozenset({"dunning.example"}))) as http:
        done = await http.post("/console/sign-in", data={"link": link}, headers=OURS)
    cookie = done.headers["set-cookie"]
    assert cookie.startswith("__Host-dunwell=") and "Secure" in cookie and "Path=/" in cookie
    assert "domain" not in cookie.lower()


async def test_no_cookie_travels_unprotected(file_database: Database) -> None:
    link = invite(file_database, sets_password=False)
    async with browser(
        file_database, Keys(public_url="http://dunning.example", hosts=frozenset({"a.example"}))
    ) as http:
        refused = await http.post("http://a.example/console/sign-in", data={"link": link}, headers=OURS)
    assert refused.status_code == 403 and "needs HTTPS" in refused.text


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://127.0.0.1:8080"}, True),
        ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({}, False),
    ],
)
async def test_a_form_of_another_site_does_nothing(
    file_database: Database, http: httpx.AsyncClient, headers: dict[str, str], let_in: bool
) -> None:
    cookie = sign_in(file_database, Role.ADMINISTRATOR, secure=False)
    answer = await http.post("/console/sign-out", headers=cookie | headers)
    assert answer.status_code == (303 if let_in else 403)
    alive = await http.get("/console", headers=cookie)
    assert alive.status_code == (303 if let_in else 200)
    at_work = await http.post("/console/cases/inv-9/pause", data={"reason": "x"}, headers=cookie | headers)
    assert (at_work.status_code == 403) is not let_in


async def test_a_form_whose_session_has_ended_is_kept_until_the_next_sign_in(
    file_database: Database, http: httpx.AsyncClient
) -> None:
    Users(file_database).use_link(invite(file_database), PASSWORD, datetime.now(UTC))
    written = {"note": 'said "Friday" <b>', "form_id": "f1", "date": "2027-03-12"}
    asked = await http.post("/console/cases/inv-1/promise_to_pay", data=written, headers=OURS)
    assert asked.status_code == 401 and "session has ended" in asked.text
    kept = re.search(r'name="again" value="([^"]*)"', asked.text)
    assert kept
    again = kept[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert json.loads(again) == {"path": "/console/cases/inv-1/promise_to_pay", "fields": written}
    form = {"email": "ada@example.com", "password": PASSWORD, "again": again}
    done = await http.post("/console/sign-in", data=form, headers=OURS)
    assert done.status_code == 200 and 'action="/console/cases/inv-1/promise_to_pay"' in done.text
    assert 'name="form_id" value="f1"' in done.text and "<b>" not in done.text
    forged = json.dumps({"path": "https://evil.example/console", "fields": {}})
    assert (await http.post("/console/sign-in", data=form | {"again": forged}, headers=OURS)).status_code == 303
    by_htmx = await http.get("/console/cases", headers={"HX-Request": "true", "Cookie": "dunwell=over"})
    assert by_htmx.headers["HX-Redirect"] == "/console/sign-in?next=%2Fconsole%2Fcases"


# By an identity provider ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_provider() -> Iterator[IdentityProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(one_provider: IdentityProvider) -> IdentityProvider:
    one_provider.claims = {"email": "Ada@example.com", "email_verified": True}
    one_provider.key, one_provider.algorithm = one_provider.published, "RS256"
    return one_provider


@pytest.fixture
async def company(file_database: Database, provider: IdentityProvider) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of a company whose identity provider is set up, and where Ada is a user."""
    invite(file_database)
    callback = "http://127.0.0.1:8080/console/sign-in/callback"
    keys = replace(LOCAL, open_id=OpenIdSettings(provider.url, CLIENT, SECRET, callback))
    async with browser(file_database, keys) as http:
        yield http


async def to_the_provider_and_back(http: httpx.AsyncClient) -> str:
    """Return the address to which the provider sends the browser back."""
    begun = await http.get("/console/sign-in/provider")
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient(trust_env=False) as outside:
        return str((await outside.get(begun.headers["location"])).headers["location"])


async def test_a_user_signs_in_by_the_company_s_account(file_database: Database, company: httpx.AsyncClient) -> None:
    assert "company" in (await company.get("/console/sign-in")).text
    done = await company.get(await to_the_provider_and_back(company))
    assert (done.status_code, done.headers["location"]) == (303, "/console"), done.text
    assert (await company.get("/console")).status_code == 200
    with file_database.reading() as session:
        (entry,) = [one for one in audit.read(session) if one.action == "signed_in"]
    assert entry.details == {"by": "provider"}


async def test_an_answer_that_another_browser_asked_for_is_refused(company: httpx.AsyncClient) -> None:
    back = await to_the_provider_and_back(company)
    mine = dict(company.cookies)
    company.cookies.clear()
    assert (await company.get(back)).status_code == 422
    company.cookies.update(mine)
    assert (await company.get(back.replace("state=", "state=x"))).status_code == 422
    again = await company.get(back)  # what was taken once is gone, so a wrong try has spent it
    assert again.status_code == 422 and "begin again" in again.text


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"email": "eve@example.com"}, "are no user here"),
        ({"email_verified": False}, "has verified"),
        ({"email_verified": None}, "has verified"),
        ({"email": None}, "has verified"),
        ({"nonce": "another"}, "not valid"),
        ({"nonce": None}, "not valid"),
        ({"aud": "another"}, "not valid"),
        ({"azp": "another"}, "for another program"),
        ({"iss": "https://evil.example"}, "not valid"),
        ({"exp": 1}, "not valid"),
        ({"exp": None}, "not valid"),
    ],
)
async def test_an_answer_that_cannot_be_trusted_signs_nobody_in(
    company: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, Any], says: str
) -> None:
    provider.claims |= claims
    refused = await company.get(await to_the_provider_and_back(company))
    assert refused.status_code == 422 and says in refused.text
    assert (await company.get("/console")).status_code == 303


@pytest.mark.parametrize("algorithm", ["RS256", "HS256"])
async def test_an_answer_signed_by_another_key_signs_nobody_in(
    company: httpx.AsyncClient, provider: IdentityProvider, algorithm: str
) -> None:
    other = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    provider.key = other if algorithm == "RS256" else OctKey.import_key(b"x" * 32)  # type: ignore[assignment]
    provider.algorithm = algorithm
    refused = await company.get(await to_the_provider_and_back(company))
    assert refused.status_code == 422 and "not valid" in refused.text


async def test_a_provider_that_is_away_is_told(file_database: Database) -> None:
    away = OpenIdSettings("http://127.0.0.1:9", CLIENT, SECRET, "http://127.0.0.1:8080/console/sign-in/callback")
    async with browser(file_database, replace(LOCAL, open_id=away)) as http:
        answer = await http.get("/console/sign-in/provider")
        assert answer.status_code == 503 and "cannot be used" in answer.text
    async with browser(file_database) as http:
        assert (await http.get("/console/sign-in/provider")).status_code == 404
