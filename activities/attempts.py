"""The attempt at an activity, as services are given it."""

from datetime import datetime

from temporalio import activity
from temporalio.exceptions import FailureError

from dunwell.services.attempt import Attempt


def this_attempt(now: datetime | None = None, *, rehearsal: bool = False) -> Attempt:
    """Return the attempt of the running activity: its time and its number.

    Its time is when the server began the attempt, so that a retry hours later has a time hours later. A rehearsal's
    time does not pass while an activity works: it is `now`, the case's time in the request.
    """
    info = activity.info()
    at = now if rehearsal and now is not None else info.started_time
    return Attempt(at, info.attempt, passing=(FailureError,))
