"""`make fuzz`: nonsense through every door. Ends with 1 when anything but a refusal came of it."""

import argparse
import asyncio
import sys

from tests.fuzz.runs import Counts, fuzz
from tests.fuzz.tally import table

_COUNTS = Counts(
    messages=1500, invoices=5000, policies=5000, operations=150, webhooks=2000, routes=60, statements=2000
)


def main() -> int:
    asked = argparse.ArgumentParser(description="Nonsense through every door, and what came of it.")
    asked.add_argument("--seed", type=int, default=1, help="another seed tries other things")
    found = asyncio.run(fuzz(_COUNTS, asked.parse_args().seed))
    sys.stdout.write(table(found) + "\n")
    return 0 if all(tally.well for tally in found) else 1


if __name__ == "__main__":
    sys.exit(main())
