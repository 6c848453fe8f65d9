"""One attempt at a piece of work: the time that counts for it, and whether more attempts follow."""

from dataclasses import dataclass
from datetime import datetime

TRIES = 3
"""How often work is tried as a whole before it is done without the part that fails."""


@dataclass(frozen=True)
class Attempt:
    """What the caller of a service knows of an attempt.

    now      the time of the attempt, by the clock of the case
    number   1 for the first attempt
    passing  errors by which the caller breaks an attempt off; the next attempt may succeed
    """

    now: datetime
    number: int = 1
    passing: tuple[type[Exception], ...] = ()

    @property
    def is_among_the_first(self) -> bool:
        """Whether the work is still tried as a whole."""
        return self.number < TRIES
