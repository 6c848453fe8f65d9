"""What happened to one invoice, as far as a claim depends on it: plain days and amounts, without the case.

On one day, amendments and disputes come first, then the interest of the day, costs, payments, and reversals last.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from dunwell.domain.legal_fact import Exact
from dunwell.domain.model import Value
from dunwell.domain.terms import Head


class InterestTerms(StrEnum):
    """Which interest is claimed for late payment."""

    NONE = "none"
    STATUTORY = "statutory"
    CONTRACT = "contract"


class ContractTerms(Value):
    """What is claimed beside the principal: nothing, unless the invoice, the customer or the policy says so.

    contract_rate  in per cent a year; with CONTRACT, and only then
    lump_sum       whether the lump sum of the law is claimed
    exchange_rate  what one unit of the lump sum's currency is in the invoice's, as the law fixes it for this debt;
                   without it a lump sum in another currency is shown in its own
    """

    interest: InterestTerms = InterestTerms.NONE
    contract_rate: Annotated[Exact, Field(ge=0)] | None = None
    lump_sum: bool = False
    exchange_rate: Annotated[Exact, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _has_its_rate(self) -> "ContractTerms":
        if (self.interest is InterestTerms.CONTRACT) != (self.contract_rate is not None):
            raise ValueError("contract_rate goes with interest = contract, and only with it")
        return self


class AmountFrom(Value):
    """The invoice has this amount from that day, until a later row.

    Where the rest of an invoice is given up, its amount is from that day what was paid. An invoice that was cancelled
    because it was never owed has the amount zero from the beginning.
    """

    on: date
    amount: Annotated[Decimal, Field(ge=0)]


class Payment(Value):
    """Money that came in for the invoice.

    designation  the head that the customer named; None: no word
    """

    payment_id: str
    on: date
    amount: Annotated[Decimal, Field(gt=0)]
    designation: Head | None = None


class Reversal(Value):
    """Money of a payment that went back, all of it or a part."""

    payment_id: str
    on: date
    amount: Annotated[Decimal, Field(gt=0)]


class DisputedSpan(Value):
    """The customer disputes `amount` from a day on, until the day on which that was resolved, which is excluded.

    until     None: it is open
    amount    None: all that is open
    rejected  the part was owed all along, so its days count once the dispute has ended
    """

    since: date
    until: date | None = None
    amount: Annotated[Decimal, Field(gt=0)] | None = None
    rejected: bool = False

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "DisputedSpan":
        if self.until is not None and self.until < self.since:
            raise ValueError("until lies before since")
        return self


class Cost(Value):
    """A cost that was charged to the customer, such as a reminder fee."""

    on: date
    amount: Annotated[Decimal, Field(gt=0)]
    code: str


class ClaimHistory(Value):
    """What happened to one invoice. All amounts are in its currency, which has `digits` after the point.

    due_on      the day by which it was to be paid, as last agreed
    amounts     oldest first; the first row counts for the days before it as well
    reversals   of the payments here; together not more than the payment
    noticed_on  the day on which the first reminder after the due date reached the customer
    written_off_on  the day on which all that was open was given up; after it nothing accrues
    """

    currency: str
    digits: Annotated[int, Field(ge=0, le=4)]
    issued_on: date
    due_on: date
    amounts: Annotated[tuple[AmountFrom, ...], Field(min_length=1)]
    payments: tuple[Payment, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    disputes: tuple[DisputedSpan, ...] = ()
    noticed_on: date | None = None
    written_off_on: date | None = None
    costs: tuple[Cost, ...] = ()

    def amount_on(self, day: date) -> Decimal:
        """The amount of the invoice on `day`."""
        begun = [row for row in self.amounts if row.on <= day]
        return (begun or self.amounts[:1])[-1].amount

    @model_validator(mode="after")
    def _is_consistent(self) -> "ClaimHistory":
        """Raises ValueError for amendments out of order, a payment id given twice, and money that never came in."""
        days = [row.on for row in self.amounts]
        if days != sorted(days):
            raise ValueError("amounts must be in the order of their days")
        paid = {payment.payment_id: payment for payment in self.payments}
        if len(paid) != len(self.payments):
            raise ValueError("payments name one payment_id twice")
        left = {payment_id: payment.amount for payment_id, payment in paid.items()}
        for reversal in self.reversals:
            if reversal.payment_id not in paid or reversal.on < paid[reversal.payment_id].on:
                raise ValueError(f"reversal of {reversal.payment_id}: there is no such payment before it")
            left[reversal.payment_id] -= reversal.amount
            if left[reversal.payment_id] < 0:
                raise ValueError(f"reversals of {reversal.payment_id} are more than the payment")
        return self
