"""Signals that came encrypted with a key that is not at hand, and are kept until it is."""

from collections.abc import Mapping

from dunwell.domain.model import MutableValue

SEALED = b"binary/dunwell-sealed"
"""The encoding of an encrypted payload: what does not bear it passes through as it is."""
KEY_ID = "dunwell-key"
UNOPENED = "dunwell-unopened"
"""What a payload that could not be decrypted is marked with while it is on this machine, and why: see below."""
MISSING, BROKEN = b"missing", b"broken"

MOST_KEPT = 50
MOST_BYTES = 16_000
"""How many signals a case keeps, and how large each may be: what it remembers has to fit into one payload of 2 MB."""


class SealedSignal(MutableValue):
    """A signal that no key opened when it came: `args` are its payloads, in base64.

    `task_id`: the task of the person who was asked for its key; None while nobody was.
    """

    name: str
    args: list[str]
    task_id: str | None = None


def is_sealed(metadata: Mapping[str, bytes]) -> bool:
    """Whether a payload of this metadata is encrypted still."""
    return metadata.get("encoding") == SEALED


def key_of(metadata: Mapping[str, bytes]) -> str:
    """The id of the key that the payload names; it comes from outside and may be any text."""
    return metadata.get(KEY_ID, b"").decode("utf-8", "replace")[:64]
