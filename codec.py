"""The seal on what Temporal keeps: each payload is encrypted with AES-256-GCM before it leaves this machine.

`PAYLOAD_KEYS` is `id:key` pairs divided by commas, each key 32 bytes in base64. The first seals, all open: to
rotate, put a new pair in front and keep the old ones for as long as a case or its history needs them.

Search attributes are not sealed: the server must read them to filter by them.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadCodec, PayloadConverter

from settings import Settings, SettingsError

SEALED = b"binary/dunwell-sealed"
"""The encoding of a sealed payload: what does not bear it passes through as it is."""
KEY_ID = "dunwell-key"

_NONCE_BYTES = 12
_KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class SealError(SettingsError):
    """A sealed payload cannot be opened with the keys at hand. Says which key is missing or wrong."""


@dataclass(frozen=True)
class KeyRing:
    """Keys of 32 bytes by id, in the order of `PAYLOAD_KEYS`; an empty ring seals nothing."""

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Raises SettingsError, with the place of the bad pair and never its key."""
        keys: dict[str, bytes] = {}
        for place, pair in enumerate(text.split(","), 1):
            key_id, _, key = pair.strip().partition(":")
            if _ID.fullmatch(key_id) is None:
                raise _bad(place, "has no id; write id:key with an id of letters, digits, dots, dashes")
            if key_id in keys:
                raise _bad(place, f"has the id {key_id!r} a second time; give each key an id of its own")
            keys[key_id] = _key(key, place)
        return cls(keys)

    @property
    def first(self) -> str | None:
        """The id of the key that seals."""
        return next(iter(self.keys), None)


def _key(text: str, place: int) -> bytes:
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_" if re.search("[-_]", text) else None, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        # Raised outside the handler: a chained error could carry the text.
        raise _bad(place, "has no key of 32 bytes in base64; make one with: openssl rand -base64 32")
    return key


def _bad(place: int, reason: str) -> SettingsError:
    return SettingsError(f"PAYLOAD_KEYS: pair {place} {reason}.")


class Seal(PayloadCodec):
    """Seals what is sent with the first key, opens what comes with the key it names."""

    def __init__(self, ring: KeyRing) -> None:
        self._first = ring.first
        self._ciphers = {key_id: AESGCM(key) for key_id, key in ring.keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Sealed copies; one that is sealed already stays as it is."""
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What was sealed. Raises SealError rather than give back anything else."""
        return [self._opened(payload) for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        if self._first is None or payload.metadata.get("encoding") == SEALED:
            return payload
        nonce = os.urandom(_NONCE_BYTES)
        closed = self._ciphers[self._first].encrypt(nonce, payload.SerializeToString(), _bound(self._first))
        return Payload(metadata={"encoding": SEALED, KEY_ID: self._first.encode()}, data=nonce + closed)

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != SEALED:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode("utf-8", "replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(
                f"A payload was sealed with the key {key_id[:64]!r}, which PAYLOAD_KEYS does not hold: add that key "
                "behind the others; a key stays in the list for as long as anything sealed with it is read."
            )
        nonce, closed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, closed, _bound(key_id)))
        except (InvalidTag, ValueError, DecodeError):
            raise SealError(
                f"The key {key_id!r} of PAYLOAD_KEYS does not open a payload that names it: it is another key of the "
                "same id, or the payload was changed. Set the key that it was sealed with."
            ) from None


def _bound(key_id: str) -> bytes:
    """What the seal covers besides the content, so that a payload cannot be passed off under another id."""
    return SEALED + b":" + key_id.encode()


class SealedFailures(DefaultFailureConverter):
    """Seals the words of a failure, which may quote what it failed on, but never those about a missing key."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)
        self._plain = DefaultFailureConverter()

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Fill in `failure`."""
        if isinstance(exception, SealError):
            # It names no secret, and an operator must be able to read it without the key.
            self._plain.to_failure(exception, payload_converter, failure)
        else:
            super().to_failure(exception, payload_converter, failure)


def key_ring(settings: Settings) -> KeyRing:
    """The keys of the settings; empty when none are set. Raises SettingsError."""
    return KeyRing.parse(settings.payload_keys.get_secret_value()) if settings.payload_keys else KeyRing()


def data_converter(settings: Settings) -> DataConverter:
    """Plain JSON, sealed when keys are set. Without keys, what somebody else sealed is refused with a reason.

    Raises SettingsError for a list of keys that is none.
    """
    return sealed_with(key_ring(settings))


def sealed_with(ring: KeyRing) -> DataConverter:
    """Plain JSON under the seal of a ring; with keys, the words of failures are sealed too."""
    converter = replace(pydantic_data_converter, payload_codec=Seal(ring))
    if ring.first is None:
        return converter
    return replace(converter, failure_converter_class=SealedFailures)
