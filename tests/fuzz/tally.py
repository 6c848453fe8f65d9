"""What a fuzz run counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Tally:
    """One door: how often it was tried, how often it refused, and what must never happen.

    fives    answers of 500 and above
    crashes  exceptions other than a refusal, and workflow tasks that failed
    wedged   cases that took no payment any more
    where    what was answered so, by route, with the first address
    invented files that would book money that is not there
    """

    door: str
    tried: int = 0
    refused: int = 0
    fives: int = 0
    crashes: int = 0
    wedged: int = 0
    where: dict[str, str] = field(default_factory=dict)
    invented: int = 0

    @property
    def well(self) -> bool:
        return not (self.fives or self.crashes or self.wedged or self.invented)

    def answered(self, route: str, status: int, address: str) -> None:
        """Count an answer of the web service."""
        self.refused += 400 <= status < 500
        if status >= 500:
            self.fives += 1
            self.where.setdefault(f"{route}: {status}", address)

    def crashed(self, route: str, error: Exception, address: str) -> None:
        """Count an exception that came out of the web service."""
        self.crashes += 1
        self.where.setdefault(f"{route}: {type(error).__name__}", address)


def table(tallies: Sequence[Tally]) -> str:
    """The counts, one line a door, and where it went wrong."""
    heads = ("door", "tried", "refused", "5xx", "crashes", "wedged", "invented")
    lines = [f"{heads[0]:<28}" + "".join(f"{head:>9}" for head in heads[1:])]
    for one in tallies:
        counts = (one.tried, one.refused, one.fives, one.crashes, one.wedged, one.invented)
        lines.append(f"{one.door:<28}" + "".join(f"{count:>9}" for count in counts))
    wrong = (f"{what}, such as {address[:200]}" for one in tallies for what, address in one.where.items())
    return "\n".join([*lines, *sorted(wrong)])
