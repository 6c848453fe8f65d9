"""The floor of the measurements: the cheapest workflow that waits, acts, gets a payment and ends."""

from datetime import timedelta

from temporalio import activity, workflow

FLOOR_QUEUE = "floor"


@activity.defn(name="nothing")
async def nothing() -> None:
    """An activity that does nothing."""


@workflow.defn(name="Floor")
class Floor:
    """A workflow of `steps` timers and empty activities that ends with a payment."""

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
