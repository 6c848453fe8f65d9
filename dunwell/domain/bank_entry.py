"""A movement on a bank account, as a statement of the bank tells it.

Readers of statements (`dunwell.intake`) make these values, `dunwell.services.statements` keeps those that may be for
invoices, and matching decides by them which invoices they pay. A movement that the bank booked as one sum of several
transactions (a batch) is read as its transactions, each an entry of its own with the same `batch`.

Movements have one identity in every file that tells them, so that files may overlap: `identify` gives it. The
payments that an entry becomes have ids made of it (`dunwell.domain.incoming.Incoming.payment_id`).
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from pydantic import Field, model_validator

from dunwell.domain.model import Value

_IDENTITY = 20  # hexadecimal digits: 80 bits


class Direction(StrEnum):
    """Which way money moved on our account."""

    IN = "in"
    OUT = "out"


class StatementFormat(StrEnum):
    """How a statement is written."""

    CAMT_052 = "camt.052"
    CAMT_053 = "camt.053"
    CAMT_054 = "camt.054"
    MT940 = "mt940"
    MT942 = "mt942"
    OFX = "ofx"
    CSV = "csv"


class EntryState(StrEnum):
    """What became of an entry.

    new        it is kept, and nothing else was done yet
    unmatched  it belongs to no invoice yet; a person is asked when it stays so
    proposed   invoices were proposed for it, and nobody has confirmed or rejected them
    booked     it was recorded as payments on invoices
    set_aside  a person said that it is for no invoice known here
    returned   it is a reversal, and what it takes back was taken back
    asked      it may take payments back, and a person decides
    unrelated  it takes back nothing that is booked here
    itemised   another file told the transactions of this sum, and they stand in its place
    """

    NEW = "new"
    UNMATCHED = "unmatched"
    PROPOSED = "proposed"
    BOOKED = "booked"
    SET_ASIDE = "set_aside"
    RETURNED = "returned"
    ASKED = "asked"
    UNRELATED = "unrelated"
    ITEMISED = "itemised"


class BankEntry(Value):
    """One movement, or one transaction of a batch.

    account       our account: its IBAN, or its number as the bank writes it, without spaces
    identity      always the same for the same movement, whichever file tells it; "" until `identify` gave it
    reference     the bank's own reference of the movement; None where it gives none
    booked_on     the bank's booking day
    value_on      the value day, from which the money counts
    amount        above zero, in `currency`, the account's own
    direction     in: money came to us
    reversal      the bank says that this takes back an earlier movement
    pending       announced, not booked: shown and never counted
    references    structured references of the payer, such as RF18539007547034, as they stand there, without spaces
    text          what the payer or the bank wrote, on one line
    end_to_end_id the payer's own id of the transfer, by which a returned one is recognised
    payer_name, payer_iban  whoever is on the other side: of incoming money, who paid
    charges       what banks kept before it reached us, in `currency`; in `amount` where the payer paid it
    instructed_amount, instructed_currency  what the payer ordered, where the bank tells it
    batch         identity of the batch that this transaction belongs to, and `batch_amount` its booked sum
    may_repeat    identity of an entry that a file of another format told, where both may be the same money
    """

    account: str = Field(min_length=1, max_length=50)
    identity: str = Field(default="", max_length=40)
    reference: str | None = Field(default=None, max_length=200)
    booked_on: date
    value_on: date | None = None
    amount: Decimal = Field(gt=0, max_digits=18)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    direction: Direction
    reversal: bool = False
    pending: bool = False
    references: tuple[str, ...] = ()
    text: str = ""
    end_to_end_id: str | None = Field(default=None, max_length=200)
    payer_name: str | None = Field(default=None, max_length=200)
    payer_iban: str | None = Field(default=None, max_length=50)
    charges: Decimal | None = None
    instructed_amount: Decimal | None = None
    instructed_currency: str | None = None
    batch: str | None = None
    batch_amount: Decimal | None = None
    may_repeat: str | None = Field(default=None, max_length=40)

    @model_validator(mode="after")
    def _instructed_whole(self) -> "BankEntry":
        if (self.instructed_amount is None) is not (self.instructed_currency is None):
            raise ValueError("an instructed amount and its currency belong together")
        return self

    @property
    def booking(self) -> str:
        """The identity of what the bank booked: the batch it belongs to, or itself."""
        return self.batch or self.identity

    @property
    def booked_amount(self) -> Decimal:
        """What the bank booked: the sum of its batch, or its own amount."""
        return self.amount if self.batch_amount is None else self.batch_amount

    @property
    def came_in(self) -> bool:
        """Whether it is money that came to us and may pay invoices."""
        return self.direction is Direction.IN and not self.reversal and not self.pending


def identify(entries: Iterable[BankEntry]) -> tuple[BankEntry, ...]:
    """Give the entries of one statement their identities, in the order in which the statement has them.

    An identity is made of account, day, amount, direction and the bank's reference; without a reference, of what was
    written too. Entries that are alike in all that are told apart by their number among them, for two payers may send
    the same sum on one day and a bank may give one reference to both.
    """
    alike: Counter[tuple[str, ...]] = Counter()
    found = []
    for entry in entries:
        facts = _facts(entry)
        alike[facts] += 1
        found.append(entry.model_copy(update={"identity": _digest((*facts, str(alike[facts])))}))
    return tuple(found)


def identity_without_reference(entry: BankEntry) -> str:
    """Return the identity of an entry in a file that tells it in the same words, and without the bank's reference."""
    return _digest((*_facts(entry.model_copy(update={"reference": None})), "1"))


def _facts(entry: BankEntry) -> tuple[str, ...]:
    written = (
        (entry.reference, "")
        if entry.reference
        else ("", "\x1f".join((entry.text, entry.end_to_end_id or "", entry.payer_iban or "", *entry.references)))
    )
    sign = f"{entry.direction.value}{'r' if entry.reversal else ''}{'p' if entry.pending else ''}"
    amount = f"{entry.amount.normalize():f}"
    return (entry.account, entry.booked_on.isoformat(), amount, entry.currency, sign, entry.batch or "", *written)


def _digest(facts: tuple[str, ...]) -> str:
    return sha256("\x1e".join(facts).encode()).hexdigest()[:_IDENTITY]
