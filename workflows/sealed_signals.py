"""Signals that came encrypted with a key that no worker had: kept, and opened when a worker has it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.common import RawValue

from workflows.activity_calls import ActivityCalls
from workflows.event_intake import EventIntake
from workflows.memory import Memory
from workflows.operator_view import OperatorView
from workflows.payloads import decoded

with workflow.unsafe.imports_passed_through():
    from activities.unsealing import Unsealed, Unsealing, UnsealRequest, any_sealed, packed, unpacked
    from dunwell.domain.refusal import Refused
    from dunwell.domain.sealed import MOST_BYTES, MOST_KEPT, SealedSignal
    from dunwell.domain.step_outcome import Said
    from workflows import options

_LONGEST_REASON = 400


class SealedSignals:
    def __init__(self, memory: Memory, calls: ActivityCalls, intake: EventIntake, view: OperatorView) -> None:
        self._memory, self._calls, self._intake, self._view = memory, calls, intake, view
        self._received = 0  # signals of this run, by which its markers are numbered
        self._task: asyncio.Task[None] | None = None
        self._more = False  # one came since the keys were last tried
        self._resting = False  # waiting until the keys are tried again

    @property
    def at_rest(self) -> bool:
        """Whether no signal is being opened: nothing is sealed, or the keys are tried again later."""
        return self._task is None or self._resting

    def keep_if_sealed(self, name: str, args: Sequence[RawValue]) -> bool:
        """Keep a signal that no key opened when it came. Returns False for one that can be read.

        Call it once for every signal. Which keys a worker has is not in the history, and the next worker may have
        others. So each signal that was not opened gets a marker in the history, and a replay goes by the markers;
        signals that were opened get none.
        """
        self._received += 1
        marker = f"sealed-signal-{self._received}"
        sealed = any_sealed(arg.payload for arg in args)
        if not _marked(marker, sealed):
            return False
        memory = self._memory
        size = len(name) + sum(arg.payload.ByteSize() for arg in args)
        if _marked(f"{marker}-refused", size > MOST_BYTES or len(memory.sealed) >= MOST_KEPT):
            why = f"no key opens it; of such a case keeps {MOST_KEPT}, of at most {MOST_BYTES} bytes"
            memory.add_refusal(f"{name}: payload: {why}")
            memory.plan_soon()
        else:
            memory.early += memory.opened is None
            memory.sealed.append(SealedSignal(name=name, args=[packed(arg.payload) for arg in args]))
            self._more = True
            self.begin_opening()
        return True

    def begin_opening(self) -> None:
        """Begin to try the keys, beside the main loop, if anything is sealed."""
        if self._memory.sealed and self._task is None:
            self._task = asyncio.create_task(self._open_all())

    async def _open_all(self) -> None:
        """Try the keys at once and every hour, until nothing is sealed any more."""
        await workflow.wait_condition(lambda: self._memory.opened is not None)
        while self._memory.sealed:
            self._more = False
            await self._try_keys()
            if not self._memory.sealed or self._more:
                continue
            self._resting = True
            with suppress(asyncio.TimeoutError), self._calls.awaiting():
                await workflow.wait_condition(
                    lambda: self._more, timeout=options.KEYS_LOOK, timeout_summary="try the keys again"
                )
            self._resting = False
        self._task = None
        self._memory.woken = True

    async def _try_keys(self) -> None:
        """Have the signals opened in an activity, whose result brings what was opened into the history.

        Then take them in, in the order in which they came.
        """
        memory = self._memory
        tried = list(memory.sealed)
        answer = await self._calls.about_case(
            lambda handed: workflow.execute_activity_method(
                Unsealing.unseal, handed, summary="open what came sealed", **options.WRITING
            ),
            memory.request(UnsealRequest, sealed=tried),
        )
        for signal, result in zip(tried, answer.signals, strict=True):
            await self._settle(signal, result)
        memory.stale = memory.stale or bool(memory.unsaved)
        memory.woken = True
        self._view.show()

    async def _settle(self, signal: SealedSignal, result: Unsealed) -> None:
        """Take in a signal that was opened, refuse one that was given up, note that another one is kept."""
        memory = self._memory
        if result.args is not None:
            with suppress(Refused):
                await self._intake.take_in(signal.name, decoded([RawValue(unpacked(arg)) for arg in result.args]))
            memory.sealed.remove(signal)
        elif result.given_up:
            memory.add_refusal(f"{signal.name}: given up, because the task about its key was closed")
            memory.sealed.remove(signal)
        elif signal.task_id is None:
            reason = f"{signal.name}: {result.why}; it is kept until it can be opened"
            memory.add_entries([Said("sealed", reason[:_LONGEST_REASON])])
            signal.task_id = result.task_id


def _marked(marker: str, now: bool) -> bool:
    """Return whether this is so now, or was so when the run first came here: the history has the marker then."""
    if not now and not workflow.unsafe.is_replaying():
        return False
    return workflow.patched(marker)
