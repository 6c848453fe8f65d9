"""The claim of a case on a day in short, as the case itself keeps it: amounts only."""

from datetime import date
from decimal import Decimal
from typing import Self

from dunwell.domain.claim import Claim, ClaimCertainty
from dunwell.domain.model import Value
from dunwell.domain.terms import AccessoryRule


class ClaimSummary(Value):
    """What may be claimed on the day `as_of`, each head apart; `disputed` is not part of the total."""

    as_of: date
    principal: Decimal
    disputed: Decimal
    interest: Decimal
    lump_sum: Decimal
    costs: Decimal
    total: Decimal
    certainty: ClaimCertainty

    @classmethod
    def of(cls, claim: Claim) -> Self:
        return cls(**{name: getattr(claim, name) for name in cls.model_fields})


class AccessoryClaim(ClaimSummary):
    """What was left beside the principal on the day on which that was paid, and what became of it."""

    rule: AccessoryRule
