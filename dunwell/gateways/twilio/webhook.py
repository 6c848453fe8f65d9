"""Twilio's two webhooks: delivery reports and incoming messages, of SMS and WhatsApp."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator

from dunwell.domain.channels import Channel
from dunwell.domain.cleaning import clean
from dunwell.domain.stop_words import START_WORDS, STOP_WORDS, word_of
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent, UnverifiedWebhook, plain_id, plain_kind
from dunwell.gateways.twilio.client import STATES, closing
from dunwell.gateways.twilio.whatsapp import SCHEME, number_of

SIGNATURE_HEADER = "X-Twilio-Signature"

_SID = re.compile(r"[A-Za-z0-9]{1,64}")
_NUMBER = re.compile(r"\+[0-9]{5,15}")
_CODE = re.compile(r"[0-9]{1,6}")
_SOME = re.compile(r"[1-9][0-9]?")
_MOST_TEXT, _MOST_FIELDS = 2_000, 500


def form(body: bytes) -> dict[str, str]:
    """The fields of a form. Raises ValueError when it is none: not UTF-8, or too many fields."""
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    return dict(fields)


def verify(url: str, fields: Mapping[str, str], signature: str | None, auth_token: str) -> None:
    """`url` is the one Twilio called, query included. Raises UnverifiedWebhook with a reason."""
    if not signature:
        raise UnverifiedWebhook(f"The request is not signed: {SIGNATURE_HEADER} is needed.")
    if not RequestValidator(auth_token).validate(url, dict(fields), signature):
        raise UnverifiedWebhook(
            "The signature does not fit: another auth token, changed fields, or PUBLIC_URL is not our address."
        )


def read_status(fields: Mapping[str, str]) -> ProviderEvent | None:
    """What a status callback means; None when it names no message."""
    sid, word = fields.get("MessageSid", ""), plain_kind(fields.get("MessageStatus"))
    if not _SID.fullmatch(sid):
        return None
    state = STATES.get(word)
    given = fields.get("ErrorCode", "")
    code = given if _CODE.fullmatch(given) and given != "0" else None
    channel, recipient = _place(fields.get("To"))
    return ProviderEvent(
        event_id=f"{sid}.{word}",
        kind=word,
        channel=channel,
        provider_id=sid,
        state=state,
        code=code,
        closes=closing(code) if state is MessageState.FAILED else None,
        address=recipient,
    )


def read_inbound(fields: Mapping[str, str]) -> ProviderEvent | None:
    """What a person's message means; None when it names no message or no sender."""
    sid, (channel, sender) = fields.get("MessageSid", ""), _place(fields.get("From"))
    if not _SID.fullmatch(sid) or sender is None:
        return None
    text = clean(fields.get("Body", ""))[:_MOST_TEXT].strip()
    files = fields.get("NumMedia", "")
    # Twilio's own judgement, where its advanced opt-out is on, knows the words of more languages.
    word = word_of(fields.get("OptOutType") or text)
    kind = "stop" if word in STOP_WORDS else "start" if word in START_WORDS else "reply"
    return ProviderEvent(
        event_id=plain_id(f"{sid}.inbound"),
        kind=kind,
        channel=channel,
        closes="stopped" if kind == "stop" else None,
        reopens=kind == "start",
        address=sender,
        text=f"{text}\n[{files} of their files are at Twilio: see its message log]".strip()
        if _SOME.fullmatch(files)
        else text,
    )


def _place(value: str | None) -> tuple[Channel, str | None]:
    """The channel of an address of Twilio's, and its number; None for a number that is none."""
    channel = Channel.WHATSAPP if (value or "").startswith(SCHEME) else Channel.SMS
    number = number_of(value or "") if channel is Channel.WHATSAPP else value or ""
    return channel, number if _NUMBER.fullmatch(number) else None
