"""The outbox's rows: every channel by which messages are sent, while no provider is set up. Letters are printed."""

from functools import partial
from typing import Any

from dunwell.domain.channels import Channel
from dunwell.gateways.base import MessageGateway
from dunwell.gateways.outbox.client import NAME, OutboxGateway
from dunwell.gateways.provider import Provider


def _make(settings: Any, channel: Channel) -> MessageGateway:
    return OutboxGateway(channel)


def _described(settings: Any) -> str:
    return "the outbox in the database, no provider (.venv/bin/python starter.py outbox)"


PROVIDERS = tuple(
    Provider(NAME, channel, partial(_make, channel=channel), described=_described, standby=True)
    for channel in Channel
    if channel.facts.written and not channel.facts.posted
)
