"""The interfaces of providers and the product: what services ask of them, and the answers they may give.

A provider's vocabulary (status words, error codes, exceptions) ends in its own module. What leaves it is a
`Receipt` or a `DeliveryError`, and the gateway alone decides whether an error is permanent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from dunwell.domain.billing_events import BillingEvent
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.channels import Channel
from dunwell.domain.terms import Access, MessageState


@dataclass(frozen=True)
class Attachment:
    """A file that travels with a message. `name` is what the recipient sees; `media_type` such as application/pdf."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Envelope:
    """One message ready to leave. `to` is an e-mail address, an E.164 number or a postal address of several lines.

    `company` and `country` (ISO 3166-1 alpha-2) are the debtor's; a letter is the one PDF in `attachments`.
    approved_id   the provider's id of the approved text that `text` is, with `values` in its places; None for a text
                  that needs no approval
    """

    message_id: str
    channel: Channel
    to: str
    to_name: str
    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    company: str = ""
    country: str = ""
    approved_id: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What a provider made of a message, in our words.

    `state` is accepted, delivered, bounced or failed. `code` is the provider's code as text, for people.
    `closes_address` is "stopped", "complained" or "bounced" when this address must not be used again, else None.
    """

    provider: str
    provider_id: str | None
    state: MessageState
    code: str | None = None
    closes_address: str | None = None


class DeliveryError(Exception):
    """A send that did not end in an acceptance.

    permanent     trying the same address on the same channel again is useless
    maybe_sent    nobody knows: the request left and no answer came; never blindly send again
    closes_address "stopped" or "bounced" when the address itself is to be closed, else None
    Neither permanent nor maybe_sent: the provider surely did not take it; try again later.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str | None = None,
        permanent: bool = False,
        maybe_sent: bool = False,
        closes_address: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.permanent = permanent
        self.maybe_sent = maybe_sent
        self.closes_address = closes_address


class MessageGateway(Protocol):
    """One provider on one channel."""

    name: str
    channel: Channel
    can_find: bool  # whether `find` can answer at all

    def send(self, envelope: Envelope) -> Receipt:
        """Hand the message to the provider once. Raises DeliveryError."""
        ...

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """Look up a message whose answer never came, sent at or after `since` (UTC). None: the provider never got it.

        Raises DeliveryError (neither permanent nor maybe_sent) when the provider cannot be asked just now.
        """
        ...


@runtime_checkable
class TakesBack(Protocol):
    """A gateway that can take back a letter that it has accepted and nobody has posted."""

    def take_back(self, provider_id: str) -> bool:
        """Take the letter back. False when it was no longer there. Raises DeliveryError when it cannot be checked."""
        ...


@runtime_checkable
class ApprovesTexts(Protocol):
    """A gateway whose provider takes only approved texts while the person has not written to us."""

    def approved_id(self, message: str, language: str, words: str) -> str | None:
        """The provider's id of these words, which have {{1}}, {{2}}, ... for their values; None: not approved."""
        ...


@runtime_checkable
class Suppressions(Protocol):
    """A gateway whose provider lists the addresses that it does not write to any more."""

    channel: Channel

    def suppressed(self) -> Iterator[tuple[str, str]]:
        """Each address with "stopped", "complained" or "bounced". Raises DeliveryError when a list is not read whole.

        What fails for now has been asked for again before it is raised. The reason names list, cause and remedy.
        """
        ...


@dataclass(frozen=True)
class AccessChange:
    """One change of an account's access, as it is sent to the product. `change_id` makes repeats harmless.

    page_url  where the customer reads why; None when nothing is limited any more
    """

    change_id: str
    customer_id: str
    invoice_id: str
    access: Access
    work_on_hold: bool
    reason: str
    at: datetime
    page_url: str | None = None


class RateLimit(Protocol):
    """The pace at which a provider may be called."""

    def wait(self) -> None:
        """Block until the caller may call."""
        ...


class ProductGateway(Protocol):
    """The product that grants access. `remote`: publishing is a call over a network, which may be slow."""

    remote: bool

    def publish(self, change: AccessChange) -> None:
        """Send the change to the product. Idempotent by change_id. Raises DeliveryError."""
        ...


class BusinessDays(Protocol):
    """Knows the holidays and weekends of countries."""

    def calendar(
        self, country: str, time_zone: str, window: tuple[str, str], first: date, last: date
    ) -> BusinessCalendar:
        """The business calendar of `country` between two dates. Raises ValueError naming what is unknown."""
        ...


class BillingGateway(Protocol):
    """A billing system that can be asked. Every call raises DeliveryError, whose text says what to do."""

    name: str

    def fetch(self, kind: str, object_id: str) -> BillingEvent | None:
        """Return what one object of the system says now; None when it says nothing that counts."""
        ...

    def invoice(self, invoice_id: str) -> list[BillingEvent]:
        """Return an invoice as it stands now, what paid it and what credited it."""
        ...

    def open_invoices(self) -> Iterator[list[BillingEvent]]:
        """Yield the same for every open invoice."""
        ...
