"""Translates the events of Stripe's webhook."""

from typing import Any

from dunwell.domain.billing_events import BillingEvent
from dunwell.gateways.provider import UnreadableWebhook
from dunwell.gateways.stripe.objects import event_of

SIGNATURE_HEADER = "Stripe-Signature"


def read(event: Any) -> list[BillingEvent]:
    """Return what an event means, if it concerns us. Raises UnreadableWebhook for what is no event."""
    if not isinstance(event, dict):
        raise UnreadableWebhook("An event of Stripe is a JSON object.")
    found = event_of(event)
    return [found] if found else []
