"""Migrates a database to the schema of this release, and checks that it has it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text

from dunwell.store.database import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK_NUMBER = 4_862_003  # of a PostgreSQL advisory lock; no other lock of this database may have it

BEHIND = "The database has not the schema of this release: run `worker.py --set-up` first."
AHEAD = (
    "The database has the schema of a newer release, which this one does not know: run the newer release here too, "
    "or restore the database's backup from before its `worker.py --set-up`."
)


class SchemaError(Exception):
    """The database has another schema than this release. The text is one sentence that says what to do."""


def migrate(database: Database, revision: str = "head") -> None:
    """Apply every missing migration, up to `revision`. Safe to repeat, and on two machines at once.

    Raises SchemaError when the schema is newer than this release, or when a row would refer to a missing one.
    """
    if _found(database) not in {None, *_known()}:
        raise SchemaError(AHEAD)
    with database.engine.connect() as connection:
        on_a_file = connection.dialect.name == "sqlite"
        if on_a_file:
            # SQLite changes a table by creating it anew, which foreign keys forbid. The pragma has no effect inside
            # a transaction, so it comes before.
            _run(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not on_a_file:
                    connection.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
                if on_a_file:
                    _check_references(connection)
        finally:
            if on_a_file:
                _run(connection, "PRAGMA foreign_keys=ON")


def check_schema(database: Database) -> None:
    """Raise SchemaError unless the database has exactly the schema of this release."""
    found, known = _found(database), _known()
    if found not in {None, *known}:
        raise SchemaError(AHEAD)
    if found != known[0]:
        raise SchemaError(BEHIND)


def revisions() -> list[str]:
    """Return every revision that this release knows, oldest first."""
    return list(reversed(_known()))


def _found(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _known() -> list[str]:
    """Return every revision that this release knows, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _run(connection: Connection, pragma: str) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(pragma)
    cursor.close()


def _check_references(connection: Connection) -> None:
    lost = {row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))}
    if lost:
        raise SchemaError(f"Rows of {', '.join(sorted(lost))} refer to rows that are missing: restore a backup.")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
