"""`make mutations`: builds that are broken on purpose, one a guarantee; the checker has to name what each breaks.

    python -m tests.chaos.mutations             every patch beside this file
    python -m tests.chaos.mutations g3 g10      those whose names begin so

A storm is lived through by workers of the broken build, and judged by the checker of this tree. A storm that happened
not to touch the fault is tried again with another seed, at most twice. Exit code 1 when a fault stayed unseen.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import replays
from tests.chaos.checker import check
from tests.chaos.storm import Plan, run
from tests.patched import patched

PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
SEEDS = (5, 6, 7)


def plan(seed: int, patch: Path) -> Plan:
    """Much in a short time: three weeks of ladder in four seconds, and customers of whom some have ten invoices.

    Quiet tasks are rare: when G11 is broken it takes more cases, and workers whose cases others take over. What only
    several writers at once can show ends in "on-postgres", for SQLite has one. G13 needs an operator; most acts meet
    cases that have ended. A cap by the week needs days that are longer than a step takes on a busy machine.
    """
    rare, weekly = guarantee(patch) == "G11", patch.stem == "g5-the-cap-is-ignored"
    return Plan(
        seed,
        cases=90 if rare else 30,
        worker_kills=2 if rare else 0,
        server_kills=0,
        web_kills=0,
        operator_acts=12 if guarantee(patch) == "G13" else 0,
        watched=0.8 if guarantee(patch) == "G1" else 0.3,
        seconds=36 if weekly else 12,
        drain=90,
        enough=0.8,
        workers=2,
        days_a_second=1.5 if weekly else 6,
        database="postgres" if patch.stem.endswith("on-postgres") else "sqlite",
        long_answers=False,
        fates=(40, 15, 10, 35),  # so many warnings do not arrive that proof is often missing
    )


def guarantee(patch: Path) -> str:
    """ "g3-a-lost-answer.patch" -> "G3"."""
    return patch.stem.partition("-")[0].upper()


def main(wanted: list[str]) -> int:
    print("| broken on purpose | seed | seconds | seen |\n|---|--:|--:|---|")
    chosen = [patch for patch in PATCHES if not wanted or patch.stem.startswith(tuple(f"{one}-" for one in wanted))]
    unseen = [patch for patch in chosen if not _is_caught(patch)]
    return 0 if chosen and not unseen else 1


def _is_caught(patch: Path) -> bool:
    for seed in SEEDS:
        begun = time.monotonic()
        named = _named(patch, seed)
        seen = named[0] if named else "nothing"
        print(f"| {patch.stem} | {seed} | {time.monotonic() - begun:.0f} | {len(named)}: {seen} |", flush=True)
        if named:
            return True
    return False


def _named(patch: Path, seed: int) -> list[str]:
    """What the checker, or for G11 the histories, say of that guarantee after a storm with the broken build."""
    with tempfile.TemporaryDirectory(prefix="dunwell-mutation-") as folder:
        tree, state = patched(patch, Path(folder) / "tree"), Path(folder) / "state"
        state.mkdir()
        asyncio.run(run(plan(seed, patch), state, tree))
        if guarantee(patch) == "G11":
            # Whether its histories replay says nothing: this tree's code would replay them, and not theirs.
            return [f"G11 no quiet task: {where}" for where in replays.quiet_tasks(state)]
        return [line for line in check(state).violations if line.startswith(f"{guarantee(patch)} ")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
