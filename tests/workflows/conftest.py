"""A house for one case, for each test on a fresh server."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.store.database import Database
from tests.workflows.house import House, house_on, time_skipping_server


@pytest.fixture
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with time_skipping_server() as env:
        yield env


@pytest.fixture
async def house(time_skipping: WorkflowEnvironment, database: Database) -> AsyncIterator[House]:
    async with house_on(time_skipping, database) as house:
        yield house
