"""SendGrid's rows: e-mail."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from dunwell.domain.channels import Channel
from dunwell.domain.received_mail import ReceivedMail
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import MessageGateway, Receipt
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.provider import Event, Provider, Reply, UnreadableWebhook, Webhook, WebhookRequest, elsewhere
from dunwell.gateways.sendgrid import inbound, webhook
from dunwell.gateways.sendgrid.client import NAME, SendGridGateway
from dunwell.gateways.sendgrid.settings import SendGridSettings
from dunwell.gateways.setting_fields import secrets_in

_MAILBOX_UNKNOWN = "5.1.1"
"""The mail system's own code (RFC 3463) for an address that does not exist."""


def _make(settings: SendGridSettings) -> MessageGateway | None:
    key, sender = settings.sendgrid_api_key, settings.mail_from
    if key is None or sender is None:
        return None
    return SendGridGateway(key.get_secret_value(), (sender.email, sender.name), settings.sendgrid_api_url)


def _simulated(address: str) -> Receipt | None:
    """Mail to bounce...@ bounces, so that a rehearsal can exercise a bounce."""
    if not address.lower().startswith("bounce"):
        return None
    return Receipt(NAME, None, MessageState.BOUNCED, _MAILBOX_UNKNOWN, "bounced")


def _described(settings: SendGridSettings) -> str:
    return f"SendGrid{elsewhere(settings.sendgrid_api_url)}, from {settings.mail_from}"


def _key(settings: SendGridSettings) -> EllipticCurvePublicKey | None:
    shown = settings.sendgrid_webhook_public_key
    try:
        return webhook.public_key(shown) if shown else None
    except ValueError as error:
        raise ValueError(f"SENDGRID_WEBHOOK_PUBLIC_KEY: {error}") from None


def _read(request: WebhookRequest, key: EllipticCurvePublicKey) -> list[ProviderEvent]:
    webhook.verify(request.body, request.headers, key)
    batch = request.json()
    if not isinstance(batch, list):
        raise UnreadableWebhook("A batch of events is a JSON list.")
    return [webhook.read(event) for event in batch if isinstance(event, dict)]


def _reply(events: Sequence[Event], new: int) -> Reply:
    return Reply(body=b'{"received":%d,"new":%d}' % (len(events), new), media_type="application/json")


def _inbound_secrets(settings: SendGridSettings) -> list[str] | None:
    return secrets_in(settings.inbound_mail_secret) if settings.inbound_mail_secret else None


def _read_mail(request: WebhookRequest, secrets: Sequence[str]) -> list[ReceivedMail]:
    try:
        return [inbound.read(request.body, request.headers.get("Content-Type", ""))]
    except ValueError:
        raise UnreadableWebhook("The body is no form: SendGrid sends multipart/form-data.") from None


PROVIDERS = (
    Provider(
        NAME,
        Channel.EMAIL,
        _make,
        url=lambda settings: settings.sendgrid_api_url,
        pace=lambda settings: settings.sendgrid_per_second,
        simulated=_simulated,
        described=_described,
    ),
)

WEBHOOKS = (
    Webhook(
        NAME,
        "sendgrid",
        _key,
        "Set SENDGRID_WEBHOOK_PUBLIC_KEY to the verification key that SendGrid shows.",
        _read,
        _reply,
    ),
    Webhook(
        NAME,
        "sendgrid/inbound",
        _inbound_secrets,
        "Set INBOUND_MAIL_SECRET to the password in the address that SendGrid's Inbound Parse calls.",
        _read_mail,
        admit=inbound.admit,
        most=inbound.MOST_BYTES,
    ),
)
