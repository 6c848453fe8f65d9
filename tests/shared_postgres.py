"""One PostgreSQL database for all tests of a process, one after the other: each finds it empty.

To make and drop a database takes longer than most tests; to delete the few rows that a test wrote does not.
"""

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from dunwell.store.tables import Base

_FILLED = " union all ".join(
    f"select '{table.name}' where exists (select 1 from {table.name})" for table in Base.metadata.sorted_tables
)
_SEQUENCES = "select sequencename from pg_sequences where last_value is not null"
_SCHEMA = """
    select count(*), sum(hashtext(relname || '.' || attname))
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0
"""
"""The same as long as no table and no column was made, dropped or renamed."""


class SharedPostgres:
    """`url`: its address; `template`: the database of which it is made; `server`: where to make it."""

    def __init__(self, server: str, url: str, template: str) -> None:
        self.url, self._template, self._name = url, template, "shared"
        self._admin, self._own = _engine(server, isolation_level="AUTOCOMMIT"), _engine(url)
        self._make()
        with self._own.connect() as connection:
            self._schema = _schema_of(connection)
            assert connection.execute(text(_FILLED)).first() is None, (
                "migrations put rows into tables: keep them here"
            )

    def empty(self) -> None:
        """Take away what a test wrote, and what it left open; a schema that it changed is made anew."""
        try:
            with self._own.begin() as connection:
                kept = self._schema == _schema_of(connection)
                if kept:
                    _empty(connection)
        except SQLAlchemyError:
            kept = False
        if not kept:
            self._own.dispose()
            self._make()

    def close(self) -> None:
        self._own.dispose()
        self._admin.dispose()

    def _make(self) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(f"drop database if exists {self._name} with (force)"))
            connection.execute(text(f"create database {self._name} template {self._template}"))


def _empty(connection: Connection) -> None:
    connection.execute(text("set local lock_timeout = '5s'"))
    connection.execute(
        text(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
    )
    connection.execute(text("set local session_replication_role = replica"))  # rows go in any order
    for (table,) in connection.execute(text(_FILLED)).all():
        connection.execute(text(f"delete from {table}"))
    for (sequence,) in connection.execute(text(_SEQUENCES)).all():
        connection.execute(text(f"alter sequence {sequence} restart"))


def _schema_of(connection: Connection) -> tuple[object, ...]:
    return tuple(connection.execute(text(_SCHEMA)).one())


def _engine(url: str, isolation_level: str = "READ COMMITTED") -> Engine:
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(driver, isolation_level=isolation_level, pool_size=1, pool_pre_ping=True)
