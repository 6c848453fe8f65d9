"""What of a claim was given up: written off with the invoice, or waived once the invoice itself was paid."""

from datetime import date
from decimal import Decimal

from dunwell.domain.lump_sum_claim import SumApart
from dunwell.domain.model import Value


class GivenUp(Value):
    """The heads that were open when they were given up, and why they were. None of them is claimed from then on.

    principal       with what was in dispute
    lump_sum_apart  the lump sum where the law names it in another currency; not part of the total
    """

    on: date
    why: str
    principal: Decimal
    interest: Decimal
    lump_sum: Decimal
    costs: Decimal
    total: Decimal
    lump_sum_apart: SumApart | None = None

    @property
    def accessory(self) -> Decimal:
        """What of it stood beside the principal."""
        return self.total - self.principal

    def shown(self, currency: str) -> str:
        """The total in the currency of the invoice, when and why it was given up, and its heads, for people."""
        heads = (("principal", self.principal), ("interest", self.interest), ("lump sum", self.lump_sum))
        named = ", ".join(f"{amount} {head}" for head, amount in (*heads, ("costs", self.costs)) if amount)
        apart = self.lump_sum_apart
        beside = f", and {apart.amount} {apart.currency} lump sum beside it" if apart else ""
        return f"{self.total} {currency} on {self.on}, {self.why}" + (f" ({named})" if named else "") + beside
