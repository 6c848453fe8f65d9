"""Twilio's rows: SMS and WhatsApp."""

from collections.abc import Mapping, Sequence

from dunwell.domain.channels import Channel
from dunwell.gateways.base import MessageGateway, Receipt
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.provider import Event, Provider, Reply, UnreadableWebhook, Webhook, WebhookRequest, elsewhere
from dunwell.gateways.twilio import webhook
from dunwell.gateways.twilio.client import NAME, TwilioGateway, refusal
from dunwell.gateways.twilio.settings import TwilioSettings
from dunwell.gateways.twilio.whatsapp import WhatsAppGateway
from dunwell.texts.approved import ApprovedTexts

STATUS, INBOUND = "twilio/status", "twilio/inbound"
_EMPTY_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

_NO_SMS = "+15005550009"
MAGIC_RECIPIENTS: Mapping[str, str] = {
    "+15005550001": "21211",  # not a valid number
    "+15005550002": "21612",  # no route to the number
    "+15005550003": "21408",  # no permission for the country
    "+15005550004": "21610",  # the recipient said STOP
    _NO_SMS: "21614",  # cannot receive SMS
}
"""Twilio's test recipients and the error code each gets (docs: IAM, test credentials, sending SMS)."""


def _make(settings: TwilioSettings) -> MessageGateway | None:
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if sid is None or token is None or sender is None:
        return None
    return TwilioGateway(
        sid, token.get_secret_value(), sender, settings.twilio_api_url, status_callback=_callback(settings)
    )


def _make_whatsapp(settings: TwilioSettings) -> MessageGateway | None:
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_whatsapp_from
    if sid is None or token is None or sender is None:
        return None
    return WhatsAppGateway(
        sid,
        token.get_secret_value(),
        sender,
        settings.twilio_api_url,
        approved=ApprovedTexts.load(settings.twilio_whatsapp_texts),
        status_callback=_callback(settings),
    )


def _callback(settings: TwilioSettings) -> str | None:
    return f"{settings.public_url.rstrip('/')}/webhooks/{STATUS}" if settings.public_url else None


def _simulated(address: str) -> Receipt | None:
    if address in MAGIC_RECIPIENTS:
        raise refusal(MAGIC_RECIPIENTS[address])
    return None


def _described(settings: TwilioSettings) -> str:
    return f"Twilio{elsewhere(settings.twilio_api_url)}, from {settings.twilio_from}"


def _whatsapp_described(settings: TwilioSettings) -> str:
    return f"Twilio{elsewhere(settings.twilio_api_url)}, from {settings.twilio_whatsapp_from}"


def _whatsapp_simulated(address: str) -> Receipt | None:
    """Twilio publishes none for WhatsApp; the number that can receive nothing can receive nothing here, too."""
    if address == _NO_SMS:
        raise refusal("63003", channel=Channel.WHATSAPP)
    return None


def _key(settings: TwilioSettings) -> str | None:
    return settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else None


def _fields(request: WebhookRequest, token: str) -> Mapping[str, str]:
    try:
        fields = webhook.form(request.body)
    except ValueError:
        raise UnreadableWebhook("The body is no form: Twilio sends application/x-www-form-urlencoded.") from None
    webhook.verify(request.url, fields, request.headers.get(webhook.SIGNATURE_HEADER), token)
    return fields


def _read_status(request: WebhookRequest, token: str) -> list[ProviderEvent]:
    event = webhook.read_status(_fields(request, token))
    return [event] if event else []


def _read_inbound(request: WebhookRequest, token: str) -> list[ProviderEvent]:
    event = webhook.read_inbound(_fields(request, token))
    return [event] if event else []


def _nothing_to_say(events: Sequence[Event], new: int) -> Reply:
    return Reply(204)


def _no_answer(events: Sequence[Event], new: int) -> Reply:
    """Twilio itself answers STOP and START, so nothing is said to the person."""
    return Reply(body=_EMPTY_TWIML, media_type="text/xml")


PROVIDERS = (
    Provider(
        NAME,
        Channel.SMS,
        _make,
        url=lambda settings: settings.twilio_api_url,
        pace=lambda settings: settings.twilio_per_second,
        simulated=_simulated,
        described=_described,
    ),
    Provider(
        NAME,
        Channel.WHATSAPP,
        _make_whatsapp,
        url=lambda settings: settings.twilio_api_url,
        pace=lambda settings: settings.twilio_per_second,
        simulated=_whatsapp_simulated,
        described=_whatsapp_described,
    ),
)

_CLOSED = "Set TWILIO_AUTH_TOKEN: Twilio signs its requests with it."

WEBHOOKS = (
    Webhook(NAME, STATUS, _key, _CLOSED, _read_status, _nothing_to_say),
    Webhook(NAME, INBOUND, _key, _CLOSED, _read_inbound, _no_answer),
)
