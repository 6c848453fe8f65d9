"""Stripe's rows: payments and invoices."""

from typing import Any

from dunwell.domain.billing_events import BillingEvent
from dunwell.gateways.base import BillingGateway
from dunwell.gateways.provider import BillingSystem, Provider, Webhook, WebhookRequest
from dunwell.gateways.setting_fields import secrets_in
from dunwell.gateways.stripe import webhook
from dunwell.gateways.stripe.client import NAME, StripeGateway
from dunwell.gateways.stripe.settings import StripeSettings
from dunwell.gateways.timed_signature import verify_webhook


def _make(settings: StripeSettings) -> BillingGateway | None:
    if settings.stripe_api_key is None:
        return None
    return StripeGateway(settings.stripe_api_key.get_secret_value(), settings.stripe_api_url)


def _key(settings: StripeSettings) -> list[str] | None:
    return secrets_in(settings.stripe_webhook_secret) if settings.stripe_webhook_secret else None


def _read(request: WebhookRequest, secrets: Any) -> list[BillingEvent]:
    verify_webhook(request.body, request.headers, secrets, request.at, name=webhook.SIGNATURE_HEADER)
    return webhook.read(request.json())


PROVIDERS: tuple[Provider, ...] = ()

BILLING = (BillingSystem(NAME, _make),)

WEBHOOKS = (
    Webhook(
        NAME,
        "stripe",
        _key,
        "Set STRIPE_WEBHOOK_SECRET to the signing secret that Stripe shows beside the endpoint.",
        _read,
    ),
)
