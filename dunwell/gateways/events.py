"""Provider events: the one form into which every provider's webhook is translated."""

import hashlib
import re
from datetime import UTC, datetime

from pydantic import Field

from dunwell.domain.channels import Channel
from dunwell.domain.model import Value
from dunwell.domain.received_mail import ReadMail
from dunwell.domain.terms import MessageState

_PLAIN_ID = re.compile(r"[A-Za-z0-9._:=+/-]{1,200}")
_UNFIT_FOR_A_KIND = re.compile(r"[^a-z0-9_.-]")
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800  # the years 2000 to 2099


class UnverifiedWebhook(Exception):
    """A webhook that its provider did not sign. The text says what is wrong and never repeats a key."""


class ProviderEvent(Value):
    """One event that a provider reported.

    event_id     identifies it: an event that is reported again has the same
    kind         the provider's own word, for people
    message_id   our message, where the provider gives our id back; else `provider_id`, the provider's own
    state, code  what became of the message; None: nothing that counts
    closes       "stopped", "complained" or "bounced" when the address must not be used again
    reopens      its owner wants messages again
    address      whom it is about, where that is known
    text         what a person wrote to us; of a mail, without what it quotes
    mail         the mail that was read; never part of what is kept of the event
    at           by the provider's clock, UTC; None when it does not say
    """

    event_id: str
    kind: str
    channel: Channel
    message_id: str | None = None
    provider_id: str | None = None
    state: MessageState | None = None
    code: str | None = None
    closes: str | None = None
    reopens: bool = False
    address: str | None = None
    text: str | None = None
    mail: ReadMail | None = Field(default=None, exclude=True)
    at: datetime | None = None


def plain_id(value: str) -> str:
    """An id that every database keeps: as it is, or its digest when it is long or strange."""
    if _PLAIN_ID.fullmatch(value):
        return value
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def plain_kind(value: object) -> str:
    """A provider's word as it may stand in a table: short, lower case, nothing unprintable."""
    word = value if isinstance(value, str) else ""
    return _UNFIT_FOR_A_KIND.sub("?", word.lower()[:40]) or "?"


def moment(seconds: object) -> datetime | None:
    """Unix seconds, as a number or as text, as a time in UTC; None when they make no sense."""
    try:
        number = int(str(seconds)) if isinstance(seconds, int | str) and len(str(seconds)) < 20 else 0
    except ValueError:
        return None
    return datetime.fromtimestamp(number, UTC) if _FIRST_SECOND <= number < _LAST_SECOND else None
