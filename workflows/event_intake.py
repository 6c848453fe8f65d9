"""Events of signals and updates: checked, applied to the case, written to the database."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

from workflows.activity_calls import ActivityCalls
from workflows.case_writer import CaseWriter
from workflows.memory import Memory
from workflows.operator_view import OperatorView
from workflows.payloads import decoded_or_refused

with workflow.unsafe.imports_passed_through():
    from activities.policy_move import PolicyMoveActivities
    from activities.record import CreditRequest, RecordActivities
    from dunwell.domain.events import (
        PERSONAL_DECISIONS,
        ContactsChanged,
        CreditApplied,
        DeliveryReport,
        PolicyMoved,
        parse_event,
    )
    from dunwell.domain.plausibility import admit
    from dunwell.domain.refusal import Refused
    from workflows import options


class EventIntake:
    def __init__(self, memory: Memory, calls: ActivityCalls, writer: CaseWriter, view: OperatorView) -> None:
        self._memory, self._calls, self._writer, self._view = memory, calls, writer, view
        self.updates_waiting = 0  # updates of this workflow task that are applied after its signals

    async def take_in_update(self, name: str, values: list[object]) -> None:
        """Take in an update's event, after all signals of its workflow task. Raises Refused as take_in does.

        A reset tells a run again what it was told, signals and updates in their order; a replay of such a run gets
        the signals of a workflow task first (docs/decisions/0027-signals-before-updates.md).
        """
        self.updates_waiting += 1
        await workflow.wait_condition(lambda: True)  # conditions are looked at when no coroutine can go on
        self.updates_waiting -= 1
        await self.take_in(name, values)

    async def until_updates_applied(self) -> None:
        """Wait until the updates of this workflow task have changed the case, or were refused."""
        if self.updates_waiting:
            await workflow.wait_condition(lambda: not self.updates_waiting)

    async def take_in(self, name: str, values: list[object]) -> None:
        """Apply the event of this name and write it; wait first until the case is open.

        Raises Refused, with an entry in the timeline, for an event that is invalid or does not fit the case.
        """
        memory = self._memory
        # Await nothing here when the case is open: an event and the update that came with it must be applied in the
        # order in which they came.
        if memory.opened is None:
            memory.early += 1
            await workflow.wait_condition(lambda: memory.opened is not None)
        try:
            event = parse_event(name, values)
            admit(memory.case, event, memory.clock.now())
            if isinstance(event, CreditApplied) and event.credit_id not in memory.case.money.payments:
                await self._take_credit(event)
            if isinstance(event, PolicyMoved):
                await self._check_move(event)
            said = memory.case.apply(event, memory.clock.now())
        except Refused as refused:
            memory.add_refusal(f"{name}: {refused}")
            memory.plan_soon()
            raise
        memory.add_entries(said)
        if said or isinstance(event, DeliveryReport | ContactsChanged):
            memory.waiting.append(event)
            # Written at once, beside a step in flight: a payment in the database stops that step's message.
            await self._writer.record(name, event)
        self._view.show()

    def validate(self, name: str, args: Sequence[RawValue]) -> None:
        """Raises Refused for an update that would be refused.

        Changes nothing, not even the latest time that was read: a refused update is not in the history, and a replay
        does not validate it again.
        """
        if name not in PERSONAL_DECISIONS:
            raise Refused("update", f"there is none of this name; known are {', '.join(sorted(PERSONAL_DECISIONS))}")
        event = parse_event(name, decoded_or_refused(args))
        memory = self._memory
        if memory.opened is None:
            if memory.why_not_open:
                raise Refused("invoice", f"{memory.why_not_open}; a signal is kept until then")
            return
        admit(memory.opened, event, memory.clock.peek())
        memory.opened.model_copy(deep=True).apply(event, memory.clock.peek())

    async def catch_up(self) -> None:
        """Write all that is known and read all that the database has.

        At once, also while a step is in flight: it may take long.
        """
        if self._memory.opened is None:
            return  # opening the case reads it
        self._memory.write_all_again()
        self._memory.woken = True
        await self._writer.plan_anew()

    async def _take_credit(self, event: CreditApplied) -> None:
        """Take the credit from its invoice in the database, before the case has it: so no credit is spent twice.

        Raises Refused when there is no such credit.
        """
        memory = self._memory
        request = CreditRequest(
            customer_id=memory.case.customer_id,
            invoice_id=memory.case.invoice_id,
            event=event,
            now=memory.clock.now(),
            rehearsal=memory.clock.rehearsal,
        )
        answer = await self._calls.result(
            workflow.execute_activity_method(
                RecordActivities.take_credit, request, summary="credit_applied", **options.WRITING
            )
        )
        if answer.field is not None:
            raise Refused(answer.field, answer.reason or "")

    async def _check_move(self, move: PolicyMoved) -> None:
        """Raises Refused when the version is not registered, or the move says something else of it."""
        objection = await self._calls.result(
            workflow.execute_activity_method(
                PolicyMoveActivities.check, move, summary="look at the new version", **options.WRITING
            )
        )
        if objection is not None:
            raise Refused(objection.field, objection.reason)
