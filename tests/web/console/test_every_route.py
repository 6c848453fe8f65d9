"""The short form of `make fuzz` for the pages: every route of the web service is tried, and none fails."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import cast

import httpx
import pytest

from dunwell.gateways import registry
from dunwell.store.database import Database
from tests.fuzz.pages import Reached, every_route
from tests.fuzz.service import providers_doors
from tests.fuzz.tally import Tally, table
from tests.web.conftest import FakeTemporal, a_key, keys_for
from tests.web.conftest import Site as Signing
from tests.web.console.conftest import site_on
from tests.web.routes import routes_of


@pytest.fixture
def database(filled_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(filled_file, tmp_path / "town.sqlite")
    database = Database(f"sqlite:///{tmp_path}/town.sqlite")
    yield database
    database.close()


async def test_nonsense_at_every_route_harms_nothing_and_none_is_left_out(database: Database, tmp_path: Path) -> None:
    # A few seconds: some two hundred requests, of which each route gets two.
    key = a_key()
    site = site_on(database, tmp_path, keys_for(key))
    site.role = None  # whoever asks has a session, or an API key
    app, routes, tally = Reached(site.app), routes_of(site.app), Tally("every route")
    await every_route(app, routes, database, Random(7), 2, tally)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as http:
        signing = Signing(cast(object, site.app.state.service), http, FakeTemporal(), key)  # type: ignore[arg-type]
        webhooks = await providers_doors(signing, Random(7), 25 * len(list(registry.webhooks())))
    assert tally.well and webhooks.well, "\n" + table([tally, webhooks])
    known = {(method, one.path) for one in routes for method in one.methods or ()}
    assert known - app.counts.keys() == set()
