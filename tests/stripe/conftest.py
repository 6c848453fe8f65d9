"""A desk on either kind of database, or on an SQLite file where the rule does not care."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunwell.store.database import Database
from tests.builders import sample_deps
from tests.databases import opened
from tests.stripe.desk import Desk


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
