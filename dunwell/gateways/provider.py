"""What a provider's folder declares: a `Provider` for each channel that it serves, and the webhooks that it calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dunwell.domain.billing_events import BillingEvent
from dunwell.domain.channels import Channel
from dunwell.domain.received_mail import ReceivedMail
from dunwell.gateways.base import BillingGateway, MessageGateway, Receipt
from dunwell.gateways.events import ProviderEvent


@dataclass(frozen=True)
class Printing:
    """What a printing service requires of our letters.

    paper      "a4" or "us-letter"; None goes by the debtor's country
    addressed  whether we print the address; False where the service puts it on the page
    post_days  how many days a letter may take before a missing delivery report counts
    folder     where people of ours find what they print and post; None where a service does both
    """

    paper: Literal["a4", "us-letter"] | None = None
    addressed: bool = True
    post_days: int = 0
    folder: Callable[[Any], Path] | None = None


def _no_url(settings: Any) -> str | None:
    return None


def _no_pace(settings: Any) -> float | None:
    return None


def _none_simulated(address: str) -> Receipt | None:
    return None


@dataclass(frozen=True)
class Provider:
    """One provider on one channel. Functions take the settings of the provider's own folder.

    make         the gateway; None while its settings are not set. Raises ValueError on settings that do not fit
    url          where the provider is called instead of its own address; a rehearsal may go there on this machine
    pace         the most calls a second; None is no limit
    simulated    what the outbox answers for the provider's own test addresses; None for every other. May raise
                 DeliveryError
    described    where messages go, for the person who starts the program
    standby      asked last, when no other provider of the channel is set up
    """

    name: str
    channel: Channel
    make: Callable[[Any], MessageGateway | None]
    url: Callable[[Any], str | None] = _no_url
    pace: Callable[[Any], float | None] = _no_pace
    simulated: Callable[[str], Receipt | None] = _none_simulated
    described: Callable[[Any], str] = lambda settings: ""
    printing: Printing = Printing()
    standby: bool = False


@dataclass(frozen=True)
class WebhookRequest:
    """A request as it came in: the address that was called with its query, the headers, the body, and when.

    decode   reads JSON, and raises what its caller answers to a body that is none
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    decode: Callable[[bytes], Any]

    def json(self) -> Any:
        """The JSON value of the body. To be asked for after the signature was checked."""
        return self.decode(self.body)


@dataclass(frozen=True)
class BillingSystem:
    """A billing system that can be asked. `make`: its gateway; None while its settings are not set."""

    name: str
    make: Callable[[Any], BillingGateway | None]


Event = ProviderEvent | BillingEvent | ReceivedMail
"""What a webhook may report: about messages and addresses, about money and invoices, or a mail that came in."""


class UnreadableWebhook(Exception):
    """A signed request that holds nothing readable. The text says what was expected."""


@dataclass(frozen=True)
class Reply:
    """The HTTP answer to the provider once every event is kept."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = None


def _anybody(headers: Mapping[str, str], key: Any) -> None:
    """Signatures over the body are checked once it is read."""


def _new(events: Sequence[Event], new: int) -> Reply:
    return Reply(body=b'{"new":%d}' % new, media_type="application/json")


@dataclass(frozen=True)
class Webhook:
    """An address below /webhooks that a provider calls.

    key     what its signatures are checked with, from the settings; None: the webhook is closed. Raises ValueError
    closed  the answer to callers of a closed webhook: which setting is missing
    read    check the signature and read the request. Raises UnverifiedWebhook and UnreadableWebhook
    reply   what to answer to so many events, of which `new` were new
    admit   check the headers before the body is read. Raises UnverifiedWebhook
    most    bytes of a body
    """

    provider: str
    path: str
    key: Callable[[Any], Any]
    closed: str
    read: Callable[[WebhookRequest, Any], Sequence[Event]]
    reply: Callable[[Sequence[Event], int], Reply] = field(default=_new)
    admit: Callable[[Mapping[str, str], Any], None] = field(default=_anybody)
    most: int = 1024 * 1024


def elsewhere(url: str | None) -> str:
    """The host that stands in for a provider's own, in words."""
    return f" at {urlsplit(url).hostname}" if url else ""
