"""All the doors at once, on a server, a worker and a database of their own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from dunwell.client.server import Patience
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import sample_deps
from tests.fuzz import files, service, statements, talk
from tests.fuzz.pages import Reached, every_route
from tests.fuzz.tally import Tally
from tests.web.conftest import FakeTemporal, Site, a_key, browse, keys_for, serve
from tests.web.console import conftest as console
from tests.web.console.town import settle
from tests.web.routes import routes_of
from tests.workflows.harness import CaseHarness, harness_on, time_skipping_server

_BEFORE_ANEW = 12
"""Requests for each route: then most cases have ended and most tasks are closed."""


@dataclass(frozen=True)
class Counts:
    """How often to try each door.

    operations  for each operation of the description
    routes      for each method of each route of the web service
    statements  for each format of bank statements
    """

    messages: int
    invoices: int
    policies: int
    operations: int
    webhooks: int
    routes: int = 0
    statements: int = 0


@asynccontextmanager
async def _harness(folder: Path) -> AsyncIterator[CaseHarness]:
    database = Database(f"sqlite:///{folder}/dunwell.sqlite")
    migrate(database)
    async with time_skipping_server() as env, harness_on(env, database) as harness:
        yield harness
    database.close()


async def fuzz(counts: Counts, seed: int) -> list[Tally]:
    """The counts of every door. The same seed tries the same things, but for the web's description."""
    with tempfile.TemporaryDirectory(prefix="dunwell-fuzz-") as name:
        folder = Path(name)
        found = [files.invoice_files(Random(seed), counts.invoices, folder)]
        found.append(files.policies(Random(seed), counts.policies, folder))
        found += [statements.damaged(Random(seed), counts.statements, each) for each in statements.FORMATS]
        async with _harness(folder) as harness:
            found.append(await talk.fuzz_case(harness, Random(seed), counts.messages))
            key = a_key()
            patience = Patience(answer=timedelta(seconds=5), server=timedelta(seconds=5))
            web = serve(harness.env.client, harness.deps.database, keys_for(key), patience)
            found.append(await asyncio.to_thread(service.described_doors, web, counts.operations))
            async with browse(web) as http:
                site = Site(web, http, FakeTemporal(), key)
                found.append(await service.providers_doors(site, Random(seed), counts.webhooks))
        if counts.routes:
            found.append(await _town(folder, seed, counts.routes))
        return found


async def _town(folder: Path, seed: int, count: int) -> Tally:
    """Every route of a service with customers, cases in each stage, messages and tasks; anew after some requests."""
    filled = Database(f"sqlite:///{folder}/filled.sqlite")
    migrate(filled)
    settle(sample_deps(filled))
    filled.close()
    tally = Tally("every route")
    for first in range(0, count, _BEFORE_ANEW):
        shutil.copy(folder / "filled.sqlite", folder / "town.sqlite")
        database = Database(f"sqlite:///{folder}/town.sqlite")
        app = console.site_on(database, folder, keys_for(a_key())).app
        some, random = min(_BEFORE_ANEW, count - first), Random(f"{seed} {first}")
        await every_route(Reached(app), routes_of(app), database, random, some, tally)
        database.close()
    return tally
