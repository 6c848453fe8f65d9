"""Signals that came sealed: opened once their key is there, until then a person is asked for it."""

import asyncio
import base64
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from activities.attempts import this_attempt
from dunwell.domain.case import Case
from dunwell.domain.cleaning import one_line
from dunwell.domain.model import MutableValue
from dunwell.domain.sealed import BROKEN, UNOPENED, SealedSignal, is_sealed, key_of
from dunwell.domain.terms import TaskState
from dunwell.services import person_tasks
from dunwell.services.dependencies import Dependencies
from dunwell.services.exchange import CaseRequest, check_run
from dunwell.store import tasks


class UnsealRequest(CaseRequest):
    sealed: list[SealedSignal]


class Unsealed(MutableValue):
    """What became of one signal: `args` are its payloads, opened, in base64.

    Else `why` it stays sealed and which task asks for its key, or `given_up`: who was asked has closed that task.
    """

    args: list[str] | None = None
    why: str = ""
    task_id: str | None = None
    given_up: bool = False


class UnsealAnswer(MutableValue):
    """One for each signal of the request, in its order."""

    signals: list[Unsealed]


class Unsealing:
    """`codec`: what opens payloads on this worker; None opens nothing."""

    def __init__(self, deps: Dependencies, codec: PayloadCodec | None) -> None:
        self._deps, self._codec = deps, codec

    @activity.defn(name="unseal")
    async def unseal(self, request: UnsealRequest) -> UnsealAnswer:
        """Open what the keys at hand open; ask a person, once for each key, for what they do not."""
        opened = [await self._opened(signal) for signal in request.sealed]
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        return await asyncio.to_thread(self._settle, request, opened, now)

    async def _opened(self, signal: SealedSignal) -> list[Payload]:
        payloads = [unpacked(arg) for arg in signal.args]
        return payloads if self._codec is None else await self._codec.decode(payloads)

    def _settle(self, request: UnsealRequest, opened: Sequence[Sequence[Payload]], now: datetime) -> UnsealAnswer:
        answer, case = UnsealAnswer(signals=[]), request.case
        waiting = dict[str, list[tuple[SealedSignal, str]]]()  # by task: what waits for the key, and why
        with self._deps.database.writing(case.customer_id) as session:
            check_run(session, request)
            for signal, payloads in zip(request.sealed, opened, strict=True):
                became = _became(session, case, signal, payloads)
                answer.signals.append(became)
                if became.task_id is not None:
                    waiting.setdefault(became.task_id, []).append((signal, became.why))
            for task_id, signals in waiting.items():
                _ask(session, case, task_id, signals, now)
            for task_id in {signal.task_id for signal in request.sealed if signal.task_id} - waiting.keys():
                _withdraw(session, case, task_id, now)
        return answer


def _became(session: Session, case: Case, signal: SealedSignal, payloads: Sequence[Payload]) -> Unsealed:
    if not any_sealed(payloads):
        return Unsealed(args=[packed(payload) for payload in payloads])
    task = tasks.get(session, signal.task_id) if signal.task_id else None
    if task is not None and task.state == TaskState.DONE:
        return Unsealed(given_up=True)
    key_id = one_line(key_of(_first_sealed(payloads).metadata))
    return Unsealed(why=why_unopened(payloads), task_id=f"{case.invoice_id}.sealed.{key_id}"[:200])


def packed(payload: Payload) -> str:
    """A payload as text."""
    return base64.b64encode(payload.SerializeToString()).decode()


def unpacked(text: str) -> Payload:
    """The payload that `packed` made this text of."""
    return Payload.FromString(base64.b64decode(text))


def any_sealed(payloads: Iterable[Payload]) -> bool:
    return any(is_sealed(payload.metadata) for payload in payloads)


def why_unopened(payloads: Sequence[Payload]) -> str:
    """Which key is missing or wrong, for the first of these payloads that is sealed still."""
    metadata = _first_sealed(payloads).metadata
    named = repr(one_line(key_of(metadata)))  # it comes from outside, and may be anything
    if metadata.get(UNOPENED) == BROKEN:
        return (
            f"it is sealed with the key {named}, and the one of that id in the worker's PAYLOAD_KEYS does not open "
            "it (another key, or the content was changed on its way)"
        )
    return f"it is sealed with the key {named}, which the worker's PAYLOAD_KEYS does not hold"


def _first_sealed(payloads: Sequence[Payload]) -> Payload:
    return next(payload for payload in payloads if is_sealed(payload.metadata))


def _ask(
    session: Session, case: Case, task_id: str, waiting: Sequence[tuple[SealedSignal, str]], now: datetime
) -> None:
    names = ", ".join(sorted({one_line(signal.name)[:60] for signal, _ in waiting}))
    reason = (
        f"{len(waiting)} signal(s) of this case cannot be read ({names[:200]}): {waiting[0][1]}. The case goes on "
        "without. Mend PAYLOAD_KEYS of the workers and restart them: within the hour what waits is opened and taken. "
        "If nobody has the key any more, ask the sender what was told, tell it by command, and close this task: what "
        "waits is then given up"
    )
    known = tasks.get(session, task_id)
    if known is None:
        person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now, outlives_case=True)
    elif known.state != TaskState.OPEN:
        person_tasks.reopen(session, case, known, reason, now, now)
    else:
        known.reason = reason


def _withdraw(session: Session, case: Case, task_id: str, now: datetime) -> None:
    task = tasks.get(session, task_id)
    if task is not None and task.state == TaskState.OPEN:
        person_tasks.withdraw(session, case, [task], "what was sealed is open", now)
