"""Writes a case's events and decisions to the database, and takes over what the database adds."""

import asyncio
from typing import Any

from temporalio import workflow

from workflows.access_publishing import AccessPublishing
from workflows.activity_calls import ActivityCalls
from workflows.memory import Memory
from workflows.operator_view import OperatorView

with workflow.unsafe.imports_passed_through():
    from activities.record import RecordActivities
    from dunwell.domain.events import Event
    from dunwell.services.request_models import RecordRequest
    from workflows import options


class CaseWriter:
    """`access`: tells the product about changes of access that an answer shows."""

    def __init__(self, memory: Memory, calls: ActivityCalls, view: OperatorView) -> None:
        self._memory, self._calls, self._view = memory, calls, view
        self._writing = asyncio.Lock()
        self.access = AccessPublishing(memory, calls, self.record)

    async def plan_anew(self) -> None:
        """Write what is unsaved and have the next action planned for the case as it is."""
        self._memory.stale = False
        await self.record()
        self._view.show()

    async def record(self, name: str | None = None, event: Event | None = None) -> None:
        """Write an event of this name, if any, and all unsaved decisions; take over the answer and its plan.

        One write at a time: the database must get the revisions of a case in their order.
        """
        memory = self._memory
        if self._writing.locked():
            self._calls.leave_trace()
        async with self._writing:
            entries = list(memory.unsaved)
            content: dict[str, Any] | None = event.model_dump(mode="json") if event is not None else None
            update = workflow.current_update_info()
            told_as = update.id if update else None
            request = memory.request(RecordRequest, entries, event=name, content=content, told_as=told_as)
            revision, now = memory.case.revision, memory.clock.now()
            if event in memory.waiting:
                memory.waiting.remove(event)
            answer = await self._calls.about_case(
                lambda handed: workflow.execute_activity_method(
                    RecordActivities.record, handed, summary=name or "plan anew", **options.WRITING
                ),
                request,
            )
            memory.clock.set_rehearsal(now)
            memory.saved(entries)
            if answer.not_arrived:
                memory.case.reach_further(answer.not_arrived)
                memory.not_arrived.append(answer.not_arrived)
            if answer.arrived:
                memory.case.outstanding.blocked_until = None
                memory.arrivals += 1
            if answer.contacts is not None:
                memory.case.remember_contacts(answer.contacts, request.now)
            memory.take(answer, revision, request.seen)
            if answer.not_arrived and answer.not_arrived not in memory.case.outstanding.again:
                # The database's newer case, in which the step is done, has replaced the one that was told.
                memory.case.reach_further(answer.not_arrived)
                memory.plan_soon()
        self.access.begin_if_needed(answer)

    async def until_written(self) -> None:
        """Wait for writes that others began, so that holds and access are up to date."""
        if self._writing.locked():
            self._calls.leave_trace()
            await workflow.wait_condition(lambda: not self._writing.locked())
