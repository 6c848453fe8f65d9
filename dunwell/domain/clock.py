"""The time a case lives in: the server's own, or for a rehearsal a clock that runs faster.

A rehearsal's clock stands still while the machine works, so that half a second of work does not count as half a
day of delay.
"""

from datetime import UTC, datetime, timedelta

from dunwell.domain.model import Value

FASTEST = 10_000_000.0
"""The highest speed of a rehearsal."""


_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
"""The years a rehearsal may be in; at the end its time stands still."""


class Clock(Value):
    """Maps server time to case time. `real` and `case` are one moment, seen on both; `speed` is case per real."""

    rehearsal: bool = False
    speed: float = 1.0
    real: datetime | None = None
    case: datetime | None = None

    def fault(self) -> str | None:
        """What is wrong with a clock that somebody else made; None for one that may be used."""
        if not self.rehearsal:
            return None
        if not 1 <= self.speed <= FASTEST:
            return f"clock.speed: must lie between 1 and {FASTEST:.0f}"
        for name, moment in (("real", self.real), ("case", self.case)):
            if moment is not None and (moment.tzinfo is None or not _FIRST <= moment < _LAST):
                return f"clock.{name}: must be a time with an offset between the years 2000 and 2099"
        return None

    def at(self, real: datetime) -> datetime:
        """The case time at server time `real`."""
        if not self.rehearsal or self.real is None or self.case is None:
            return real
        passed = (real - self.real).total_seconds() * self.speed
        return self.case + timedelta(seconds=min(passed, (_LAST - self.case).total_seconds()))

    def set(self, real: datetime, case: datetime) -> "Clock":
        """The same clock, showing `case` at server time `real`."""
        return self.model_copy(update={"real": real, "case": case}) if self.rehearsal else self

    def resumed(self, real: datetime) -> "Clock":
        """The same clock, having stood still until `real`."""
        return self.set(real, self.case or real)

    def server_delay(self, case_delay: timedelta) -> timedelta:
        """How long to sleep on the server until `case_delay` has passed for the case."""
        return case_delay / self.speed if self.rehearsal else case_delay
