"""Copies of SQLite files, taken while they are in use, and put back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def back_up(file: Path, copy: Path) -> None:
    """As the documentation says: SQLite's own copy, which needs nobody to stop."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def put_back(copy: Path, file: Path) -> None:
    """Nobody may have the file open."""
    for beside in ("-wal", "-shm"):
        file.with_name(f"{file.name}{beside}").unlink(missing_ok=True)
    shutil.copy(copy, file)
    file.chmod(0o600)  # others may not read it
