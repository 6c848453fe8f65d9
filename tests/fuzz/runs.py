"""All the doors at once, on a server, a worker and a database of their own."""

import asyncio
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
from tests.fuzz import files, service, talk
from tests.fuzz.tally import Tally
from tests.web.conftest import FakeTemporal, Site, a_key, browse, keys_for, serve
from tests.workflows.harness import CaseHarness, harness_on, time_skipping_server


@dataclass(frozen=True)
class Counts:
    """How often to try each door; `operations` is for each operation of the description."""

    messages: int
    invoices: int
    policies: int
    operations: int
    webhooks: int


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
        async with _harness(folder) as harness:
            found.append(await talk.fuzz_case(harness, Random(seed), counts.messages))
            key = a_key()
            patience = Patience(answer=timedelta(seconds=5), server=timedelta(seconds=5))
            web = serve(harness.env.client, harness.deps.database, keys_for(key), patience)
            found.append(await asyncio.to_thread(service.described_doors, web, counts.operations))
            async with browse(web) as http:
                site = Site(web, http, FakeTemporal(), key)
                found.append(await service.providers_doors(site, Random(seed), counts.webhooks))
        return found
