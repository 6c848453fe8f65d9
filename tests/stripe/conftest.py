"""A desk on either kind of database, or on an SQLite file where the rule does not care."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dunwell.gateways.stripe.client import StripeGateway
from dunwell.store.database import Database
from tests.builders import sample_deps
from tests.databases import opened
from tests.stripe.desk import Desk
from tests.stripe.emulator import KEY, StripeEmulator


@pytest.fixture
def file_database(blank_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(blank_file, tmp_path / "dunwell.sqlite")
    database = opened(f"sqlite:///{tmp_path}/dunwell.sqlite")
    yield database
    database.close()


@pytest.fixture
def desk(file_database: Database) -> Desk:
    return Desk(sample_deps(file_database))


@pytest.fixture
def each_desk(database: Database) -> Desk:
    return Desk(sample_deps(database))


@pytest.fixture
def stripe() -> Iterator[StripeEmulator]:
    with StripeEmulator() as running:
        yield running


@pytest.fixture
def asking_desk(file_database: Database, stripe: StripeEmulator) -> Desk:
    """A desk that can ask Stripe."""
    gateway = StripeGateway(KEY, stripe.url)
    return Desk(replace(sample_deps(file_database), billing={"stripe": gateway}))
