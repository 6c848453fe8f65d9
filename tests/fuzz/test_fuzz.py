"""The short form of `make fuzz`: nonsense is refused at every door, and does no other harm."""

from tests.fuzz.runs import Counts, fuzz
from tests.fuzz.tally import table


async def test_nonsense_is_refused_and_nothing_else() -> None:
    found = await fuzz(
        Counts(messages=50, invoices=150, policies=150, operations=6, webhooks=80, statements=60), seed=7
    )
    assert all(tally.well for tally in found), "\n" + table(found)
    assert all(tally.refused for tally in found), "\n" + table(found)
