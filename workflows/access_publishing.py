"""Changes of access that the product has not received yet, sent to it beside the main loop."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.activity_calls import ActivityCalls
from workflows.errors import reason_of
from workflows.memory import Memory

with workflow.unsafe.imports_passed_through():
    from activities.access import AccessActivities, PublishRequest
    from dunwell.services.request_models import CaseAnswer
    from workflows import options


class AccessPublishing:
    """`write_decisions` writes new timeline entries to the database."""

    def __init__(self, memory: Memory, calls: ActivityCalls, write_decisions: Callable[[], Awaitable[None]]) -> None:
        self._memory, self._calls, self._write_decisions = memory, calls, write_decisions
        self._unpublished = False
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None

    def begin_if_needed(self, answer: CaseAnswer) -> None:
        """Begin to tell the product if the answer says that it lacks a change; the main loop does not wait for it."""
        self._unpublished = self._unpublished or answer.unpublished
        if self._unpublished and self._task is None:
            self._task = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        memory = self._memory
        while self._unpublished:
            self._unpublished = False  # a change that comes while the activity runs sets it again
            try:
                await self._calls.result(
                    workflow.execute_activity_method(
                        AccessActivities.publish,
                        PublishRequest(
                            customer_id=memory.case.customer_id,
                            now=memory.clock.now(),
                            rehearsal=memory.clock.rehearsal,
                        ),
                        # not the queue of database work: a slow product must keep no payment waiting
                        task_queue=options.step_queue(workflow.info().task_queue),
                        summary="tell the product about access",
                        **options.PUBLISHING,
                    )
                )
            except ActivityError as error:
                self._unpublished = True
                memory.add_entries(memory.case.unpublished(reason_of(error), memory.clock.now()))
                await self._write_decisions()
        self._task = None
        if memory.case.published():
            memory.stale = True
        memory.woken = True
