"""The time that a run of a case lives by: the server's, or the faster one of a rehearsal."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from dunwell.domain.clock import Clock


class CaseClock:
    """Reads the case's time, which never goes back within a run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: datetime | None = None

    @property
    def rehearsal(self) -> bool:
        return self._clock.rehearsal

    def fault(self) -> str | None:
        """Return what is wrong with the clock that the run was started with, or None."""
        return self._clock.fault()

    def now(self) -> datetime:
        """Return the case's time and remember it as the latest."""
        self._latest = self.peek()
        return self._latest

    def peek(self) -> datetime:
        """Return the case's time and remember nothing: for an update's validator, which must not change the run."""
        now = self._clock.at(workflow.now())
        return max(now, self._latest or now)

    def server_delay(self, case_delay: timedelta) -> timedelta:
        """Return how long to sleep on the server until `case_delay` has passed for the case."""
        return self._clock.server_delay(case_delay)

    def set_rehearsal(self, case_time: datetime) -> None:
        """Set a rehearsal's clock to `case_time`, or to the latest time read if that is later; no effect on others.

        In a rehearsal no time passes while an activity works: after it, the clock is set to the time of its begin.
        """
        if self._clock.rehearsal:
            self._clock = self._clock.set(workflow.now(), max(case_time, self._latest or case_time))

    def for_next_run(self) -> Clock:
        """Return the clock with which the next run goes on from now."""
        return self._clock.set(workflow.now(), self.now())
