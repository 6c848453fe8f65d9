"""The gateway without a provider: the message's row in the database is its delivery.

Two kinds of address fail on purpose, so that a rehearsal can walk every path: e-mail to bounce...@ bounces,
and the recipients that Twilio publishes for tests with test credentials fail as published.
"""

from collections.abc import Mapping
from datetime import datetime

from dunwell.domain.terms import Channel, MessageState
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.twilio.client import refusal

NAME = "outbox"
MAILBOX_UNKNOWN = "5.1.1"
"""The mail system's own code (RFC 3463) for an address that does not exist."""

MAGIC_RECIPIENTS: Mapping[str, str] = {
    "+15005550001": "21211",  # not a valid number
    "+15005550002": "21612",  # no route to the number
    "+15005550003": "21408",  # no permission for the country
    "+15005550004": "21610",  # the recipient said STOP
    "+15005550009": "21614",  # cannot receive SMS
}
"""Twilio's test recipients and the error code each gets (docs: IAM, test credentials, sending SMS)."""


class OutboxGateway:
    """Delivers at once, on any channel, and reaches nobody outside."""

    name = NAME
    can_find = True

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def send(self, envelope: Envelope) -> Receipt:
        """Delivered, or bounced for bounce...@. Raises DeliveryError (permanent) for a magic recipient."""
        if self.channel is Channel.SMS and envelope.to in MAGIC_RECIPIENTS:
            raise refusal(MAGIC_RECIPIENTS[envelope.to])
        provider_id = f"{NAME}-{envelope.message_id}"
        if self.channel is Channel.EMAIL and envelope.to.lower().startswith("bounce"):
            return Receipt(NAME, provider_id, MessageState.BOUNCED, MAILBOX_UNKNOWN, "bounced")
        return Receipt(NAME, provider_id, MessageState.DELIVERED)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """Always None: until its outcome is written, a message has left no trace and may be sent again."""
        return None
