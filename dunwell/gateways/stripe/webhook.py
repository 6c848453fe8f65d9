"""Stripe's webhook: checks its signature and translates its events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dunwell.domain.billing_events import BillingEvent
from dunwell.gateways import timed_signature
from dunwell.gateways.events import UnverifiedWebhook
from dunwell.gateways.provider import UnreadableWebhook
from dunwell.gateways.stripe.objects import event_of

SIGNATURE_HEADER = "Stripe-Signature"


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> None:
    """Check the raw `body`, before anything reads it. Raises UnverifiedWebhook with a reason."""
    header = headers.get(SIGNATURE_HEADER)
    if not header:
        raise UnverifiedWebhook(f"The request is not signed: {SIGNATURE_HEADER} is needed.")
    try:
        timed_signature.verify(body, header, secrets, now, name=SIGNATURE_HEADER)
    except ValueError as error:
        raise UnverifiedWebhook(f"{error}.") from None


def read(event: Any) -> list[BillingEvent]:
    """Return what an event means, if it concerns us. Raises UnreadableWebhook for what is no event."""
    if not isinstance(event, dict):
        raise UnreadableWebhook("An event of Stripe is a JSON object.")
    found = event_of(event)
    return [found] if found else []
