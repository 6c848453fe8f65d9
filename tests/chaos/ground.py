"""The database under a storm: SQLite's file, or a PostgreSQL of its own that can be killed like everybody else."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil
from sqlalchemy import inspect

from dunwell.local.postgres import PostgresServer, postgres_in
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests import backups
from tests.chaos import audit
from tests.chaos.records import DATABASE, REPLACED

Kind = Literal["sqlite", "postgres"]
_COPY = "copy.sqlite"


class Ground(Protocol):
    """A database with the audit's triggers."""

    database: Database

    def crash(self, away: float = 0) -> None:
        """Kill the server as the power would; `away` seconds later start it again on what it had written."""

    def back_up(self) -> None:
        """Copy it, while it is in use."""

    def restore(self) -> None:
        """Put the copy back. Nobody may have the database open. The checker finds what was replaced, too."""

    def keep(self) -> None:
        """Leave what the checker reads, once nobody writes any more."""


@contextmanager
def ground(kind: Kind, state: Path) -> Iterator[Ground]:
    """An empty one in the folder `state`; its server ends with the block."""
    if kind == "sqlite":
        with _watched(f"sqlite:///{state}/{DATABASE}") as database:
            yield _OnFile(database, state)
        return
    with postgres_in(state / "postgres") as server:
        server.psql("ALTER SYSTEM SET track_commit_timestamp = on")
        _crash(server)  # the setting needs a new start
        with _watched(server.get_uri()) as database:
            yield _OnServer(database, server, state)


@contextmanager
def _watched(url: str) -> Iterator[Database]:
    database = Database(url)
    migrate(database)
    audit.watch(database)
    try:
        yield database
    finally:
        database.close()


class _OnFile:
    def __init__(self, database: Database, state: Path) -> None:
        self.database = database
        self._file, self._copy, self._replaced = state / DATABASE, state / _COPY, state / REPLACED

    def crash(self, away: float = 0) -> None:
        raise ValueError("a file has no server that could be killed: storm on postgres")

    def back_up(self) -> None:
        audit.note_copy(self._file)
        backups.back_up(self._file, self._copy)

    def restore(self) -> None:
        self.database.close()
        backups.back_up(self._file, self._replaced)
        backups.put_back(self._copy, self._file)
        audit.carry_over(self._replaced, self._file)

    def keep(self) -> None:
        """The file is what the checker reads."""


class _OnServer:
    def __init__(self, database: Database, server: PostgresServer, state: Path) -> None:
        self.database, self._server, self._state = database, server, state

    def crash(self, away: float = 0) -> None:
        _crash(self._server, away)

    def back_up(self) -> None:
        raise ValueError("only SQLite is restored in a storm")

    def restore(self) -> None:
        self.back_up()

    def keep(self) -> None:
        """Every table as it is, in a file; the audit's lines in the order of their commits."""
        with self.database.engine.connect() as source, closing(sqlite3.connect(self._state / DATABASE)) as copy:
            for table in inspect(source).get_table_names():
                query = audit.POSTGRES_ORDERED if table == audit.TABLE else f'SELECT * FROM "{table}"'
                found = source.exec_driver_sql(query)
                columns = list(found.keys())
                quoted = ", ".join(f'"{column}"' for column in columns)
                copy.execute(f'CREATE TABLE "{table}" ({quoted})')
                places = ", ".join("?" * len(columns))
                rows = ([_plain(value) for value in row] for row in found)
                copy.executemany(f'INSERT INTO "{table}" VALUES ({places})', rows)
            copy.commit()


def _crash(server: PostgresServer, away: float = 0) -> None:
    postmaster = psutil.Process(server.get_postmaster_info().pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes)
    time.sleep(away)
    for patience in reversed(range(6)):
        try:
            server.ensure_postgres_running()
            break
        except (AssertionError, subprocess.SubprocessError):  # on busy cores recovery takes its time
            if not patience:
                raise
            time.sleep(5)


def _plain(value: Any) -> Any:
    """As SQLite keeps it."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
