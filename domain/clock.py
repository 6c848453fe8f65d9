"""The time a case lives in: the server's own, or for a rehearsal a clock that runs faster.

A rehearsal's clock stands still while the machine works, so that half a second of work is not half a day of
delay in the story it tells.
"""

from datetime import datetime, timedelta

from domain.model import Value


class Clock(Value):
    """Maps server time to case time. `real` and `case` are one moment, seen on both; `speed` is case per real."""

    rehearsal: bool = False
    speed: float = 1.0
    real: datetime | None = None
    case: datetime | None = None

    def at(self, real: datetime) -> datetime:
        """The case time at server time `real`."""
        if not self.rehearsal or self.real is None or self.case is None:
            return real
        return self.case + (real - self.real) * self.speed

    def set(self, real: datetime, case: datetime) -> "Clock":
        """The same clock, showing `case` at server time `real`."""
        return self.model_copy(update={"real": real, "case": case}) if self.rehearsal else self

    def resumed(self, real: datetime) -> "Clock":
        """The same clock, having stood still until `real`."""
        return self.set(real, self.case or real)

    def server_delay(self, case_delay: timedelta) -> timedelta:
        """How long to sleep on the server until `case_delay` has passed for the case."""
        return case_delay / self.speed if self.rehearsal else case_delay
