"""The console at work: in process for rules, and on a port for a real browser."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import cast

import httpx
import pytest
from fastapi import FastAPI, Request
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from temporalio.client import Client

from dunwell.client.cases import Cases
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.gateways.setting_fields import SharedSettings
from dunwell.intake.csv_columns import COLUMNS
from dunwell.store.database import Database
from dunwell.web import auth
from dunwell.web.app import make_app
from dunwell.web.service import Keys, make_service
from tests.browser import launch, serving
from tests.builders import sample_deps, the_ladders
from tests.web.console.engine import Engine
from tests.web.console.town import NOW, settle

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
_HOST = "http://127.0.0.1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser's tests behind all others: once it runs, asyncio takes its thread's loop for a running one."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@dataclass
class Site:
    """The console over a town. `role` is that of whoever is signed in; None: nobody is."""

    app: FastAPI
    engine: Engine
    database: Database
    settings: SharedSettings
    role: Role | None = Role.MANAGER
    user_id: str | None = None

    @property
    def principal(self) -> Principal:
        assert self.role is not None
        return Principal(
            kind=PrincipalKind.PERSON, id=self.user_id or f"{self.role.value}-1", name="Ana López", role=self.role
        )

    @asynccontextmanager
    async def browse(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app=self.app)
        hooks = {"response": [well_worded]}
        async with httpx.AsyncClient(
            transport=transport, base_url=_HOST, headers=SAME_ORIGIN, event_hooks=hooks
        ) as http:
            yield http


_ODD = re.compile(r".{0,60}(?:starter\.py|(?<!\.)\.\s?\.(?![./])|\b([A-Z]\w+): \1\b).{0,40}", re.IGNORECASE)


_CODE = re.compile(r"(?<![\w.@/-])[a-z]+(?:_[a-z]+)+(?![\w@-]|\.\w)")
"""A word of programs: "handed_over" for "handed over". Ids, addresses and names of files are none."""
_SHOWN_AS_IT_IS = re.compile(r"<(code|pre|textarea)\b.*?</\1>", re.DOTALL)
"""What is shown letter for letter: ids, and the text of a policy."""


async def well_worded(response: httpx.Response) -> None:
    """Every page of every test names no command, ends no sentence twice, says no label twice, and shows no code."""
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return
    await response.aread()
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())
    odd = _ODD.search(words)
    assert odd is None, f"{response.url.path}: …{odd[0]}…"
    codes = _CODE.findall(
        " ".join(unescape(re.sub(r"<[^>]+>", " ", _SHOWN_AS_IT_IS.sub(" ", response.text))).split())
    )
    codes = [one for one in codes if not (response.url.path.startswith("/console/invoices") and one in COLUMNS)]
    assert codes == [], f"{response.url.path} says {codes}"


_principal_of = auth.principal_of


def site_on(database: Database, folder: Path, keys: Keys | None = None) -> Site:
    deps = sample_deps(database)
    engine = Engine(deps, lambda: NOW)
    client = cast(Client, engine)
    settings = SharedSettings(dunwell_state=folder)
    service = make_service(client, deps, the_ladders(), Cases(client, database), keys or Keys(), settings)
    app = make_app(service)
    app.state.clock = lambda: NOW
    site = Site(app, engine, database, settings)
    app.state.site = site
    return site


async def _signed_in(request: Request) -> Principal:
    site: Site | None = getattr(request.app.state, "site", None)
    return await _principal_of(request) if site is None or site.role is None else site.principal


@contextmanager
def sitting() -> Iterator[None]:
    """Whoever asks is signed in by the role of the site."""
    auth.principal_of = _signed_in
    yield
    auth.principal_of = _principal_of


@pytest.fixture(autouse=True, scope="session")
def signed_in() -> Iterator[None]:
    with sitting():
        yield


@pytest.fixture(scope="session")
def filled_file(blank_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the town's customers, to be copied."""
    file = tmp_path_factory.mktemp("town") / "town.sqlite"
    shutil.copy(blank_file, file)
    database = Database(f"sqlite:///{file}")
    settle(sample_deps(database))
    database.close()
    return file


@pytest.fixture
def site(filled_file: Path, tmp_path: Path) -> Iterator[Site]:
    """A town of its own for each test, in process."""
    shutil.copy(filled_file, tmp_path / "town.sqlite")
    database = Database(f"sqlite:///{tmp_path}/town.sqlite")
    yield site_on(database, tmp_path)
    database.close()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browse() as http:
        yield http


# In a browser --------------------------------------------------------------------------------------------


@dataclass
class Running:
    """The console on a port."""

    site: Site
    address: str


@pytest.fixture(scope="session")
def running(filled_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One town for all tests with a browser."""
    file = tmp_path_factory.mktemp("running") / "town.sqlite"
    shutil.copy(filled_file, file)
    database = Database(f"sqlite:///{file}")
    site = site_on(database, file.parent)
    with serving(site.app) as address:
        yield Running(site, address)
    database.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, once a run. Where there is none, the tests fail."""
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, running: Running) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=running.address, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()
