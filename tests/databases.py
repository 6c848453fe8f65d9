"""Databases of tests, each with an engine of its own, that share what SQLAlchemy makes of their statements."""

from typing import Any

from sqlalchemy import Dialect

from dunwell.store.database import Database

_dialects: dict[str, Dialect] = {}
_compiled: dict[Any, Any] = {}


def opened(url: str) -> Database:
    """Open the database, whose file or server exists. A statement is compiled once a run, not once a test.

    A worker has one engine for all its life, so that it compiles once, too. An engine for each test compiled for a
    quarter of the time of a test of the services.
    """
    database = Database(url)
    engine = database.engine
    if engine.dialect.name not in _dialects:
        engine.connect().close()  # a dialect learns from its first connection what the server can do
        _dialects[engine.dialect.name] = engine.dialect
    engine.dialect = _dialects[engine.dialect.name]  # part of the key of what is compiled
    engine.update_execution_options(compiled_cache=_compiled)
    return database
