"""The row of the webhook for payments."""

from typing import Any

from dunwell.domain.billing_events import BillingEvent
from dunwell.gateways.payment_webhook import webhook
from dunwell.gateways.payment_webhook.settings import PaymentWebhookSettings
from dunwell.gateways.provider import Provider, Webhook, WebhookRequest
from dunwell.gateways.setting_fields import secrets_in
from dunwell.gateways.signed_post import SIGNATURE_HEADER
from dunwell.gateways.timed_signature import verify_webhook

NAME = "payments"


def _key(settings: PaymentWebhookSettings) -> list[str] | None:
    return secrets_in(settings.payment_webhook_secret) if settings.payment_webhook_secret else None


def _read(request: WebhookRequest, secrets: Any) -> list[BillingEvent]:
    verify_webhook(request.body, request.headers, secrets, request.at, name=SIGNATURE_HEADER)
    return webhook.read(request.json(), request.at)


PROVIDERS: tuple[Provider, ...] = ()

WEBHOOKS = (
    Webhook(
        NAME,
        "payments",
        _key,
        "Set PAYMENT_WEBHOOK_SECRET to the secret with which the sender signs (openssl rand -hex 32).",
        _read,
    ),
)
