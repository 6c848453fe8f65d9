"""A harness for one case, for each test on a fresh server."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.store.database import Database
from tests.workflows.harness import CaseHarness, harness_on, time_skipping_server


@pytest.fixture
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with time_skipping_server() as env:
        yield env


@pytest.fixture
async def harness(time_skipping: WorkflowEnvironment, database: Database) -> AsyncIterator[CaseHarness]:
    async with harness_on(time_skipping, database) as harness:
        yield harness
