"""The workflow of one invoice: its case is opened, asked for step by step, and ends paid, cancelled or handed over.

The main loop waits for the next action and carries it out. Signals and updates change the case at once and write the
change to the database, also while a step is in flight.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from workflows.activity_calls import ActivityCalls
from workflows.case_actions import CaseActions, summary
from workflows.case_clock import CaseClock
from workflows.case_opening import CaseOpening, check_start
from workflows.case_writer import CaseWriter
from workflows.errors import update_refused
from workflows.event_intake import EventIntake
from workflows.memory import Memory
from workflows.operator_view import OperatorView
from workflows.payloads import decoded
from workflows.sealed_signals import SealedSignals

with workflow.unsafe.imports_passed_through():
    from activities.cancellation import CANCEL_REQUESTED, CancellationActivities, LostRunRequest
    from dunwell.domain.refusal import Refused
    from dunwell.services.request_models import CaseRequest
    from workflows import options
    from workflows.messages import (
        MEMORY_QUERY,
        RECONCILE_SIGNAL,
        REGISTERED_SIGNAL,
        STATUS_QUERY,
        WORKFLOW_TYPE,
        Carried,
        CaseStart,
        Outcome,
    )
    from workflows.status import Status, status_of, status_of_unopened

R = TypeVar("R", bound=CaseRequest)


@workflow.defn(name=WORKFLOW_TYPE)
class InvoiceDunning:
    @workflow.init
    def __init__(self, start: CaseStart) -> None:
        self._start = start
        self._clock = CaseClock(start.clock)
        self._memory = Memory(self._clock, start.carried)
        self._view = OperatorView(self._memory)
        self._calls = ActivityCalls(self._memory, self._view)
        self._opening = CaseOpening(start, self._memory, self._calls)
        self._writer = CaseWriter(self._memory, self._calls, self._view)
        self._actions = CaseActions(self._memory, self._calls, self._writer)
        self._intake = EventIntake(self._memory, self._calls, self._writer, self._view)
        self._sealed = SealedSignals(self._memory, self._calls, self._intake, self._view)
        self._asking_about_cancel = False

    @workflow.run
    async def run(self, start: CaseStart) -> Outcome:
        check_start(start, self._clock, self._memory.opened)
        chase = asyncio.create_task(self._chase())
        try:
            return await asyncio.shield(chase)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None or self._may_be_cancelled:
                chase.cancel()
                with suppress(asyncio.CancelledError):
                    await chase
                raise  # the worker removes a sleeping case from its cache; or nothing is lost by the end of this run
            await self._ask_about_cancel()
        return await chase

    # The main loop ---------------------------------------------------------------------------------------

    async def _chase(self) -> Outcome:
        await self._open_case()
        self._sealed.begin_opening()
        while not await self._finished():
            if self._memory.stale:
                await self._writer.plan_anew()
            elif await self._action_is_due():
                await self._carry_out()
            await self._continue_in_new_run_if_long()
        return self._outcome()

    async def _open_case(self) -> None:
        if self._memory.opened is None:
            await self._opening.open()
            # Await nothing before this: what came with the start is told to a case that rests already.
            lost = self._opening.rest_if_interrupted()
            self._view.show()
            if lost is not None:
                await self._ask(CancellationActivities.ask_about_lost_run, LostRunRequest, **lost)
                self._memory.plan_soon()

    async def _finished(self) -> bool:
        """Whether the case has ended, all is written, no handler may still reopen it, and no signal is sealed.

        A sealed signal may be a payment: only a person may give it up.
        """
        if not self._memory.case.finished:
            return False
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() and self._at_rest and self._no_wait_for_keys_alone()
        )
        return self._memory.case.finished and not self._memory.unsaved and not self._memory.sealed

    def _no_wait_for_keys_alone(self) -> bool:
        """Of an ended case: nothing is sealed, or the main loop has something to do although a signal is."""
        memory = self._memory
        return not memory.sealed or bool(memory.unsaved) or not memory.case.finished or self._is_long()

    @property
    def _at_rest(self) -> bool:
        """Whether nothing runs beside the main loop, except the wait until keys are tried again."""
        return not self._writer.access.running and not self._asking_about_cancel and self._sealed.at_rest

    async def _action_is_due(self) -> bool:
        """Sleep until the next action is due or something happens. Returns False when the loop has to look again."""
        memory = self._memory
        action = memory.case.next_action
        memory.woken = False
        if memory.case.finished:
            memory.stale = bool(memory.unsaved)
            return False
        if action is None:
            await self._until_woken()
            return False
        delay = self._clock.server_delay(action.at - self._clock.now())
        if delay > timedelta(0):
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(lambda: memory.woken, timeout=delay, timeout_summary=summary(action))
                return False
            self._clock.set_rehearsal(action.at)
        await self._intake.until_updates_applied()
        if memory.stale:
            return False
        if memory.planned_for != memory.case.revision:
            # An event came at this very moment. Its handler is writing it, and brings a new plan.
            await self._until_woken()
            return False
        return True

    async def _until_woken(self) -> None:
        self._calls.leave_trace()
        await workflow.wait_condition(lambda: self._memory.woken)

    async def _carry_out(self) -> None:
        action = self._memory.case.next_action
        if action is not None:
            await self._actions.carry_out(action)
            self._view.show()

    async def _continue_in_new_run_if_long(self) -> None:
        if not self._is_long() or (self._memory.case.finished and not self._memory.sealed):
            return
        # Access may still be on its way to the product: the next run looks whether it arrived.
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() and not self._asking_about_cancel and self._sealed.at_rest
        )
        clock = self._clock.for_next_run()
        start = CaseStart(
            invoice_id=self._start.invoice_id,
            clock=clock,
            carried=self.memory(),
            history_limit=self._start.history_limit,
        )
        workflow.continue_as_new(start)

    def _is_long(self) -> bool:
        limit, info = self._start.history_limit, workflow.info()
        return info.get_current_history_length() > limit if limit else info.is_continue_as_new_suggested()

    def _outcome(self) -> Outcome:
        case = self._memory.case
        return Outcome(invoice_id=case.invoice_id, stage=case.stage, amount_due=case.open_amount, credit=case.credit)

    # A request to cancel ---------------------------------------------------------------------------------

    @property
    def _may_be_cancelled(self) -> bool:
        """Whether the engine's request to cancel loses nothing: there is no invoice, and no signal waits for it."""
        return self._memory.opened is None and self._memory.early == 0 and not self._intake.updates_waiting

    async def _ask_about_cancel(self) -> None:
        """Pause the case and raise a task: a wrong click, or a batch that took too much, must not end a case."""
        memory = self._memory
        self._asking_about_cancel = True
        await workflow.wait_condition(lambda: memory.opened is not None)
        said = memory.case.interrupt(CANCEL_REQUESTED, self._clock.now())
        memory.add_entries(said)
        if said:
            await self._ask(CancellationActivities.ask_about_cancel, CaseRequest)
        self._view.show()
        self._asking_about_cancel = False
        memory.plan_soon()

    async def _ask(self, activity: Callable[[Any, R], Awaitable[None]], kind: type[R], **facts: Any) -> None:
        """Write that the case rests, then raise the task by this activity."""
        await self._writer.record()
        await self._calls.about_case(
            lambda handed: workflow.execute_activity_method(
                activity, handed, summary="ask a person: end it, or go on?", **options.WRITING
            ),
            self._memory.request(kind, **facts),
        )

    # Signals, updates, queries ---------------------------------------------------------------------------

    @workflow.signal(dynamic=True)
    async def receive_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Take any signal as its raw value and check it here: one that is invalid is refused in the timeline."""
        kept = self._sealed.keep_if_sealed(name, args)
        if name == RECONCILE_SIGNAL:
            await self._intake.catch_up()
        elif name == REGISTERED_SIGNAL:
            self._opening.invoice_registered()
        elif not kept:
            with suppress(Refused):
                await self._intake.take_in(name, decoded(args))

    @workflow.update(dynamic=True)
    async def receive_update(self, name: str, args: Sequence[RawValue]) -> Status:
        """Take a person's decision. Returns the new status. Raises ApplicationError with the refusal."""
        try:
            await self._intake.take_in_update(name, decoded(args))
        except Refused as refused:
            raise update_refused(refused) from None
        await self._writer.until_written()
        return self.status()

    @receive_update.validator
    def _validate_update(self, name: str, args: Sequence[RawValue]) -> None:
        """Refuse an update before it is in the history. Changes nothing (see EventIntake.validate)."""
        try:
            self._intake.validate(name, args)
        except Refused as refused:
            raise update_refused(refused) from None

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> Status:
        if self._memory.opened is None:
            return status_of_unopened(self._start.invoice_id, self._memory.timeline)
        return status_of(self._memory.opened, self._memory.timeline)

    @workflow.query(name=MEMORY_QUERY)
    def memory(self) -> Carried:
        """Return all that this run knows of its case, also when it has ended."""
        return self._memory.carried(publishing=self._writer.access.running)
