"""Writes the events and decisions of a case, and pays one invoice with the credit of another."""

from datetime import datetime

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.domain.events import CreditApplied
from dunwell.domain.model import Value
from dunwell.domain.refusal import Refused
from dunwell.services import credits
from dunwell.services.dependencies import Dependencies
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordAnswer, RecordRequest


class CreditRequest(Value):
    """Credit of another invoice to pay this one with, at case time `now`."""

    customer_id: str
    invoice_id: str
    event: CreditApplied
    now: datetime
    rehearsal: bool = False


class CreditAnswer(Value):
    """Why the credit was refused, and about which field; None when it was taken."""

    field: str | None = None
    reason: str | None = None


class RecordActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps, self._recording = deps, Recording(deps)

    @activity.defn(name="record")
    def record(self, request: RecordRequest) -> RecordAnswer:
        """Write one event and its decisions. Returns the next action. Raises WorkFailed."""
        return self._recording.record(request, this_attempt(request.now, rehearsal=request.rehearsal))

    @activity.defn(name="take_credit")
    def take_credit(self, request: CreditRequest) -> CreditAnswer:
        """Take credit from its invoice and pay this one with it, in one transaction, before the case applies it."""
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        try:
            with self._deps.database.writing(request.customer_id) as session:
                credits.apply(session, request.invoice_id, request.event, now)
        except Refused as refused:
            return CreditAnswer(field=refused.field, reason=refused.reason)
        return CreditAnswer()
