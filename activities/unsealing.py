"""Opens signals that came sealed (encrypted with a key that no worker had), or raises a task about their key."""

import asyncio
import base64
from collections.abc import Iterable, Sequence

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from activities.attempts import this_attempt
from dunwell.domain.cleaning import one_line
from dunwell.domain.model import MutableValue
from dunwell.domain.sealed import BROKEN, UNOPENED, SealedSignal, is_sealed, key_of
from dunwell.services.dependencies import Dependencies
from dunwell.services.missing_keys import Unopened, ask_for_keys
from dunwell.services.request_models import CaseRequest


class UnsealRequest(CaseRequest):
    sealed: list[SealedSignal]


class Unsealed(MutableValue):
    """The result for one signal: `args` are its opened payloads, in base64.

    If it stays sealed: `why`, and the id of the task about its key. `given_up`: a person has closed that task.
    """

    args: list[str] | None = None
    why: str = ""
    task_id: str | None = None
    given_up: bool = False


class UnsealAnswer(MutableValue):
    """One result for each signal of the request, in its order."""

    signals: list[Unsealed]


class Unsealing:
    """`codec` decrypts payloads on this worker; None decrypts nothing."""

    def __init__(self, deps: Dependencies, codec: PayloadCodec | None) -> None:
        self._deps, self._codec = deps, codec

    @activity.defn(name="unseal")
    async def unseal(self, request: UnsealRequest) -> UnsealAnswer:
        """Open the signals that this worker has the keys of; for each other key, raise one task."""
        opened = [await self._opened(signal) for signal in request.sealed]
        tried = [(signal, _unopened(payloads)) for signal, payloads in zip(request.sealed, opened, strict=True)]
        now = this_attempt(request.now, rehearsal=request.rehearsal).now
        asked = await asyncio.to_thread(ask_for_keys, self._deps.database, request, tried, now)
        return UnsealAnswer(
            signals=[
                _became(payloads, unopened, task_id)
                for payloads, (_, unopened), task_id in zip(opened, tried, asked, strict=True)
            ]
        )

    async def _opened(self, signal: SealedSignal) -> list[Payload]:
        payloads = [unpacked(arg) for arg in signal.args]
        return payloads if self._codec is None else await self._codec.decode(payloads)


def _unopened(payloads: Sequence[Payload]) -> Unopened | None:
    """Which key is missing, and why; None when all of these payloads are open."""
    if not any_sealed(payloads):
        return None
    return Unopened(one_line(key_of(_first_sealed(payloads).metadata)), why_unopened(payloads))


def _became(payloads: Sequence[Payload], unopened: Unopened | None, task_id: str | None) -> Unsealed:
    if unopened is None:
        return Unsealed(args=[packed(payload) for payload in payloads])
    return Unsealed(given_up=True) if task_id is None else Unsealed(why=unopened.why, task_id=task_id)


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
