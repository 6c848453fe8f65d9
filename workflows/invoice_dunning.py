"""The story of one invoice: opened, asked for step by step, paid or handed over.

A run keeps one `Case` and obeys it. Handlers change the case at once and write the change to the database beside
whatever step is in flight; the main loop only waits for the next action and carries it out.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.access import AccessActivities
    from activities.cancellation import CANCEL_REQUESTED, CancellationActivities
    from activities.opening import Opened, OpeningActivities, OpenRequest
    from activities.policy_move import PolicyMoveActivities
    from activities.predecessor import Predecessor, RecallRequest
    from activities.record import CreditRequest, RecordActivities
    from activities.step import StepActivities
    from activities.unsealing import Unsealing, UnsealRequest, any_sealed, packed, unpacked, why_unopened
    from dunwell.domain import agenda
    from dunwell.domain.case import Case
    from dunwell.domain.checkpoint import Mark, merged
    from dunwell.domain.cleaning import one_line
    from dunwell.domain.events import (
        PERSONAL_DECISIONS,
        ContactsChanged,
        CreditApplied,
        DeliveryReport,
        Event,
        PolicyMoved,
        parse_event,
    )
    from dunwell.domain.invoice import is_rehearsal
    from dunwell.domain.ladder import NextAction
    from dunwell.domain.plausibility import admit
    from dunwell.domain.refusal import Refused
    from dunwell.domain.sealed import MOST_BYTES, MOST_KEPT, SealedSignal, is_sealed
    from dunwell.domain.step_outcome import Said
    from dunwell.domain.timeline import Entry
    from dunwell.services.exchange import CaseAnswer, CaseRequest, RecordRequest, StepAnswer, StepRequest
    from dunwell.services.failures import OtherRun
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
        Status,
        status_of,
        status_of_unopened,
        workflow_id,
    )
    from workflows.ui_text import details, due_moment, plain

T = TypeVar("T")


@workflow.defn(name=WORKFLOW_TYPE)
class InvoiceDunning:
    @workflow.init
    def __init__(self, start: CaseStart) -> None:
        self._start = start
        self._clock = start.clock
        self._latest: datetime | None = None
        self._case: Case | None = None
        self._waits_for = ""  # why the case is not open yet
        self._told_early = 0  # signals that are kept until the case is open
        self._registered = False
        self._timeline: list[Entry] = []
        self._unsaved: list[Entry] = []
        self._seen = 0
        self._said = 0
        self._stale = False
        self._planned_for = -1  # the revision of the case that its next action was planned for
        self._woken = False
        self._shown: tuple[object, ...] | None = None
        self._in_flight = 0  # activities whose results are awaited
        self._arrivals = 0  # how often this run has heard that a message arrived
        self._unpublished = False  # the product has not heard of every change of access
        self._publishing: asyncio.Task[None] | None = None
        self._interrupting = False
        self._signals = 0  # how many this run has heard
        self._sealed: list[SealedSignal] = []  # what no key opened yet
        self._unsealing: asyncio.Task[None] | None = None
        self._more_sealed = self._keys_rest = False
        self._writing = asyncio.Lock()
        self._stored: Mark | None = None  # how far the database's copy of the case is
        self._waiting: list[Event] = []  # what happened to the case and is not being written yet
        if start.carried:
            self._take_over(start.carried)

    @workflow.run
    async def run(self, start: CaseStart) -> Outcome:
        self._check_start()
        story = asyncio.create_task(self._tell_story())
        try:
            return await asyncio.shield(story)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None or self._may_be_cancelled:
                story.cancel()
                with suppress(asyncio.CancelledError):
                    await story
                raise  # the worker lets go of a case that sleeps; or there is nothing to lose
            await self._rest_until_told()
        return await story

    async def _tell_story(self) -> Outcome:
        await self._open_case()
        self._begin_unsealing()
        while not await self._finished():
            if self._stale:
                await self._plan_anew()
            elif await self._is_due():
                await self._act()
            await self._continue_in_new_run_if_long()
        return self._outcome()

    def _check_start(self) -> None:
        """Raises ApplicationError for a run that has no business with its invoice, before it touches anything."""
        if self._start.fault is not None:
            raise _no_start(self._start.fault)
        own = workflow_id(self._start.invoice_id)
        if workflow.info().workflow_id != own:
            raise _no_start(f"invoice_id: the workflow of {self._start.invoice_id} has the id {own} and no other")
        fault = self._clock.fault()
        if fault is not None:
            raise _no_start(fault)
        if self._case is not None and is_rehearsal(self._case.customer_id) != self._clock.rehearsal:
            raise _no_start("clock: a rehearsal needs an invoice of its own")

    # The story -------------------------------------------------------------------------------------------

    async def _open_case(self) -> None:
        if self._case is not None:
            return
        memory = await self._recall_predecessor()
        opening, since = self._start.opening, None
        while opening is None:
            opened = await self._ask_for_opening(since)
            opening, since = opened.opening, since or self._now()
            if opening is None:
                await self._wait_for_invoice(opened.why)
        self._case = opening.case
        self._check_start()
        if memory is not None and opening.case.mark.precedes(memory.written or memory.case.mark):
            self._go_on_from(memory)
        else:
            self._take_newer_case(opening.answer, self._case.revision, self._seen)
        self._show()

    def _go_on_from(self, memory: Carried) -> None:
        """The database was restored from a copy older than that run's end, and lacks what it knew."""
        told, sealed = self._timeline, self._sealed
        self._take_over(memory)
        self._timeline, self._sealed = self._timeline + told, self._sealed + sealed
        self._shown = None
        self._tell_all()

    async def _recall_predecessor(self) -> Carried | None:
        """What the run knew that this one follows; None when there is none any more."""
        if self._start.follows is None:
            return None
        request = RecallRequest(run_id=self._start.follows, query=MEMORY_QUERY)
        memory = await self._result(
            workflow.execute_activity_method(
                Predecessor.recall, request, summary="what the run before remembers", **options.WRITING
            )
        )
        return None if memory is None else Carried.model_validate(memory)

    async def _ask_for_opening(self, since: datetime | None) -> Opened:
        request = OpenRequest(
            invoice_id=self._start.invoice_id, now=self._now(), rehearsal=self._clock.rehearsal, since=since
        )
        return await self._result(
            workflow.execute_activity_method(
                OpeningActivities.open_case, request, summary="open the case", **options.WRITING
            )
        )

    async def _wait_for_invoice(self, why: str) -> None:
        """Keep what is told, until somebody brings the invoice or a day is over."""
        if why != self._waits_for:
            self._waits_for = why
            self._add_entries([Said("waiting", why)])
        workflow.set_current_details(f"**scheduled**: {why}\n\nWhat is signalled meanwhile is kept.")
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._registered, timeout=options.INVOICE_LOOK, timeout_summary="wait for the invoice"
            )
        self._registered = False

    @property
    def _may_be_cancelled(self) -> bool:
        """Whether a request to cancel loses nothing: there is no invoice, and nothing was told."""
        return self._case is None and self._told_early == 0

    async def _rest_until_told(self) -> None:
        """A slip of the mouse, or of a batch, must not end a case: it rests, and a person is asked."""
        self._interrupting = True
        await workflow.wait_condition(lambda: self._case is not None)
        said = self._the_case.interrupt(CANCEL_REQUESTED, self._now())
        self._add_entries(said)
        if said:
            await self._record(None, None)
            await self._result(
                workflow.execute_activity_method(
                    CancellationActivities.ask_about_cancel,
                    CaseRequest(**self._request([])),
                    summary="ask a person: end it, or go on?",
                    **options.WRITING,
                )
            )
        self._show()
        self._interrupting = False
        self._stale = self._woken = True

    async def _finished(self) -> bool:
        """Ended, every answer sent, no handler still at work that might reopen it, and nothing kept sealed.

        A sealed signal may be a payment: only a person lets go of it.
        """
        if not self._the_case.finished:
            return False
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() and self._at_rest and self._sealed_may_wait_no_more()
        )
        return self._the_case.finished and not self._unsaved and not self._sealed

    def _sealed_may_wait_no_more(self) -> bool:
        """Of an ended case: nothing is sealed, or there is something to write down or to go on with meanwhile."""
        return not self._sealed or bool(self._unsaved) or not self._the_case.finished or self._is_long()

    @property
    def _at_rest(self) -> bool:
        """Whether nothing goes on beside the story, but for waiting until keys are tried again."""
        return self._publishing is None and not self._interrupting and (self._unsealing is None or self._keys_rest)

    async def _is_due(self) -> bool:
        """Sleep until the next action is due, or until something happens. False: look again."""
        action = self._the_case.next_action
        self._woken = False
        if self._the_case.finished:
            self._stale = bool(self._unsaved)
            return False
        if action is None:
            self._leave_trace()
            await workflow.wait_condition(lambda: self._woken)
            return False
        delay = self._clock.server_delay(action.at - self._now())
        if delay > timedelta(0):
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(lambda: self._woken, timeout=delay, timeout_summary=_summary(action))
                return False
            self._set_clock(action.at)
        if self._stale:
            return False
        if self._planned_for != self._the_case.revision:
            # News came at this very moment; beside us it is written down, and a new plan made.
            self._leave_trace()
            await workflow.wait_condition(lambda: self._woken)
            return False
        return True

    async def _act(self) -> None:
        action = self._the_case.next_action
        if action is None:
            return
        if action.step in agenda.DATES:
            await self._meet_agreed_day(action.step)
        else:
            await self._carry_out(action)
        self._show()

    async def _meet_agreed_day(self, step: str) -> None:
        """A promise, an instalment, a pause or what was announced in a talk has come to its day."""
        case, now = self._the_case, self._now()
        if step == agenda.PROMISE_DUE:
            self._add_entries(case.promise_due(now))
        elif step == agenda.INSTALMENT_DUE:
            self._add_entries(case.instalment_due(now))
        elif step in agenda.WAITS:
            self._add_entries(case.wait_over(now))
        elif step == agenda.PAUSE_OVER:
            self._add_entries(case.pause_over(now))
        await self._plan_anew()

    async def _carry_out(self, action: NextAction) -> None:
        case, now = self._the_case, self._now()
        entries, arrivals = list(self._unsaved), self._arrivals
        request = StepRequest(**self._request(entries), step=action.step, planned_at=action.at)
        try:
            answer = await self._result(
                workflow.execute_activity_method(
                    StepActivities.carry_out,
                    request,
                    task_queue=options.step_queue(workflow.info().task_queue),
                    summary=_summary(action),
                    **options.STEP_WORK,
                )
            )
        except ActivityError as error:
            self._report_trouble(action.step, error)
            return
        finally:
            self._set_clock(now)
        self._saved(entries)
        if answer.outcome is not None:
            self._case_after(answer, case, request, arrived=self._arrivals > arrivals)
        self._publish_if_needed(answer)

    def _case_after(self, answer: StepAnswer, before: Case, request: StepRequest, *, arrived: bool) -> None:
        """Take the step's outcome; its plan only counts if nothing else happened to the case of `before` meanwhile.

        arrived: meanwhile a message arrived, maybe the proof that the step found missing; the new plan looks again.
        """
        case, outcome = self._the_case, answer.outcome
        if outcome is None:
            return
        unchanged = case is before and case.revision == request.case.revision
        case.take(outcome)
        self._take_newer_case(answer, case.revision if unchanged else -1, request.seen)
        if arrived and not unchanged:
            self._the_case.outstanding.blocked_until = None
        if outcome.status == "stale" and unchanged and answer.newer is None and not answer.apart:
            # The store disagrees and has nothing newer to offer: do not spin on it.
            case.outstanding.blocked_until, case.outstanding.blocked_step = self._now() + options.AFTER_TROUBLE, None
            self._stale = True

    def _report_trouble(self, step: str, error: ActivityError) -> None:
        """A step that was tried many times: said openly, tried again later, and the case lives on."""
        now = self._now()
        until = now + options.AFTER_TROUBLE
        self._add_entries(self._the_case.in_trouble(step, _why(error), now, until), step)
        self._stale = True

    async def _plan_anew(self) -> None:
        self._stale = False
        await self._record(None, None)
        self._show()

    def _publish_if_needed(self, answer: CaseAnswer) -> None:
        """Beside the story: a product that is away holds up no case."""
        self._unpublished = self._unpublished or answer.unpublished
        if self._unpublished and self._publishing is None:
            self._publishing = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        while self._unpublished:
            self._unpublished = False
            try:
                await self._result(
                    workflow.execute_activity_method(
                        AccessActivities.publish,
                        CaseRequest(**self._request([])),
                        # a slow product keeps no payment waiting
                        task_queue=options.step_queue(workflow.info().task_queue),
                        summary="tell the product about access",
                        **options.PUBLISHING,
                    )
                )
            except ActivityError as error:
                self._unpublished = True
                self._add_entries(self._the_case.unpublished(_why(error), self._now()))
                await self._record(None, None)
        self._publishing = None
        if self._the_case.published():
            self._stale = True
        self._woken = True

    async def _continue_in_new_run_if_long(self) -> None:
        if not self._is_long() or (self._the_case.finished and not self._sealed):
            return
        await workflow.wait_condition(
            lambda: (
                workflow.all_handlers_finished()
                and not self._interrupting
                and (self._unsealing is None or self._keys_rest)
            )
        )
        clock = self._clock.set(workflow.now(), self._now())
        start = CaseStart(
            invoice_id=self._start.invoice_id,
            clock=clock,
            carried=self._carried(),
            history_limit=self._start.history_limit,
        )
        workflow.continue_as_new(start)

    def _is_long(self) -> bool:
        limit, info = self._start.history_limit, workflow.info()
        return info.get_current_history_length() > limit if limit else info.is_continue_as_new_suggested()

    # What others say -------------------------------------------------------------------------------------

    @workflow.signal(dynamic=True)
    async def receive_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Every signal. The raw value is taken and checked here, so that nothing is ever dropped unseen."""
        kept = self._keeps(name, args)
        if name == RECONCILE_SIGNAL:
            await self._catch_up()
            return
        if name == REGISTERED_SIGNAL:
            self._registered = True
            return
        if kept:
            return
        with suppress(Refused):
            await self._take_in(name, _decoded(args))

    @workflow.update(dynamic=True)
    async def receive_update(self, name: str, args: Sequence[RawValue]) -> Status:
        """The same for a person who waits for the answer."""
        try:
            await self._take_in(name, _decoded(args))
        except Refused as refused:
            raise _refusal(refused) from None
        await self._writing_over()
        return self.status()

    @receive_update.validator
    def _validate_update(self, name: str, args: Sequence[RawValue]) -> None:
        """Refuse at once what makes no sense, before anything is written.

        It must change nothing, not even the latest time: no history has the refusal, and no replay asks again.
        """
        try:
            if name not in PERSONAL_DECISIONS:
                raise Refused(
                    "update", f"there is none of this name; known are {', '.join(sorted(PERSONAL_DECISIONS))}"
                )
            event = parse_event(name, _opened(args))
            if self._waits_for and self._case is None:
                raise Refused("invoice", f"{self._waits_for}; a signal is kept until then")
            if self._case is not None:
                admit(self._case, event, self._time())
                self._case.model_copy(deep=True).apply(event, self._time())
        except Refused as refused:
            raise _refusal(refused) from None

    async def _catch_up(self) -> None:
        """Beside a step in flight, which may wait for long: write down all that is known, and read what is there."""
        if self._case is None:
            return  # it will be read when the case is opened
        self._tell_all()
        self._woken = True
        await self._plan_anew()

    async def _take_in(self, name: str, values: list[object]) -> None:
        # A signal can be the first thing a run hears. Later it is taken in without a pause: an update that comes with
        # it is judged after it.
        if self._case is None:
            self._told_early += 1
            await workflow.wait_condition(lambda: self._case is not None)
        try:
            event = parse_event(name, values)
            admit(self._the_case, event, self._now())
            if isinstance(event, CreditApplied) and event.credit_id not in self._the_case.money.payments:
                await self._take_credit(event)
            if isinstance(event, PolicyMoved):
                await self._check_move(event)
            said = self._the_case.apply(event, self._now())
        except Refused as refused:
            self._add_entries([Said("refused", f"{name}: {refused}"[:400])])
            self._stale = self._woken = True
            raise
        self._add_entries(said)
        if said or isinstance(event, DeliveryReport | ContactsChanged):
            self._waiting.append(event)
            # Beside a step in flight, not after it: the database must know of money at once.
            await self._record(name, event)
        self._show()

    async def _check_move(self, move: PolicyMoved) -> None:
        """Raises Refused when the version is not registered, or the move says something else of it."""
        objection = await self._result(
            workflow.execute_activity_method(
                PolicyMoveActivities.check, move, summary="look at the new version", **options.WRITING
            )
        )
        if objection is not None:
            raise Refused(objection.field, objection.reason)

    async def _record(self, name: str | None, event: Event | None) -> None:
        if self._writing.locked():
            self._leave_trace()
        async with self._writing:
            entries = list(self._unsaved)
            content: dict[str, Any] | None = event.model_dump(mode="json") if event is not None else None
            update = workflow.current_update_info()
            request = RecordRequest(
                **self._request(entries), event=name, content=content, told_as=update.id if update else None
            )
            revision, now = request.case.revision, self._now()
            if event in self._waiting:
                self._waiting.remove(event)
            answer = await self._result(
                workflow.execute_activity_method(
                    RecordActivities.record, request, summary=name or "plan anew", **options.WRITING
                )
            )
            self._set_clock(now)
            self._saved(entries)
            if answer.not_arrived:
                self._the_case.reach_further(answer.not_arrived)
            if answer.arrived:
                self._the_case.outstanding.blocked_until = None
                self._arrivals += 1
            self._take_newer_case(answer, revision, request.seen)
        self._publish_if_needed(answer)

    async def _take_credit(self, event: CreditApplied) -> None:
        """Raise Refused when the database has no such credit. It is asked first, so that no credit is spent twice."""
        case = self._the_case
        request = CreditRequest(
            customer_id=case.customer_id,
            invoice_id=case.invoice_id,
            event=event,
            now=self._now(),
            rehearsal=self._clock.rehearsal,
        )
        answer = await self._result(
            workflow.execute_activity_method(
                RecordActivities.take_credit, request, summary="credit_applied", **options.WRITING
            )
        )
        if answer.field is not None:
            raise Refused(answer.field, answer.reason or "")

    async def _writing_over(self) -> None:
        """Until what others told is written down too: holds and access are as they will be."""
        if self._writing.locked():
            self._leave_trace()
            await workflow.wait_condition(lambda: not self._writing.locked())

    # What no key opened ----------------------------------------------------------------------------------

    def _keeps(self, name: str, args: Sequence[RawValue]) -> bool:
        """Keep a signal that no key opened when it came, until one does. False: it can be read, go on.

        The keys of a worker are not in the history, and the next worker may have others. So the history gets a marker
        for each signal that was not opened, and nothing for all others: whoever replays it goes by the marker.
        """
        self._signals += 1
        marker = f"sealed-signal-{self._signals}"
        sealed = any_sealed(arg.payload for arg in args)
        if not self._as_marked(marker, sealed):
            return False
        size = len(name) + sum(arg.payload.ByteSize() for arg in args)
        if self._as_marked(f"{marker}-refused", size > MOST_BYTES or len(self._sealed) >= MOST_KEPT):
            why = f"no key opens it; of such a case keeps {MOST_KEPT}, of at most {MOST_BYTES} bytes"
            self._add_entries([Said("refused", f"{name}: payload: {why}"[:400])])
            self._stale = self._woken = True
        else:
            self._told_early += self._case is None
            self._sealed.append(SealedSignal(name=name, args=[packed(arg.payload) for arg in args]))
            self._more_sealed = True
            self._begin_unsealing()
        return True

    def _as_marked(self, marker: str, now: bool) -> bool:
        """What is so now, or was so when this was first run: the history then has the marker."""
        if not now and not workflow.unsafe.is_replaying():
            return False
        return workflow.patched(marker)

    def _begin_unsealing(self) -> None:
        if self._sealed and self._unsealing is None:
            self._unsealing = asyncio.create_task(self._unseal())

    async def _unseal(self) -> None:
        """Try the keys at once and every hour, until nothing is sealed any more."""
        await workflow.wait_condition(lambda: self._case is not None)
        while self._sealed:
            self._more_sealed = False
            await self._try_keys()
            if not self._sealed or self._more_sealed:
                continue
            self._keys_rest = True
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._more_sealed, timeout=options.KEYS_LOOK, timeout_summary="try the keys again"
                )
            self._keys_rest = False
        self._unsealing = None
        self._woken = True

    async def _try_keys(self) -> None:
        """In an activity, so that the history holds what was opened; then in the order in which they came."""
        tried = list(self._sealed)
        answer = await self._result(
            workflow.execute_activity_method(
                Unsealing.unseal,
                UnsealRequest(**self._request([]), sealed=tried),
                summary="open what came sealed",
                **options.WRITING,
            )
        )
        for signal, became in zip(tried, answer.signals, strict=True):
            if became.args is not None:
                with suppress(Refused):
                    await self._take_in(signal.name, _decoded([RawValue(unpacked(arg)) for arg in became.args]))
                self._sealed.remove(signal)
            elif became.given_up:
                self._add_entries(
                    [Said("refused", f"{signal.name}: given up, because the task about its key was closed"[:400])]
                )
                self._sealed.remove(signal)
            elif signal.task_id is None:
                self._add_entries(
                    [Said("sealed", f"{signal.name}: {became.why}; it is kept until it can be opened"[:400])]
                )
                signal.task_id = became.task_id
        self._stale = self._stale or bool(self._unsaved)
        self._woken = True
        self._show()

    # What everybody sees ---------------------------------------------------------------------------------

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> Status:
        if self._case is None:
            return status_of_unopened(self._start.invoice_id, self._timeline)
        return status_of(self._case, self._timeline)

    @workflow.query(name=MEMORY_QUERY)
    def memory(self) -> Carried:
        """All that this run remembers, also when it has ended."""
        return self._carried()

    def _show(self) -> None:
        """Details for the UI on every change (free); search attributes only when stage, access or money changed."""
        case = self._the_case
        workflow.set_current_details(details(case, self._timeline, len(self._sealed)))
        shown = _shown(case)
        if shown == self._shown:
            return
        known = workflow.info().typed_search_attributes.get(options.STAGE)
        first, self._shown = self._shown is None, shown
        if first and known == case.stage.value:
            return  # the starter set them all
        self._write_search_attributes()

    def _write_search_attributes(self) -> None:
        workflow.upsert_search_attributes(_search_attributes(self._the_case))

    def _outcome(self) -> Outcome:
        case = self._the_case
        return Outcome(invoice_id=case.invoice_id, stage=case.stage, amount_due=case.open_amount, credit=case.credit)

    # What the engine is asked for ------------------------------------------------------------------------

    async def _result(self, activity: Awaitable[T]) -> T:
        """Its result. While others are in flight, it may well lead to nothing."""
        self._in_flight += 1
        try:
            return await activity
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == OtherRun.kind:
                raise _no_start(error.cause.message) from None
            raise
        finally:
            self._in_flight -= 1
            if self._in_flight or self._keys_rest:
                self._leave_trace()

    def _leave_trace(self) -> None:
        """Call before waiting for nothing but others: no workflow task that takes in a result may be empty.

        A worker that takes the case up anew may take an empty task for a part of the next one, and would run the next
        one's update before the result that came first (docs/decisions/0013-no-quiet-tasks.md). Remove when
        https://github.com/temporalio/sdk-rust/issues/1146 is fixed.
        """
        self._write_search_attributes()

    # Memory ----------------------------------------------------------------------------------------------

    @property
    def _the_case(self) -> Case:
        if self._case is None:
            raise ApplicationError("the case is not open yet; ask again in a moment", type="NotOpen")
        return self._case

    def _carried(self) -> Carried:
        return Carried(
            case=self._the_case,
            timeline=self._timeline,
            unsaved=self._unsaved,
            seen=self._seen,
            said=self._said,
            stale=self._stale or self._publishing is not None,
            written=self._stored,
            sealed=self._sealed,
        )

    def _take_over(self, carried: Carried) -> None:
        self._case, self._timeline, self._unsaved = carried.case, carried.timeline, carried.unsaved
        self._seen, self._said = carried.seen, carried.said
        self._stored, self._sealed = carried.written, carried.sealed
        self._stale, self._planned_for = carried.stale, carried.case.revision
        self._shown = _shown(carried.case)

    def _request(self, entries: list[Entry]) -> dict[str, Any]:
        return {
            "case": self._the_case.model_copy(deep=True),
            "now": self._now(),
            "rehearsal": self._clock.rehearsal,
            "entries": entries,
            "seen": self._seen,
            "written": self._stored,
        }

    def _take_newer_case(self, answer: CaseAnswer, planned_for: int, seen: int) -> None:
        """Take over what the database knows; a plan made for an older case is replaced by a new one.

        `seen`: the last entry that this run had when it asked.
        """
        if answer.newer is not None and (answer.replaces or answer.newer.revision > self._the_case.revision):
            self._case = answer.newer
            planned_for = answer.newer.revision
            self._take_waiting()
        case = self._the_case
        case.messages = merged(case.messages, answer.messages)
        self._stored = answer.written.later(self._stored) if answer.written else self._stored
        case.access, case.access_beside, case.holds = answer.access, answer.access_beside, answer.holds
        case.money.given = answer.given
        case.utc_offset_minutes = answer.utc_offset_minutes
        self._read(answer.entries)
        if seen <= self._seen:  # else all is to be read anew since: a restored database counts its entries anew
            self._seen = max(self._seen, answer.seen)
        self._woken = True
        if answer.apart:
            self._tell_all()
        if planned_for == case.revision:
            case.next_action, self._planned_for = answer.next_action, planned_for
        else:
            self._stale = True

    def _read(self, entries: Sequence[Entry]) -> None:
        """Add what the database has of the timeline; of one thing told in two ways, its way stands."""
        told, known = {entry.key: entry for entry in entries}, {entry.key for entry in self._timeline}
        if told:
            self._timeline = [told.get(entry.key, entry) for entry in self._timeline]
            self._timeline += [entry for entry in entries if entry.key not in known]
            self._timeline = self._timeline[-options.TIMELINE_KEPT :]

    def _take_waiting(self) -> None:
        """A case that replaces ours has not heard yet what is waiting to be written."""
        for event in self._waiting:
            try:
                self._the_case.apply(event, self._now())
            except Refused as refused:
                self._add_entries([Said("refused", f"{refused}"[:400])])

    def _tell_all(self) -> None:
        """The database may lack anything: write all of the timeline again, and read all of it."""
        self._unsaved = list(self._timeline)
        self._seen, self._stale = 0, True

    def _add_entries(self, said: list[Said], step: str | None = None) -> None:
        for item in said:
            self._said += 1
            key = f"{workflow.info().run_id}.{self._said}"
            reason = one_line(item.reason)  # it may repeat the name of a signal, which is anything at all
            entry = Entry(key=key, at=self._now(), kind=item.kind, reason=reason, step=step, ref=item.ref)
            self._timeline.append(entry)
            self._unsaved.append(entry)

    def _saved(self, entries: list[Entry]) -> None:
        self._unsaved = [entry for entry in self._unsaved if entry not in entries]

    # Time ------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """The case's time; it never goes back."""
        self._latest = self._time()
        return self._latest

    def _time(self) -> datetime:
        """The same, for those who may only look."""
        now = self._clock.at(workflow.now())
        return max(now, self._latest or now)

    def _set_clock(self, case_time: datetime) -> None:
        """In a rehearsal no time passes while the machine works."""
        if self._clock.rehearsal:
            self._clock = self._clock.set(workflow.now(), max(case_time, self._latest or case_time))


def _decoded(args: Sequence[RawValue]) -> list[object]:
    """What was sent, whatever it was. Bytes that are no JSON become a value no message accepts.

    What was opened when it came and is not now fails the task, with the name of the key: the case has lived by it.
    """
    values: list[object] = []
    for arg in args:
        try:
            values.append(workflow.payload_converter().from_payload(arg.payload))
        except Exception:
            if is_sealed(arg.payload.metadata):
                raise
            values.append(None)
    return values


def _opened(args: Sequence[RawValue]) -> list[object]:
    """The same for who can be told at once. Raises Refused for what is sealed still."""
    payloads = [arg.payload for arg in args]
    if any_sealed(payloads):
        raise Refused(
            "payload",
            f"{why_unopened(payloads)}: give the caller and the workers the same PAYLOAD_KEYS, then try again",
        )
    return _decoded(args)


def _no_start(reason: str) -> ApplicationError:
    """What ends a run that must not go on: nothing has been touched."""
    return ApplicationError(reason, type="Refused", non_retryable=True)


def _refusal(refused: Refused) -> ApplicationError:
    return ApplicationError(str(refused), refused.field, refused.reason, type="Refused", non_retryable=True)


def _why(error: ActivityError) -> str:
    cause = error.cause
    why = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else type(cause).__name__
    return why[:200]


def _summary(action: NextAction) -> str:
    return plain(f"{action.name}: {action.why}")[:200].rstrip("\\")


def _shown(case: Case) -> tuple[object, ...]:
    """What the search attributes tell; they are written when it changes."""
    action = case.next_action
    return case.stage, case.access, case.open_amount, case.due_on, (action.step, action.at) if action else None


def _search_attributes(case: Case) -> list[SearchAttributeUpdate[Any]]:
    action = case.next_action
    return [
        options.STAGE.value_set(case.stage.value),
        options.STEP.value_set(
            action.step if action else (case.progress.steps[-1].step if case.progress.steps else "none")
        ),
        options.CUSTOMER_ID.value_set(case.customer_id),
        options.POLICY_NAME.value_set(case.policy.name),
        options.CURRENCY.value_set(case.currency),
        options.AMOUNT_DUE.value_set(float(case.open_amount)),
        options.DUE_ON.value_set(due_moment(case)),
        options.NEXT_ACTION_AT.value_set(action.at) if action else options.NEXT_ACTION_AT.value_unset(),
    ]
