"""Carries out a step of a case."""

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import StepAnswer, StepRequest
from dunwell.services.steps import Steps


class StepActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._steps = Steps(deps)

    @activity.defn(name="carry_out")
    def carry_out(self, request: StepRequest) -> StepAnswer:
        """Carry out the step, as far as the case still allows it. Safe to repeat. Raises WorkFailed."""
        return self._steps.carry_out(request, this_attempt(request.now, rehearsal=request.rehearsal))
