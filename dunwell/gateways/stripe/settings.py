"""Stripe's settings."""

from dunwell.gateways.setting_fields import Secret, Secrets, SharedSettings, WebAddress


class StripeSettings(SharedSettings):
    stripe_api_key: Secret | None = None
    stripe_api_url: WebAddress | None = None
    stripe_webhook_secret: Secrets | None = None
