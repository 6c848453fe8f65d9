"""Several processes use one SQLite file: none may take it for its own while another one has it open."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from dunwell.store.database import Database

_OTHER = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM t').fetchall(); c.close()"


def test_a_process_that_ends_leaves_the_write_ahead_log_to_those_that_still_use_it(tmp_path: Path) -> None:
    """The last process to close a database removes its log; with the locks lost, any one would be the last."""
    file = tmp_path / "dunwell.sqlite"
    database = Database(f"sqlite:///{file}")
    with database.engine.begin() as first:
        first.execute(text("CREATE TABLE t (n INTEGER)"))
    open_now = [database.engine.raw_connection() for _ in range(2)]
    for connection in open_now:
        connection.cursor().execute("SELECT count(*) FROM t").fetchall()
    subprocess.run([sys.executable, "-c", _OTHER, str(file)], check=True, timeout=30)
    assert file.with_name("dunwell.sqlite-wal").exists()
    for connection in open_now:
        connection.close()
    database.close()
