"""SendGrid's event webhook: checks its signature and translates its events.

Of an event only ids, words and the address are taken over. Its free text ("550 5.1.1 <ada@...>") repeats personal
data and stays behind.
"""

import base64
import hashlib
import json
import re
from binascii import Error as NotBase64
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dunwell.domain.channels import Channel
from dunwell.domain.cleaning import one_line
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent, UnverifiedWebhook, moment, plain_id, plain_kind

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_OUR_ID = re.compile(r"[\w.:~-]{1,120}", re.ASCII)
_MAIL_CODE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}")  # RFC 3463, such as 5.1.1
_MOST_ADDRESS = 200
_CLOSED_BY_OWNER = {"spamreport": "complained", "unsubscribe": "stopped", "group_unsubscribe": "stopped"}
_REOPENING = frozenset({"resubscribe", "group_resubscribe"})

_DROPPED: Mapping[str, tuple[str, str | None]] = {
    "bounced address": ("bounced address", "bounced"),
    "invalid": ("invalid address", "bounced"),
    "unsubscribed address": ("unsubscribed address", "stopped"),
    "spam reporting address": ("spam reporting address", "complained"),
    "spam content": ("spam content", None),
    "recipient list over package quota": ("over package quota", None),
    "invalid smtpapi header": ("invalid header", None),
}
"""Why SendGrid did not try to deliver: our code for it, and why the address closes. Other reasons close nothing."""


def public_key(text: str) -> EllipticCurvePublicKey:
    """The key as SendGrid shows it: base64 in one line. Raises ValueError when it is none."""
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, NotBase64):
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("is no verification key: copy it from SendGrid's Mail Settings, Event Webhook, Signature")
    return key


def verify(body: bytes, headers: Mapping[str, str], key: EllipticCurvePublicKey) -> None:
    """Check the raw `body`, before anything reads it. Raises UnverifiedWebhook with a reason."""
    signature, timestamp = headers.get(SIGNATURE_HEADER), headers.get(TIMESTAMP_HEADER)
    if not signature or not timestamp:
        raise UnverifiedWebhook(f"The request is not signed: {SIGNATURE_HEADER} and {TIMESTAMP_HEADER} are needed.")
    try:
        signed = timestamp.encode("latin-1", "replace") + body
        key.verify(base64.b64decode(signature, validate=True), signed, ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        raise UnverifiedWebhook(
            "The signature does not fit the body: another key, or the body was changed."
        ) from None


def read(event: Mapping[str, object]) -> ProviderEvent:
    """What one event of a batch means. Whatever it holds, it never raises: what is unknown means nothing."""
    kind = plain_kind(event.get("event"))
    state, code, closes = _meaning(kind, event)
    message_id = event.get("message_id")
    ours = isinstance(message_id, str) and bool(_OUR_ID.fullmatch(message_id))
    return ProviderEvent(
        event_id=_event_id(event),
        kind=kind,
        channel=Channel.EMAIL,
        message_id=str(message_id) if ours else None,
        state=state,
        code=code,
        closes=closes,
        reopens=kind in _REOPENING,
        address=_address(event.get("email")),
        at=moment(event.get("timestamp")),
    )


def _meaning(kind: str, event: Mapping[str, object]) -> tuple[MessageState | None, str | None, str | None]:
    code = event.get("status")
    code = code if isinstance(code, str) and _MAIL_CODE.fullmatch(code) else None
    match kind:
        case "delivered":
            return MessageState.DELIVERED, None, None
        case "bounce" if plain_kind(event.get("type", "bounce")) == "bounce":
            return MessageState.BOUNCED, code, "bounced"
        case "bounce" | "blocked":
            # The mailbox is good, this mail was not taken: a full box, a filter, a server that was away too long.
            return MessageState.FAILED, code or "blocked", None
        case "dropped":
            reason = event.get("reason")
            words, closes = _DROPPED.get(reason.strip().lower() if isinstance(reason, str) else "", ("", None))
            return MessageState.FAILED, f"dropped: {words}" if words else "dropped", closes
        case _:
            return None, None, _CLOSED_BY_OWNER.get(kind)


def _event_id(event: Mapping[str, object]) -> str:
    given = event.get("sg_event_id")
    if isinstance(given, str) and given:
        return plain_id(given)
    text = json.dumps(event, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _address(value: object) -> str | None:
    fits = isinstance(value, str) and "@" in value and len(value) <= _MOST_ADDRESS and value == one_line(value)
    return str(value) if fits else None
