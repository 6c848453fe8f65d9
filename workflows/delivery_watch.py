"""One small workflow for the whole house: every hour it looks for messages whose delivery nobody confirmed."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.sweep import SweepActivities
    from dunwell.services.unconfirmed_messages import UnconfirmedMessage
    from workflows import options
    from workflows.messages import workflow_id

WATCH_ID = "delivery-watch"
_ROUNDS = 500


@workflow.defn(name="DeliveryWatch")
class DeliveryWatch:
    @workflow.run
    async def run(self, every_seconds: int = 3600) -> None:
        for _ in range(_ROUNDS):
            silent = await workflow.execute_activity_method(
                SweepActivities.find_unconfirmed, summary="messages nobody confirmed", **options.WRITING
            )
            for unheard in silent:
                await self._tell(unheard)
            await workflow.sleep(timedelta(seconds=every_seconds), summary="until the next look")
        workflow.continue_as_new(every_seconds)

    async def _tell(self, unheard: UnconfirmedMessage) -> None:
        """The case looks for another channel. A case that has ended meanwhile needs nothing."""
        case = workflow.get_external_workflow_handle(workflow_id(unheard.invoice_id))
        try:
            await case.signal("delivery_report", unheard.report.model_dump(mode="json", exclude_none=True))
        except ApplicationError as error:
            workflow.logger.info("case %s has ended: %s", unheard.invoice_id, error.type)
