"""`make chaos`: live through a storm drawn from a seed, then judge what it left behind.

    python -m tests.chaos --seed 7 --cases 1000 --worker-kills 30 --server-kills 5 --web-kills 5

Exit code 1 when a guarantee was violated, a history does not replay (G11), or a case did not end or does not answer.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from tests.chaos import replays
from tests.chaos.checker import check
from tests.chaos.ground import Kind
from tests.chaos.storm import RESTORE_WAITS, Plan, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: a new one, printed")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--worker-kills", type=int, default=8)
    parser.add_argument("--server-kills", type=int, default=2)
    parser.add_argument("--web-kills", type=int, default=3)
    parser.add_argument("--operator-acts", type=int, default=6, help="cases that are cancelled, terminated or reset")
    parser.add_argument("--restores", type=int, choices=(0, 1), help="default: 1 of SQLite, which alone can do it")
    parser.add_argument("--database", choices=get_args(Kind), default="sqlite")
    parser.add_argument("--database-kills", type=int, help="default: 2 of postgres; SQLite has no server to kill")
    parser.add_argument("--seconds", type=float, help="how long it storms; default: as long as two free cores need")
    parser.add_argument("--keep", type=Path, help="a new folder for database, logs and histories; kept")
    chosen = parser.parse_args()
    if chosen.database_kills is None:
        chosen.database_kills = 2 if chosen.database == "postgres" else 0
    if chosen.database_kills and chosen.database == "sqlite":
        parser.error("--database-kills: SQLite is a file without a server to kill; add --database postgres")
    if chosen.restores is None:
        chosen.restores = 1 if chosen.database == "sqlite" else 0
    if chosen.restores and chosen.database != "sqlite":
        parser.error("--restores: only SQLite is restored in a storm; leave it out, or add --database sqlite")
    if chosen.restores and chosen.seconds and chosen.seconds <= RESTORE_WAITS:
        parser.error(f"--seconds: a restore alone waits {RESTORE_WAITS:.0f} of them; take more, or add --restores 0")
    plan = _plan(chosen)
    print(
        f"python -m tests.chaos --seed {plan.seed} --cases {plan.cases} --worker-kills {plan.worker_kills} "
        f"--server-kills {plan.server_kills} --web-kills {plan.web_kills} --database {plan.database} "
        f"--database-kills {plan.database_kills} --operator-acts {plan.operator_acts} --restores {plan.restores} "
        f"--seconds {plan.seconds:.0f}",
        flush=True,
    )
    state = chosen.keep or Path(tempfile.mkdtemp(prefix="dunwell-chaos-"))
    state.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        asyncio.run(run(plan, state))
    except Exception:
        print(f"the storm broke off; what it left behind: {state}")
        raise
    verdict = asyncio.run(replays.added_to(check(state), state))
    print(f"{time.monotonic() - begun:.0f} s; {len(verdict.running)} of {plan.cases} cases did not end\n")
    print(verdict.table())
    for line in [*verdict.violations, *(f"{name} did not end" for name in verdict.running)]:
        print(line)
    good = not verdict.violations and not verdict.running
    if good and chosen.keep is None:
        shutil.rmtree(state)
    elif not good:
        print(f"what it left behind: {state}")
    return 0 if good else 1


def _plan(chosen: argparse.Namespace) -> Plan:
    """The storm grows with what is asked of it. A step that a killed worker held is free again after 3 minutes."""
    kills = chosen.worker_kills + 2 * chosen.server_kills + chosen.web_kills + 2 * chosen.database_kills
    kills += 4 * chosen.restores
    seconds = chosen.seconds or max(60.0, chosen.cases * 0.45, kills * 6.0) + RESTORE_WAITS * chosen.restores
    return Plan(
        chosen.seed,
        chosen.cases,
        chosen.worker_kills,
        chosen.server_kills,
        seconds,
        drain=330 + chosen.cases * 0.3,
        web_kills=chosen.web_kills,
        database=chosen.database,
        database_kills=chosen.database_kills,
        operator_acts=chosen.operator_acts,
        restores=chosen.restores,
        days_a_second=90 / seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
