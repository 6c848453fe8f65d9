"""Records what `make test` holds the workflow's code against: histories, and the commands of each kind of life.

    python -m tests.replay.record 0.2         the histories of a release, to be replayed for good
    python -m tests.replay.record commands    the commands a life asks for now (tests/replay/commands/*.txt)

Histories of earlier releases stay, because cases begun by them still run; a file that exists is never written
again. The commands are written anew after a change that was meant.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from store.database import Database
from store.schema import migrate
from tests.replay import commands
from tests.workflows.house import house_on, time_skipping_server
from tests.workflows.lives import LIVES

FOLDER = Path(__file__).parent


async def lived(name: str) -> WorkflowHistory:
    """Live one life to its end."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/record.sqlite")
        migrate(database)
        async with time_skipping_server() as env, house_on(env, database) as house:
            await LIVES[name](house)
            await house.case.result()
            history = await house.case.fetch_history()
        database.close()
    return history


async def record_histories(release: str) -> None:
    for name in LIVES:
        path = FOLDER / f"{release}-{name.replace('_', '-')}.json"
        if not path.exists():
            path.write_text((await lived(name)).to_json() + "\n", encoding="utf-8")
            print(path.name)


async def record_commands() -> None:
    for name in LIVES.keys() - commands.RACING:
        commands.record(name, await lived(name))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(record_commands() if sys.argv[1] == "commands" else record_histories(sys.argv[1]))
