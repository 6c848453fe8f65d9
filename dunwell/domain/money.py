"""Amounts: exact to the minor unit of their currency, and what is owed of one invoice and came in for it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from dunwell.domain import events as ev
from dunwell.domain.checkpoint import Receipt, Reversal
from dunwell.domain.model import MutableValue
from dunwell.domain.refusal import Refused

_GROUP = 3


def exact_amount(amount: Decimal, digits: int) -> Decimal | None:
    """The amount with `digits` after the point, the minor units of its currency; None when it is finer than that."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        return None
    rounded = amount.quantize(Decimal(1).scaleb(-digits)) if -exponent < 40 else None
    return rounded if rounded == amount else None


def looks_like_thousands(amount: Decimal, digits: int) -> bool:
    """Whether an amount as it is written may stand for a thousand times as much, as 1.200 does in many countries."""
    return amount.as_tuple().exponent == -_GROUP and digits < _GROUP and 1 <= amount < 1000


class QuestionedPayment(MutableValue):
    """A payment that may be part of what was paid before the import; not counted until a person confirms it."""

    payment_id: str
    amount: Decimal
    received_at: datetime
    since: datetime


class CreditNote(MutableValue):
    """An amendment that lowered the invoice."""

    less: Decimal
    on: date
    by: str


class EarlierAmount(MutableValue):
    """What the invoice was over until it was amended."""

    amount: Decimal
    until: datetime


class Counted(MutableValue):
    """When a payment was counted. `answers`: how many answers to the customer had been owed by then."""

    at: datetime
    answers: int


class Money(MutableValue):
    """The amounts of one invoice, all in its currency, which has `digits` after the point."""

    currency: str
    digits: int
    amount: Decimal
    earlier_amounts: list[EarlierAmount] = Field(default_factory=list)  # oldest first
    paid: Decimal = Decimal(0)
    payments: dict[str, Decimal] = Field(default_factory=dict)  # what counts now of each, by id
    counted: dict[str, Counted] = Field(default_factory=dict)  # since when each of them counts
    reversals: list[Reversal] = Field(default_factory=list)
    reversed_payments: list[str] = Field(default_factory=list)  # of which nothing is left
    doubted: dict[str, str] = Field(default_factory=dict)  # payments that a person should check, each with its reason
    receipts: list[Receipt] = Field(default_factory=list)  # every payment that ever came, as the database has them
    imported_at: datetime | None = None  # when the invoice came to us, if something had been paid before
    imported_paid: Decimal = Decimal(0)  # and how much
    questioned: dict[str, QuestionedPayment] = Field(default_factory=dict)
    credit_notes: list[CreditNote] = Field(default_factory=list)  # since the last dispute was resolved
    claimed: Decimal = Decimal(0)  # what the last message with a claim asked for beside the principal
    claim_until: date | None = None  # and the day by which it is to be paid
    beside_principal: Decimal = Decimal(0)  # paid for interest, lump sum and costs, as the database computes it
    given: Decimal = Decimal(0)  # credit of this invoice that was applied or returned, as the database knows it

    @model_validator(mode="after")
    def _write_amount_as_its_currency_does(self) -> Self:
        """A database pads amounts: 1200 yen come back from it as 1200.00."""
        written = round(self.amount, self.digits)
        if written == self.amount:
            self.amount = written
        return self

    # Amounts ---------------------------------------------------------------------------------------------

    def whole(self, amount: Decimal) -> Decimal:
        """`amount`, not below zero, with the currency's places: "0.00" and not "0"."""
        return max(amount, Decimal(0)).quantize(Decimal(1).scaleb(-self.digits))

    def shown(self, amount: Decimal) -> str:
        """ "1200.00 EUR", never below zero."""
        return f"{self.whole(amount)} {self.currency}"

    def check_digits(self, field: str, amount: Decimal) -> None:
        """Raises Refused, naming `field`, for an amount finer than the currency's minor unit."""
        if amount != round(amount, self.digits):
            raise Refused(field, f"is finer than {self.currency} allows: {self.digits} digits after the point")

    # Payments --------------------------------------------------------------------------------------------

    def is_known(self, payment_id: str, amount: Decimal, currency: str, field: str = "payment_id") -> bool:
        """Whether this money was counted before. Raises Refused for money that this invoice cannot take."""
        if currency != self.currency:
            raise Refused("currency", f"the invoice is in {self.currency}; convert the payment first")
        self.check_digits("amount", amount)
        if payment_id in self.reversed_payments:
            raise Refused(field, "this payment was reversed; a new payment needs a new id")
        if payment_id not in self.payments:
            return False
        if self.payments[payment_id] + self.taken_back(payment_id) != amount:
            raise Refused(field, "is known already, with another amount; a new payment needs a new id")
        return True

    def may_be_counted(self, event: ev.PaymentReceived) -> bool:
        """Whether the payment may be part of what had been paid before the import, and nobody denied that yet."""
        return not event.confirm and event.received_at is not None and self.is_before_import(event.received_at)

    def is_before_import(self, at: datetime) -> bool:
        """Whether money of that time may be part of what had been paid before the invoice came to us."""
        return self.imported_at is not None and at < self.imported_at

    def add(self, payment_id: str, amount: Decimal) -> None:
        """Count the payment, less what was taken back of it before a person confirmed it."""
        left = amount - self.taken_back(payment_id)
        if left <= 0:
            raise Refused("amount", f"is no more than the {amount - left} {self.currency} taken back of this payment")
        self.payments[payment_id] = left
        self.paid += left

    def take_back(self, event: ev.PaymentReversed, now: datetime) -> Decimal:
        """Take back what the event says of a payment. Returns how much; zero when it was taken back before.

        Raises Refused for a payment that is unknown, and for more than is left of it.
        """
        payment_id, left = event.payment_id, self._left(event.payment_id)
        amount = left if event.amount is None else event.amount
        if amount == 0 or self._is_taken_back(event):
            return Decimal(0)
        self.check_digits("amount", amount)
        if amount > left:
            raise Refused("amount", f"is more than the {self.shown(left)} that are left of this payment")
        at = event.reversed_at or now
        taken = Reversal(payment_id=payment_id, key=event.key, amount=amount, at=at, reason=event.reason)
        self.reversals.append(taken)
        if payment_id in self.payments:
            self.payments[payment_id] -= amount
            self.paid -= amount
        if amount == left:
            for known in (self.payments, self.counted, self.questioned, self.doubted):
                known.pop(payment_id, None)
            self.reversed_payments.append(payment_id)
        return amount

    def _left(self, payment_id: str) -> Decimal:
        """What was not taken back of a payment, counted or not. Raises Refused for one that is unknown."""
        if payment_id in self.reversed_payments:
            return Decimal(0)
        if payment_id in self.questioned:
            return self.questioned[payment_id].amount - self.taken_back(payment_id)
        if payment_id not in self.payments:
            raise Refused("payment_id", "no payment of this id was received for this invoice")
        return self.payments[payment_id]

    def _is_taken_back(self, event: ev.PaymentReversed) -> bool:
        """Whether this very reversal is known. Raises Refused when it is known with another amount."""
        for one in self.reversals:
            if (one.payment_id, one.key) == (event.payment_id, event.key):
                if event.amount not in {None, one.amount}:
                    raise Refused("reversal_id", "is known with another amount: each reversal in part needs its own")
                return True
        return False

    def taken_back(self, payment_id: str) -> Decimal:
        """How much of the payment was taken back."""
        return sum((one.amount for one in self.reversals if one.payment_id == payment_id), Decimal(0))

    def keep_receipts(self, event: ev.Event, now: datetime) -> None:
        """Note how each payment came in that has no receipt yet."""
        known = {receipt.payment_id for receipt in self.receipts}
        at, method, giver, head = now, None, None, None
        if isinstance(event, ev.PaymentReceived):
            at, method, head = event.received_at or now, event.method, event.designation
        if isinstance(event, ev.CreditApplied):
            method, giver = ev.BY_CREDIT, event.from_invoice
        self.receipts += [
            Receipt(
                payment_id=payment_id,
                amount=left + self.taken_back(payment_id),
                received_at=at,
                method=method,
                from_invoice=giver,
                designation=head,
            )
            for payment_id, left in self.payments.items()
            if payment_id not in known
        ]

    # Amendments ------------------------------------------------------------------------------------------

    def amend(self, amount: Decimal, on: date, by: str, now: datetime) -> None:
        """The invoice is now over `amount`. Raises Refused for an amount its currency does not have."""
        self.check_digits("amount", amount)
        if amount < self.amount:
            self.credit_notes.append(CreditNote(less=self.whole(self.amount - amount), on=on, by=by))
        self._owe_from_now(amount, now)

    def correct(self, amount: Decimal) -> None:
        """A dispute ended with `amount`, which is no more than before. What it took off was never owed."""
        if amount < self.amount:
            for earlier in self.earlier_amounts:
                earlier.amount = min(earlier.amount, amount)
            self.amount = amount

    def _owe_from_now(self, amount: Decimal, now: datetime) -> None:
        if amount != self.amount:
            self.earlier_amounts.append(EarlierAmount(amount=self.amount, until=now))
        self.amount = amount

    @property
    def lowered_since(self) -> str:
        """What amendments took off since the last dispute was resolved, in words; empty when nothing."""
        if not self.credit_notes:
            return ""
        less = sum((note.less for note in self.credit_notes), Decimal(0))
        last = self.credit_notes[-1]
        return f"the invoice was lowered by {less} {self.currency} already (amended by {last.by} on {last.on})"
