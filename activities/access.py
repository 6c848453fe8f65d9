"""Tells the product about a change of access that could not be told on the way."""

from temporalio import activity

from dunwell.services.dependencies import Answer, Dependencies, Request, moment


class AccessActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    @activity.defn(name="publish_access")
    def publish(self, request: Request) -> Answer:
        """Retried until the product has heard of every change, in order. Raises DeliveryError."""
        self._deps.publish(request.case.customer_id, rehearsal=request.rehearsal, now=moment(request))
        return Answer(
            next_action=request.case.next_action,
            access=request.case.access,
            access_beside=request.case.access_beside,
            holds=request.case.holds,
            given=request.case.money.given,
            utc_offset_minutes=request.case.utc_offset_minutes,
            seen=request.seen,
        )
