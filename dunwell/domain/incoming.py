"""Money that came in and names no case by itself: what is kept of it, and how far it has come."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from dunwell.domain.bank_entry import BankEntry
from dunwell.domain.matching import IncomingPayment
from dunwell.domain.noon import noon
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Unknown


class Source(StrEnum):
    """Who told us of it. Its state is an `EntryState`, whoever that is."""

    BANK = "bank"


class ProposalState(StrEnum):
    """What became of a proposal. `lapsed`: another use was made of the payment."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    LAPSED = "lapsed"


class Incoming(IncomingPayment):
    """An incoming payment with where it comes from.

    identity     what tells it from every other of its source, and is the same however often it is told
    received_at  the booking day or the time of the payment
    """

    source: Source
    identity: str
    received_at: datetime

    @property
    def entry_id(self) -> str:
        """Its id here, short enough to be typed."""
        return entry_id_of(self.source, self.identity)

    def payment_id(self, attempt: int = 1) -> str:
        """The id of the payment that it becomes; another one when it is booked again after it was taken back."""
        return booked_as(f"{self.source.value}-{self.identity}", attempt)


def booked_as(payment_id: str, attempt: int) -> str:
    """Return the id under which a payment is booked for the nth time: a case takes none that it gave back."""
    return payment_id if attempt == 1 else f"{payment_id}.{attempt}"


def said_of_set_aside(reason: str, principal: Principal) -> str:
    """Return why a payment stands as set aside: the code that was given, and who gave it."""
    return f"for no invoice ({reason}), says {principal.author}"


def said_of_taking_up(why: str, principal: Principal) -> str:
    """Return why a payment waits again that had been set aside for the reason `why`."""
    return f"it had been set aside ({why}), which {principal.author} undid"


def entry_id_of(source: Source, identity: str) -> str:
    """Return the id here of an incoming payment that its source knows by `identity`."""
    return f"E{sha256(f'{source.value}/{identity}'.encode()).hexdigest()[:12].upper()}"


def no_payment(entry_id: str) -> Unknown:
    """Return the refusal of an id that no payment which came in has."""
    return Unknown("entry", f"{entry_id[:60]!r} is no payment that came in; `starter.py unmatched` shows them")


def of_bank_entry(entry: BankEntry) -> Incoming:
    """Return money that came in on our account as an incoming payment. Raises ValueError for any other movement."""
    if not entry.came_in:
        raise ValueError("only money that came in is matched with invoices")
    written = (*entry.references, entry.text, entry.end_to_end_id or "")
    return Incoming(
        source=Source.BANK,
        identity=entry.identity,
        amount=entry.amount,
        currency=entry.currency,
        received_at=noon(entry.value_on or entry.booked_on),
        texts=tuple(text for text in written if text),
        payer_name=entry.payer_name,
        payer_iban=entry.payer_iban,
        may_repeat=entry_id_of(Source.BANK, entry.may_repeat) if entry.may_repeat else None,
        charges=entry.charges,
        ordered=entry.instructed_amount if entry.instructed_currency == entry.currency else None,
    )
