"""Opens the case of a run that was started with its invoice's id only."""

from datetime import datetime

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.domain.model import MutableValue
from dunwell.services.dependencies import Dependencies
from dunwell.services.opening import NotYetOpened, Opener, Opening


class OpenRequest(MutableValue):
    """`since`: when the run began to wait for its invoice; None: it asks for the first time."""

    invoice_id: str
    now: datetime
    rehearsal: bool = False
    since: datetime | None = None


class Opened(MutableValue):
    """`opening` is None while the case cannot be opened; `why` says what is missing."""

    opening: Opening | None = None
    why: str = ""


class OpeningActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._opener = Opener(deps)

    @activity.defn(name="open_case")
    def open_case(self, request: OpenRequest) -> Opened:
        """Begin a case, or reopen one that ended. Raises OtherRun for a run whose clock is not its invoice's."""
        attempt = this_attempt(request.now, rehearsal=request.rehearsal)
        try:
            opening = self._opener.open_for_run(
                request.invoice_id, attempt, request.since, rehearsal=request.rehearsal
            )
        except NotYetOpened as reason:
            return Opened(why=str(reason))
        return Opened(opening=opening)
