"""The providers that there are. A folder beside this file whose module `provider` has PROVIDERS, WEBHOOKS if it is
called back, and BILLING if it can be asked about invoices, is one; nothing else names it.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from dunwell import gateways
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.gateways.base import BillingGateway, MessageGateway, Receipt
from dunwell.gateways.provider import Printing, Provider, Webhook


@cache
def providers() -> tuple[Provider, ...]:
    """Every provider's rows, those on standby last. Raises ValueError when two rows have one name and channel."""
    found = [row for folder in _folders() for row in folder.PROVIDERS]
    if len({(row.name, row.channel) for row in found}) < len(found):
        raise ValueError("two providers have the same name and channel")
    return tuple(sorted(found, key=lambda row: row.standby))


@cache
def webhooks() -> tuple[Webhook, ...]:
    """Every webhook, by its path."""
    found = [webhook for folder in _folders() for webhook in getattr(folder, "WEBHOOKS", ())]
    return tuple(sorted(found, key=lambda webhook: webhook.path))


def billing(settings: Any) -> dict[str, BillingGateway]:
    """Return the billing systems that are set up, by name. Raises ValueError on settings that do not fit."""
    found = [row for folder in _folders() for row in getattr(folder, "BILLING", ())]
    made = {row.name: row.make(settings) for row in found}
    return {name: gateway for name, gateway in made.items() if gateway is not None}


def chosen(channel: Channel, settings: Any) -> tuple[Provider, MessageGateway]:
    """The first provider of the channel that is set up, with its gateway.

    Raises ValueError on settings that do not fit, LookupError when no provider serves the channel.
    """
    for row in _of(channel):
        gateway = row.make(settings)
        if gateway is not None:
            return row, gateway
    raise LookupError(f"no provider serves {channel.value}")


def simulated(channel: Channel, address: str) -> Receipt | None:
    """Return what a provider of the channel answers for its own test address; None for an address that is none.

    Raises DeliveryError for a test address that is refused.
    """
    return next((answer for row in _of(channel) if (answer := row.simulated(address)) is not None), None)


def printing(name: str | None) -> Printing:
    """What the provider of this name asks of our letters."""
    return next((row.printing for row in providers() if row.name == name), Printing())


def sent_channels() -> tuple[Channel, ...]:
    """The channels by which messages are sent, in their order."""
    return tuple(channel for channel in Channel if channel in WRITTEN)


def _of(channel: Channel) -> list[Provider]:
    return [row for row in providers() if row.channel is channel]


def _folders() -> list[Any]:
    names = sorted(module.name for module in iter_modules(gateways.__path__) if module.ispkg)
    return [import_module(f"{gateways.__name__}.{name}.provider") for name in names]
