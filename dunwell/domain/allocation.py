"""What a payment meets first: the heads of a claim in the order of a law, or as the customer named them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from dunwell.domain.legal_fact import LegalFact
from dunwell.domain.terms import Head


class Designation(StrEnum):
    """What the customer's word about what a payment is for is worth."""

    BINDS = "binds"
    CREDITOR_MAY_REFUSE = "creditor_may_refuse"  # the payment; who keeps it has accepted the word
    NEEDS_CONSENT = "needs_consent"  # of the creditor, which nobody records here: the word is not followed
    IGNORED = "ignored"


class DebtOrder(StrEnum):
    """Which of several debts a payment meets first; the rows of a law are tried in turn."""

    CUSTOMER_NAMES = "customer_names"
    CREDITOR_NAMES = "creditor_names"
    DUE = "due"
    LESS_SECURED = "less_secured"
    MORE_ONEROUS = "more_onerous"
    MOST_INTEREST = "most_interest"
    OLDER = "older"
    PRO_RATA = "pro_rata"


USUAL_ORDER = (Head.INTEREST, Head.PRINCIPAL, Head.LUMP_SUM, Head.COSTS)
"""Where a law names no order: interest first, and what the customer did not ask for after the principal."""


class AllocationRule(LegalFact):
    """The order in which a payment meets the heads of one claim, and which of several debts it meets."""

    order: tuple[Head, ...] = USUAL_ORDER
    designation: Designation = Designation.BINDS
    several_debts: Annotated[tuple[DebtOrder, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_every_head(self) -> "AllocationRule":
        if sorted(self.order) != sorted(Head):
            raise ValueError(f"order must name each head once: {', '.join(Head)}")
        return self

    def order_for(self, named: Head | None) -> tuple[Head, ...]:
        """Return the heads in the order in which a payment meets them. named: the head that the customer named."""
        if named is None or not self.follows_the_customer:
            return self.order
        return (named, *(head for head in self.order if head is not named))

    @property
    def follows_the_customer(self) -> bool:
        """Whether a payment meets first what the customer says that it is for."""
        return self.designation in (Designation.BINDS, Designation.CREDITOR_MAY_REFUSE)
