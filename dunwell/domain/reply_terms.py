"""The words about replies: who wrote one, how its customer was found, and what may be proposed because of it."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from dunwell.domain.model import Value


class ReplyChannel(StrEnum):
    """The way by which it came: one of the channels, or the customer's own page."""

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    PAGE = "page"


class ReplyKind(StrEnum):
    """Who wrote it. `unknown`: a person whom nobody knows, so that no case is touched."""

    PERSON = "person"
    AUTOMATIC = "automatic"
    UNKNOWN = "unknown"


class FoundBy(StrEnum):
    """How it became known whose reply it is.

    TOKEN    by the reply address, which is another for each message
    THREAD   by the message that the mail answers (In-Reply-To, References)
    ADDRESS  by the sender's address, which is a contact's
    PERSON   a person said so
    """

    TOKEN = "token"
    THREAD = "thread"
    ADDRESS = "address"
    PERSON = "person"


class ReplyOutcome(StrEnum):
    """What a reply led to, once it is handled.

    ANSWERED  a person answered it
    NO_ANSWER a person read it, and nothing had to be answered
    STOPPED   it asked for no more messages, and nothing else
    """

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    STOPPED = "stopped"


class ReplyLine(StrEnum):
    """What people who owe say, as far as it is recognised. `dunwell/intake/reply_lines.py` reads it from the text."""

    PROMISE = "promise"
    PAID = "paid"
    DISPUTE = "dispute"
    WRONG_PERSON = "wrong-person"
    OUT_OF_OFFICE = "out-of-office"
    CALL = "call"
    INSTALMENTS = "instalments"
    NO_INVOICE = "no-invoice"
    CUSTOMERS_OWE_US = "customers-owe-us"
    ACCOUNTANT_LEFT = "accountant-left"
    APPROVAL_MISSING = "approval-missing"
    ONE_MORE_THING = "one-more-thing"
    CHARGE_UNFAIR = "charge-unfair"
    PESTERED = "pestered"
    COURT = "court"
    BEST_PARTNER = "best-partner"
    HARDSHIP = "hardship"


class ReplyProposal(Value):
    """What a reply seems to say, which a person confirms or not. Nothing is booked because of it.

    words      the sentence it was read from
    day        of a payment promised or made, or until when somebody is away
    amount     in `currency`, of what is promised, was paid or is in dispute
    """

    line: ReplyLine
    words: str
    day: date | None = None
    amount: Decimal | None = None
    currency: str | None = None


def reply_id_of(event_id: str) -> str:
    """Return the id of the reply that a provider reported. Reported again, even after a restore, it has the same."""
    return f"r{sha256(event_id.encode()).hexdigest()[:19]}"
