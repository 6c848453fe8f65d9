"""One workflow for all cases: every hour it reports to them the messages whose delivery nobody confirmed."""

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
            messages = await workflow.execute_activity_method(
                SweepActivities.find_unconfirmed, summary="messages nobody confirmed", **options.WRITING
            )
            for message in messages:
                await self._report(message)
            await workflow.sleep(timedelta(seconds=every_seconds), summary="until the next look")
        workflow.continue_as_new(every_seconds)

    async def _report(self, message: UnconfirmedMessage) -> None:
        """Report the message to its case, which then looks for another channel. An ended case needs no report."""
        case = workflow.get_external_workflow_handle(workflow_id(message.invoice_id))
        try:
            await case.signal("delivery_report", message.report.model_dump(mode="json", exclude_none=True))
        except ApplicationError as error:
            workflow.logger.info("case %s has ended: %s", message.invoice_id, error.type)
