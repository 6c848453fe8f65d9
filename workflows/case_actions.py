"""The actions of a case that are due: a step of the ladder, or an agreed day."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.activity_calls import ActivityCalls
from workflows.case_writer import CaseWriter
from workflows.errors import reason_of
from workflows.memory import Memory

with workflow.unsafe.imports_passed_through():
    from activities.step import StepActivities
    from dunwell.domain import next_action
    from dunwell.domain.ladder import NextAction
    from dunwell.services.request_models import StepAnswer, StepRequest
    from workflows import options
    from workflows.ui_text import plain

_LONGEST_SUMMARY = 200


class CaseActions:
    def __init__(self, memory: Memory, calls: ActivityCalls, writer: CaseWriter) -> None:
        self._memory, self._calls, self._writer = memory, calls, writer

    async def carry_out(self, action: NextAction) -> None:
        """Do what is due now."""
        if action.step in next_action.DATES:
            await self._agreed_day(action.step)
        else:
            await self._step(action)

    async def _agreed_day(self, step: str) -> None:
        """Decide what follows when the day of an agreement, a pause, an announcement or a reply has come."""
        memory = self._memory
        case, now = memory.case, memory.clock.now()
        if step == next_action.PROMISE_DUE:
            memory.add_entries(case.promise_due(now))
        elif step == next_action.INSTALMENT_DUE:
            memory.add_entries(case.instalment_due(now))
        elif step in next_action.WAITS:
            memory.add_entries(case.wait_over(now))
        elif step == next_action.PAUSE_OVER:
            memory.add_entries(case.pause_over(now))
        elif step == next_action.CALL_OVER:
            memory.add_entries(case.call_over(now))
        elif step == next_action.REPLY_DUE:
            memory.add_entries(case.reply_due(now))
        await self._writer.plan_anew()

    async def _step(self, action: NextAction) -> None:
        memory = self._memory
        case, now = memory.case, memory.clock.now()
        entries, arrivals = list(memory.unsaved), memory.arrivals
        revision, known = case.revision, len(memory.not_arrived)
        request = memory.request(StepRequest, entries, step=action.step, planned_at=action.at)
        try:
            answer = await self._calls.about_case(
                lambda handed: workflow.execute_activity_method(
                    StepActivities.carry_out,
                    handed,
                    task_queue=options.step_queue(workflow.info().task_queue),
                    summary=summary(action),
                    **options.STEP_WORK,
                ),
                request,
            )
        except ActivityError as error:
            self._note_trouble(action.step, error)
            return
        finally:
            memory.clock.set_rehearsal(now)
        memory.saved(entries)
        if answer.outcome is not None:
            # A message that did not arrive raises no revision, but its step may be due once more because of it.
            missed = memory.not_arrived[known:]
            unchanged = memory.case is case and case.revision == revision and not missed
            arrived = memory.arrivals > arrivals
            self._take(answer, request.seen, unchanged=unchanged, arrived=arrived, missed=action.step in missed)
        self._writer.access.begin_if_needed(answer)

    def _take(self, answer: StepAnswer, seen: int, *, unchanged: bool, arrived: bool, missed: bool) -> None:
        """Take the step's outcome; take its plan only if the case is `unchanged` since it was handed.

        seen: the number of the last timeline entry that the request named. arrived: meanwhile a message was
        delivered. It may be the delivered warning that the step did not find, so a step that is blocked is looked at
        again at once. missed: meanwhile a message of this step did not arrive.
        """
        memory = self._memory
        case, outcome = memory.case, answer.outcome
        if outcome is None:
            return
        case.take(outcome, missed=missed)
        memory.take(answer, case.revision if unchanged else -1, seen)
        if arrived and not unchanged:
            memory.case.outstanding.blocked_until = None
        if outcome.status == "stale" and unchanged and answer.newer is None and not answer.apart:
            # The database says that the case has changed, and has no newer one: without a rest this would go on at
            # once, for ever.
            case.outstanding.blocked_until = memory.clock.now() + options.AFTER_TROUBLE
            case.outstanding.blocked_step = None
            memory.stale = True

    def _note_trouble(self, step: str, error: ActivityError) -> None:
        """Note that a step failed after all its attempts; it is tried again later, and the case goes on."""
        memory = self._memory
        now = memory.clock.now()
        until = now + options.AFTER_TROUBLE
        memory.add_entries(memory.case.in_trouble(step, reason_of(error), now, until), step)
        memory.stale = True


def summary(action: NextAction) -> str:
    """Return the line that the Temporal UI shows at the action's timer and activity."""
    return plain(f"{action.name}: {action.why}")[:_LONGEST_SUMMARY].rstrip("\\")
