"""The claim of a case on a day in short, as the case itself keeps it: amounts only."""

from datetime import date
from decimal import Decimal
from typing import Self

from dunwell.domain.claim import Claim, ClaimCertainty
from dunwell.domain.given_up import GivenUp
from dunwell.domain.lump_sum_claim import SumApart
from dunwell.domain.model import Value
from dunwell.domain.terms import AccessoryRule


class ClaimSummary(Value):
    """What may be claimed on the day `as_of`, each head apart; `disputed` is not part of the total.

    lump_sum_apart  the lump sum where the law names it in another currency; not part of the total either
    given_up  what was written off or waived; it is not claimed any more
    """

    as_of: date
    principal: Decimal
    disputed: Decimal
    interest: Decimal
    lump_sum: Decimal
    costs: Decimal
    total: Decimal
    certainty: ClaimCertainty
    lump_sum_apart: SumApart | None = None
    given_up: GivenUp | None = None

    @property
    def accessory(self) -> Decimal:
        """What is open beside the principal, in the currency of the invoice."""
        return self.total - self.principal

    def takes(self, amount: Decimal) -> bool:
        """Whether so much beyond the principal meets interest, lump sum and costs, open or given up."""
        return amount <= self.accessory + (self.given_up.accessory if self.given_up else 0)

    def shown(self, currency: str) -> str:
        """What is open beside the principal of an invoice in `currency`, in one sum or two."""
        apart = self.lump_sum_apart
        own = f"{self.accessory} {currency}"
        return own if apart is None else f"{own} and {apart.amount} {apart.currency}"

    @property
    def heads(self) -> str:
        """What is open beside the principal, head by head, for people."""
        apart = self.lump_sum_apart
        fixed = f"{self.lump_sum} lump sum" if apart is None else f"{apart.amount} {apart.currency} lump sum"
        return f"{self.interest} interest, {fixed}, {self.costs} costs"

    @classmethod
    def of(cls, claim: Claim) -> Self:
        return cls(**{name: getattr(claim, name) for name in cls.model_fields})


class AccessoryClaim(ClaimSummary):
    """What is left beside the principal since that is paid, and what becomes of it."""

    rule: AccessoryRule
