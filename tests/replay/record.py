"""Records what `make test` holds the workflow's code against: histories, and the commands of each kind of life.

    python -m tests.replay.record histories   one history of each life, for the coming release (tests/replay/*.json)
    python -m tests.replay.record commands    the commands a life asks for now (tests/replay/commands/*.txt)

Both are written anew after a change that was meant. On the day of a release its histories become final, because cases
begun by it go on running: `COMING` is then raised, and theirs are never recorded again.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.replay import commands
from tests.workflows.harness import harness_on, time_skipping_server
from tests.workflows.lives import LIVES

FOLDER = Path(__file__).parent
COMING = "0.5"
"""The release that is being worked on."""


async def lived(name: str) -> WorkflowHistory:
    """Live one life to its end."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/record.sqlite")
        migrate(database)
        async with time_skipping_server() as env, harness_on(env, database) as harness:
            await LIVES[name](harness)
            await harness.case.result()
            history = await harness.case.fetch_history()
        database.close()
    return history


async def record_histories() -> None:
    for name in LIVES:
        path = FOLDER / f"{COMING}-{name.replace('_', '-')}.json"
        path.write_text((await lived(name)).to_json() + "\n", encoding="utf-8")


async def record_commands() -> None:
    for name in LIVES.keys() - commands.RACING:
        commands.record(name, await lived(name))


RECORD = {"histories": record_histories, "commands": record_commands}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in RECORD:
        sys.exit(__doc__)
    asyncio.run(RECORD[sys.argv[1]]())
