"""Lob's rows: letters, in the American size, with both addresses printed by Lob."""

from dunwell.domain.channels import Channel
from dunwell.gateways.base import MessageGateway
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.lob import webhook
from dunwell.gateways.lob.client import NAME, POST_DAYS, LobGateway
from dunwell.gateways.lob.settings import LobSettings
from dunwell.gateways.provider import Printing, Provider, UnreadableWebhook, Webhook, WebhookRequest, elsewhere


def _make(settings: LobSettings) -> MessageGateway | None:
    if settings.lob_api_key is None:
        return None
    sender = (settings.sender_company or "", *(settings.sender_address or ()))
    return LobGateway(settings.lob_api_key.get_secret_value(), sender, settings.lob_api_url)


def _key(settings: LobSettings) -> str | None:
    return settings.lob_webhook_secret.get_secret_value() if settings.lob_webhook_secret else None


def _read(request: WebhookRequest, secret: str) -> list[ProviderEvent]:
    webhook.verify(request.body, request.headers, secret, request.at)
    event = request.json()
    if not isinstance(event, dict):
        raise UnreadableWebhook("An event of Lob is a JSON object.")
    found = webhook.read(event)
    return [found] if found else []


PROVIDERS = (
    Provider(
        NAME,
        Channel.LETTER,
        _make,
        url=lambda settings: settings.lob_api_url,
        described=lambda settings: f"Lob{elsewhere(settings.lob_api_url)}",
        printing=Printing(paper="us-letter", addressed=False, post_days=POST_DAYS),
    ),
)

WEBHOOKS = (
    Webhook(NAME, "lob", _key, "Set LOB_WEBHOOK_SECRET to the secret that Lob shows beside the webhook.", _read),
)
