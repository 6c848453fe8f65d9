"""The arguments of signals and updates, read from their raw payloads."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.unsealing import any_sealed, why_unopened
    from dunwell.domain.refusal import Refused
    from dunwell.domain.sealed import is_sealed


def decoded(args: Sequence[RawValue]) -> list[object]:
    """Return the values that were sent, whatever they are. Bytes that are no JSON become None: no event accepts it.

    Raises the converter's error for a payload that is encrypted still. It was decrypted when it came, and the case
    has changed by it: so the workflow task must fail, with the key's name, until a worker has the key again.
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


def decoded_or_refused(args: Sequence[RawValue]) -> list[object]:
    """Return the values of an update. Raises Refused for a payload that is encrypted still."""
    payloads = [arg.payload for arg in args]
    if any_sealed(payloads):
        raise Refused(
            "payload",
            f"{why_unopened(payloads)}: give the caller and the workers the same PAYLOAD_KEYS, then try again",
        )
    return decoded(args)
