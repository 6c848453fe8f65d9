"""What a fuzz run counts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Tally:
    """One door: how often it was tried, how often it refused, and what must never happen.

    fives    answers of 500 and above
    crashes  exceptions other than a refusal, and workflow tasks that failed
    wedged   cases that took no payment any more
    """

    door: str
    tried: int = 0
    refused: int = 0
    fives: int = 0
    crashes: int = 0
    wedged: int = 0

    @property
    def well(self) -> bool:
        return not (self.fives or self.crashes or self.wedged)


def table(tallies: Sequence[Tally]) -> str:
    """The counts, one line a door."""
    heads = ("door", "tried", "refused", "5xx", "crashes", "wedged")
    lines = [f"{heads[0]:<28}" + "".join(f"{head:>9}" for head in heads[1:])]
    for one in tallies:
        counts = (one.tried, one.refused, one.fives, one.crashes, one.wedged)
        lines.append(f"{one.door:<28}" + "".join(f"{count:>9}" for count in counts))
    return "\n".join(lines)
