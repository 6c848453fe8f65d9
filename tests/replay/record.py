"""Records the histories that `make test` replays: `python -m tests.replay.record`.

Run it for a release, and add the files: histories of earlier releases stay, because cases begun by them still run.
A file that exists is never written again.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from store.database import Database
from store.schema import migrate
from tests.workflows.house import house_on, time_skipping_server
from tests.workflows.lives import LIVES

FOLDER = Path(__file__).parent


async def record(name: str, path: Path) -> None:
    """Live one life and keep its history as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/record.sqlite")
        migrate(database)
        async with time_skipping_server() as env, house_on(env, database) as house:
            await LIVES[name](house)
            await house.case.result()
            path.write_text((await house.case.fetch_history()).to_json() + "\n", encoding="utf-8")
        database.close()


async def main(release: str) -> None:
    for name in LIVES:
        path = FOLDER / f"{release}-{name.replace('_', '-')}.json"
        if not path.exists():
            await record(name, path)
            print(path.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "0.1"))
