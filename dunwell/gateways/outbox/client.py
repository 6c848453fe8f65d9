"""The gateway without a provider: the message's row in the database is its delivery.

The test addresses that providers publish fail as published, so that a rehearsal can exercise every failure.
"""

from dataclasses import replace
from datetime import datetime

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways import registry
from dunwell.gateways.base import Envelope, Receipt

NAME = "outbox"


class OutboxGateway:
    """Delivers at once, on any channel, and reaches nobody outside."""

    name = NAME
    can_find = True

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def send(self, envelope: Envelope) -> Receipt:
        """Delivered, or what a provider of the channel publishes for a test address. Raises DeliveryError so too."""
        provider_id = f"{NAME}-{envelope.message_id}"
        published = registry.simulated(self.channel, envelope.to)
        if published is not None:
            return replace(published, provider=NAME, provider_id=provider_id)
        return Receipt(NAME, provider_id, MessageState.DELIVERED)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """Always None: until its outcome is written, a message has left no trace and may be sent again."""
        return None
