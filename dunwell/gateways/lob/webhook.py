"""Lob's webhook: checks its signature and translates what became of a letter.

Of an event only ids and words are taken over: the rest repeats names and addresses.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent, UnverifiedWebhook, moment, plain_id, plain_kind

SIGNATURE_HEADER = "Lob-Signature"
TIMESTAMP_HEADER = "Lob-Signature-Timestamp"

WINDOW = timedelta(hours=1)
"""How old a signature may be, or ahead of our clock: a repeated event counts once anyway."""

_STATES: Mapping[str, tuple[MessageState, str | None]] = {
    "letter.mailed": (MessageState.ACCEPTED, None),
    "letter.in_transit": (MessageState.ACCEPTED, None),
    "letter.in_local_area": (MessageState.ACCEPTED, None),
    "letter.re-routed": (MessageState.ACCEPTED, None),
    # The last scan of an ordinary letter: it is in the box a business day later.
    "letter.processed_for_delivery": (MessageState.DELIVERED, None),
    "letter.delivered": (MessageState.DELIVERED, None),
    "letter.returned_to_sender": (MessageState.BOUNCED, "bounced"),
    "letter.failed": (MessageState.FAILED, None),
    "letter.rejected": (MessageState.FAILED, None),
    "letter.deleted": (MessageState.FAILED, None),
}
"""Lob's events in our words, and why the address closes. A letter that was only mailed proves no delivery."""


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """Check the raw `body`, before anything reads it. Raises UnverifiedWebhook with a reason."""
    signature, timestamp = headers.get(SIGNATURE_HEADER), headers.get(TIMESTAMP_HEADER)
    if not signature or not timestamp:
        raise UnverifiedWebhook(f"The request is not signed: {SIGNATURE_HEADER} and {TIMESTAMP_HEADER} are needed.")
    signed = timestamp.encode("latin-1", "replace") + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.strip().lower().encode("latin-1", "replace")):
        raise UnverifiedWebhook("The signature does not fit the body: another secret, or the body was changed.")
    at = _time(timestamp)
    if at is None or abs(now - at) > WINDOW:
        raise UnverifiedWebhook("The signature is too old, or our clock is wrong: it is good for an hour.")


def read(event: Mapping[str, object]) -> ProviderEvent | None:
    """What an event means; None when it is not about a letter. Whatever it holds, it never raises."""
    letter, kind = _inner(event, "body"), plain_kind(_inner(event, "event_type").get("id"))
    letter_id = event.get("reference_id") or letter.get("id")
    if not kind.startswith("letter.") or not isinstance(letter_id, str):
        return None
    ours = _inner(letter, "metadata").get("message_id")
    state, closes = _STATES.get(kind, (None, None))
    return ProviderEvent(
        event_id=plain_id(str(event.get("id") or f"{letter_id}.{kind}")),
        kind=kind,
        channel=Channel.LETTER,
        message_id=plain_id(ours) if isinstance(ours, str) and ours else None,
        provider_id=plain_id(letter_id),
        state=state,
        code=kind.partition(".")[2] if state is not None and state is not MessageState.DELIVERED else None,
        closes=closes,
        at=_time(event.get("date_created")),
    )


def _inner(holder: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _time(value: object) -> datetime | None:
    """Unix seconds, or milliseconds, or ISO 8601, in UTC; None when it makes no sense."""
    text = value if isinstance(value, str) else ""
    if text.isdecimal():
        return moment(text[:-3] if len(text) > 11 else text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
