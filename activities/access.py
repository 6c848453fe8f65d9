"""Sends the product changes of access that it did not take when they were made."""

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.services.access_publishing import publish
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import CaseAnswer, CaseRequest


class AccessActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    @activity.defn(name="publish_access")
    def publish(self, request: CaseRequest) -> CaseAnswer:
        """Send the product each change of access, in order. Raises DeliveryError; the activity is then retried."""
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        publish(self._deps, request.case.customer_id, now, rehearsal=request.rehearsal)
        return CaseAnswer.unchanged(request.case, request.seen)
