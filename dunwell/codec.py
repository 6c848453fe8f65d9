"""Encrypts ("seals") each payload for Temporal with AES-256-GCM before it leaves this machine.

`PAYLOAD_KEYS` holds `id:key` pairs with commas between them, each key 32 bytes in base64. The first key encrypts, all
keys decrypt. To rotate, put a new pair in front and keep the old ones while a case or its history needs them.

Search attributes are not encrypted, because the server filters by them.
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
    """A sealed payload cannot be decrypted with the keys of this process. The text names the missing or wrong key."""


@dataclass(frozen=True)
class KeyRing:
    """Keys of 32 bytes by id, in the order of `PAYLOAD_KEYS`; an empty ring seals nothing."""

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `PAYLOAD_KEYS`. Raises SettingsError with the place of the bad pair, never with its key."""
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
        """The id of the key that encrypts."""
        return next(iter(self.keys), None)


def _key(text: str, place: int) -> bytes:
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_" if re.search("[-_]", text) else None, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        # Raised outside the handler, because a chained error could hold the key's text.
        raise _bad(place, "has no key of 32 bytes in base64; make one with: openssl rand -base64 32")
    return key


def _bad(place: int, reason: str) -> SettingsError:
    return SettingsError(f"PAYLOAD_KEYS: pair {place} {reason}.")


class Seal(PayloadCodec):
    """Encrypts payloads with the first key, and decrypts each with the key that it names.

    A payload that cannot be decrypted stays sealed and is marked, so that such a signal does not keep a case from
    processing others. Reading it as anything but a raw value raises SealError (`SealedPayloads`).
    """

    def __init__(self, ring: KeyRing) -> None:
        self._first = ring.first
        self._ciphers = {key_id: AESGCM(key) for key_id, key in ring.keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return encrypted copies. A payload that is sealed already stays as it is."""
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return decrypted copies. A payload that cannot be decrypted stays as it is, with a mark that says why."""
        return [self._opened(payload) for payload in payloads]

    async def decode_all(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return decrypted copies. Raises SealError for the first payload that cannot be decrypted."""
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
    """Return a copy with this mark of why it was not decrypted, or without a mark."""
    copy = Payload()
    copy.CopyFrom(payload)
    copy.metadata.pop(UNOPENED, None)
    if why is not None:
        copy.metadata[UNOPENED] = why
    return copy


def _unopened(payload: Payload) -> SealError:
    """Return the error of a payload that was not decrypted, with what to do."""
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
    """Return the additional authenticated data, by which a payload cannot be passed off under another key id."""
    return SEALED + b":" + key_id.encode()


class _Unopened(EncodingPayloadConverter):
    """Raises SealError when a payload that is still sealed is read."""

    @property
    def encoding(self) -> str:
        return SEALED.decode()

    def to_payload(self, value: Any) -> Payload | None:
        """Return None: the codec encrypts, not this converter."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Raise SealError."""
        raise _unopened(payload)


class SealedPayloads(CompositePayloadConverter):
    """Plain JSON by pydantic. Raises SealError for a payload that is still sealed, whatever its target type."""

    def __init__(self) -> None:
        super().__init__(*PydanticPayloadConverter().converters.values(), _Unopened())


class Failures(DefaultFailureConverter):
    """Leaves the text of a SealError unencrypted, so that operators can read which key is missing.

    Reading a failure whose text cannot be decrypted raises SealError.
    """

    def __init__(self, *, sealed: bool = False) -> None:
        super().__init__(encode_common_attributes=sealed)
        self._plain = DefaultFailureConverter()

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write the exception to `failure`."""
        closed = _seal_error(exception)
        if closed is not None:
            self._plain.to_failure(closed, payload_converter, failure)
        else:
            super().to_failure(exception, payload_converter, failure)

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """Return the exception that `failure` describes."""
        if failure.HasField("encoded_attributes") and is_sealed(failure.encoded_attributes.metadata):
            raise _unopened(failure.encoded_attributes)
        return super().from_failure(failure, payload_converter)


class SealedFailures(Failures):
    """Encrypts the texts of failures, which may quote values, except those about a missing key."""

    def __init__(self) -> None:
        super().__init__(sealed=True)


def _seal_error(exception: BaseException | None) -> SealError | None:
    """Return the SealError among the causes of this exception, or None."""
    while exception is not None and not isinstance(exception, SealError):
        exception = exception.__cause__
    return exception


def key_ring(settings: Settings) -> KeyRing:
    """Return the keys of the settings; empty when none are set. Raises SettingsError."""
    return KeyRing.parse(settings.payload_keys.get_secret_value()) if settings.payload_keys else KeyRing()


def data_converter(settings: Settings) -> DataConverter:
    """Return the converter for plain JSON, encrypted when keys are set. Without keys, sealed payloads are refused.

    Raises SettingsError for a malformed list of keys.
    """
    return sealed_with(key_ring(settings))


def sealed_with(ring: KeyRing) -> DataConverter:
    """Return the converter for plain JSON, encrypted with these keys, as are then the texts of failures."""
    return replace(
        pydantic_data_converter,
        payload_codec=Seal(ring),
        payload_converter_class=SealedPayloads,
        failure_converter_class=Failures if ring.first is None else SealedFailures,
    )
