"""What a service is told of the attempt that calls it: the engine's own record of it."""

from datetime import datetime

from temporalio import activity
from temporalio.exceptions import FailureError

from dunwell.services.attempt import Attempt


def this_attempt(now: datetime | None = None, *, rehearsal: bool = False) -> Attempt:
    """The attempt of the activity that runs.

    Its time is read from the server's own record of the attempt and not from a clock, so that a retry hours later
    knows how late it is. The clock of a rehearsal stands still at `now` while an activity works.
    """
    info = activity.info()
    at = now if rehearsal and now is not None else info.started_time
    return Attempt(at, info.attempt, passing=(FailureError,))
