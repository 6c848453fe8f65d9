"""Fixtures that every folder of tests shares: a database of either kind, empty for each test."""

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from dunwell.local.postgres import postgres_in
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.databases import opened
from tests.shared_postgres import SharedPostgres

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


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The usual umask for each test: the commands narrow that of their process, and PostgreSQL is another user's."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for the whole run, stopped and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="dunwell-pg-"))
    with postgres_in(folder / "data") as server:
        with _administering(server.get_uri()) as connection:  # what a crash would take is of no interest here
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(text(f"alter system set {name} = off"))
            connection.execute(text("select pg_reload_conf()"))
        yield server.get_uri()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def blank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema of this release, to be copied: migrating anew for each test takes longer."""
    file = tmp_path_factory.mktemp("blank") / "blank.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    return file


@pytest.fixture(scope="session")
def blank_postgres(postgres_url: str) -> str:
    """The name of a PostgreSQL database with the schema of this release, to be used as a template."""
    with _administering(postgres_url) as connection:
        connection.execute(text("create database blank"))
    database = Database(_on(postgres_url, "blank"))
    migrate(database)
    database.close()
    return "blank"


@pytest.fixture(scope="session")
def shared_postgres(postgres_url: str, blank_postgres: str) -> Iterator[SharedPostgres]:
    """A PostgreSQL database with the schema of this release, emptied after each test."""
    shared = SharedPostgres(postgres_url, _on(postgres_url, "shared"), blank_postgres)
    yield shared
    shared.close()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, or that of `database` where a test asks for both.

    Each test that asks for it runs once on SQLite and once on PostgreSQL.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/dunwell.sqlite"
        return
    if "database" in request.fixturenames:
        shared: SharedPostgres = request.getfixturevalue("shared_postgres")
        yield shared.url
        shared.empty()
        return
    server, name = request.getfixturevalue("postgres_url"), f"t{uuid.uuid4().hex}"
    with _administering(server) as connection:
        connection.execute(text(f"create database {name}"))
    yield _on(server, name)
    with _administering(server) as connection:
        connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def database(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """The same, with the schema of this release and without rows."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        shutil.copy(request.getfixturevalue("blank_file"), str(url.database))
    database = opened(database_url)
    yield database
    database.close()


@contextmanager
def _administering(server: str) -> Iterator[Connection]:
    admin = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        yield connection
    admin.dispose()


def _on(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")
