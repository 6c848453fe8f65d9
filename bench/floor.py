"""The least that Temporal lets anybody get away with: wait, act, hear of a payment, close."""

from datetime import timedelta

from temporalio import activity, workflow

FLOOR_QUEUE = "floor"


@activity.defn(name="nothing")
async def nothing() -> None:
    """An activity that does nothing."""


@workflow.defn(name="Floor")
class Floor:
    """The cheapest workflow of so many steps, each after so many seconds, that ends with a payment."""

    def __init__(self) -> None:
        self._paid = False

    @workflow.run
    async def run(self, steps: int, seconds: float) -> None:
        for _ in range(steps):
            await workflow.sleep(seconds)
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=60))
        await workflow.wait_condition(lambda: self._paid)
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=60))

    @workflow.signal
    def payment_received(self, _payment: dict[str, str]) -> None:
        self._paid = True
