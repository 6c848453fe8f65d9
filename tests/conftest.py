"""Fixtures that every folder of tests shares: a database of either kind, empty for each test."""

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text

from local.postgres import postgres_in
from store.database import Database
from store.schema import migrate

KINDS = ("sqlite", "postgres")

# No deadline: a busy machine is no fault of the code. Draws are fixed, so that a commit has one verdict; `make laws`
# sets LAWS and draws anew, and what it finds becomes a test with a name.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None)
settings.load_profile("fresh" if "LAWS" in os.environ else "fixed")


def binary(name: str) -> str:
    """A program that the test requirements install beside the interpreter."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is missing: run make install"
    return found


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for the whole run, stopped and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="dunwell-pg-"))
    with postgres_in(folder / "data") as server:
        yield server.get_uri()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database; each test that asks for it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/dunwell.sqlite"
        return
    url = request.getfixturevalue("postgres_url")
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    yield url.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, with the schema of this release."""
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()
