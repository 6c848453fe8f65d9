"""Sends the product changes of access that it did not take when they were made."""

from datetime import datetime

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.domain.model import Value
from dunwell.services.access_publishing import publish
from dunwell.services.dependencies import Dependencies


class PublishRequest(Value):
    """The customer whose access changed, at case time `now`."""

    customer_id: str
    now: datetime
    rehearsal: bool = False


class AccessActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    @activity.defn(name="publish_access")
    def publish(self, request: PublishRequest) -> None:
        """Send the product each change of access, in order. Raises DeliveryError; the activity is then retried."""
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        publish(self._deps, request.customer_id, now, rehearsal=request.rehearsal)
