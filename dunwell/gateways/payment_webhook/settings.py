"""The settings of the webhook by which any program reports payments."""

from dunwell.gateways.setting_fields import Secrets, SharedSettings


class PaymentWebhookSettings(SharedSettings):
    payment_webhook_secret: Secrets | None = None
