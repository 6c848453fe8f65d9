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
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    EncodingPayloadConverter,
    PayloadCodec,
    PayloadConverter,
)

from dunwell.domain.sealed import BROKEN, KEY_ID, MISSING, SEALED, UNOPENED, is_sealed, key_of
from dunwell.settings import Settings, SettingsError

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
    """Seals what is sent with the first key, opens what comes with the key it names.

    What cannot be opened stays sealed and is marked: a signal of that kind must not keep a case from all others. Who
    reads it as anything but a raw value gets the SealError then (`SealedPayloads`).
    """

    def __init__(self, ring: KeyRing) -> None:
        self._first = ring.first
        self._ciphers = {key_id: AESGCM(key) for key_id, key in ring.keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Sealed copies; one that is sealed already stays as it is."""
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What was sealed; what cannot be opened stays as it is, with a mark that says why."""
        return [self._opened(payload) for payload in payloads]

    async def decode_all(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What was sealed. Raises SealError for the first payload that cannot be opened."""
        opened = await self.decode(payloads)
        for payload in opened:
            if is_sealed(payload.metadata):
                raise _unopened(payload)
        return opened

    def _sealed(self, payload: Payload) -> Payload:
        if is_sealed(payload.metadata):
            return _marked(payload, None) if UNOPENED in payload.metadata else payload
        if self._first is None:
            return payload
        nonce = os.urandom(_NONCE_BYTES)
        closed = self._ciphers[self._first].encrypt(nonce, payload.SerializeToString(), _bound(self._first))
        return Payload(metadata={"encoding": SEALED, KEY_ID: self._first.encode()}, data=nonce + closed)

    def _opened(self, payload: Payload) -> Payload:
        if not is_sealed(payload.metadata):
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode("utf-8", "replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            return _marked(payload, MISSING)
        nonce, closed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, closed, _bound(key_id)))
        except (InvalidTag, ValueError, DecodeError):
            return _marked(payload, BROKEN)


def _marked(payload: Payload, why: bytes | None) -> Payload:
    """A copy with this mark of why it was not opened, or with none."""
    copy = Payload()
    copy.CopyFrom(payload)
    copy.metadata.pop(UNOPENED, None)
    if why is not None:
        copy.metadata[UNOPENED] = why
    return copy


def _unopened(payload: Payload) -> SealError:
    """What is wrong with a payload that was not opened, and what to do."""
    key_id = key_of(payload.metadata)
    if payload.metadata.get(UNOPENED) == BROKEN:
        return SealError(
            f"The key {key_id!r} of PAYLOAD_KEYS does not open a payload that names it: it is another key of the "
            "same id, or the payload was changed. Set the key that it was sealed with."
        )
    return SealError(
        f"A payload was sealed with the key {key_id!r}, which PAYLOAD_KEYS does not hold: add that key "
        "behind the others; a key stays in the list for as long as anything sealed with it is read."
    )


def _bound(key_id: str) -> bytes:
    """What the seal covers besides the content, so that a payload cannot be passed off under another id."""
    return SEALED + b":" + key_id.encode()


class _Unopened(EncodingPayloadConverter):
    """Refuses to read what is sealed still."""

    @property
    def encoding(self) -> str:
        return SEALED.decode()

    def to_payload(self, value: Any) -> Payload | None:
        """Nothing becomes a payload of this kind here: the codec seals."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Raises SealError."""
        raise _unopened(payload)


class SealedPayloads(CompositePayloadConverter):
    """Plain JSON by pydantic. Raises SealError for what could not be opened, whatever it is to be read as."""

    def __init__(self) -> None:
        super().__init__(*PydanticPayloadConverter().converters.values(), _Unopened())


class Failures(DefaultFailureConverter):
    """A failure to open something says which key is missing, in plain words: an operator must be able to read it.

    Reading one whose own words cannot be opened raises SealError, or they would be lost unseen.
    """

    def __init__(self, *, sealed: bool = False) -> None:
        super().__init__(encode_common_attributes=sealed)
        self._plain = DefaultFailureConverter()

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Fill in `failure`."""
        closed = _seal_error(exception)
        if closed is not None:
            self._plain.to_failure(closed, payload_converter, failure)
        else:
            super().to_failure(exception, payload_converter, failure)

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """The exception that `failure` stands for."""
        if failure.HasField("encoded_attributes") and is_sealed(failure.encoded_attributes.metadata):
            raise _unopened(failure.encoded_attributes)
        return super().from_failure(failure, payload_converter)


class SealedFailures(Failures):
    """Seals the words of a failure, which may quote what it failed on, but never those about a missing key."""

    def __init__(self) -> None:
        super().__init__(sealed=True)


def _seal_error(exception: BaseException | None) -> SealError | None:
    """The SealError that led to this exception, if one did."""
    while exception is not None and not isinstance(exception, SealError):
        exception = exception.__cause__
    return exception


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
    return replace(
        pydantic_data_converter,
        payload_codec=Seal(ring),
        payload_converter_class=SealedPayloads,
        failure_converter_class=Failures if ring.first is None else SealedFailures,
    )
