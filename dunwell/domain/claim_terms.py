"""What is claimed beside the principal, as invoice, customer and ladder say it: text such as "8.5" or "none"."""

import re
from collections.abc import Iterable
from decimal import Decimal

from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.policy import Policy

STATUTORY, NONE = InterestTerms.STATUTORY.value, InterestTerms.NONE.value
HIGHEST_RATE, MOST_PLACES = Decimal(100), 4
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def checked_interest(text: str) -> str:
    """Return the words of an interest: statutory, none, or a rate in per cent a year. Raises ValueError."""
    word = text.strip()
    if word in {STATUTORY, NONE}:
        return word
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"is no interest: write '{STATUTORY}', '{NONE}' or a rate in per cent a year, such as '8.5'")
    rate = Decimal(word)
    if rate <= 0:
        raise ValueError(f"is no rate above zero: write '{NONE}' where no interest is claimed")
    if rate > HIGHEST_RATE:
        raise ValueError(f"is more than {HIGHEST_RATE} per cent a year: write the yearly rate, such as '8.5'")
    if len(word.partition(".")[2]) > MOST_PLACES:
        raise ValueError(f"is too fine: a rate has at most {MOST_PLACES} digits after the point")
    return word


def contract_terms(interests: Iterable[str | None], lump_sums: Iterable[str | None], policy: Policy) -> ContractTerms:
    """Return what is claimed: of both the first that is not None, or else what the steps of the ladder say."""
    steps = policy.steps
    interest = _first(interests, STATUTORY if any(step.interest for step in steps) else NONE)
    lump_sum = _first(lump_sums, STATUTORY if any(step.lump_sum for step in steps) else NONE)
    claimed = lump_sum == STATUTORY
    if interest in {STATUTORY, NONE}:
        return ContractTerms(interest=InterestTerms(interest), lump_sum=claimed)
    return ContractTerms(interest=InterestTerms.CONTRACT, contract_rate=Decimal(interest), lump_sum=claimed)


def _first(said: Iterable[str | None], otherwise: str) -> str:
    return next((one for one in said if one is not None), otherwise)
