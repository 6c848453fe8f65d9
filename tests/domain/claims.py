"""Laws and histories for tests of claims, made from a few words each."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from dunwell.domain.claim import Claim, claim_of
from dunwell.domain.claim_history import ClaimHistory, ContractTerms, InterestTerms
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.terms import DebtorKind
from dunwell.intake.jurisdiction_files import read_series

SERIES = read_series()
STATUTORY = ContractTerms(interest=InterestTerms.STATUTORY)
WITH_LUMP_SUM = ContractTerms(interest=InterestTerms.STATUTORY, lump_sum=True)
_ROW = {
    "customers": list(DebtorKind),
    "sellers": list(DebtorKind),
    "valid_from": date(2000, 1, 1),
    "source": "made for the test",
    "checked_on": date(2026, 11, 27),
    "certainty": "confirmed",
}


def a_law(
    *interest: Mapping[str, Any],
    lump_sum: Sequence[Mapping[str, Any]] = (),
    allocation: Mapping[str, Any] | None = None,
    series: Mapping[str, RateSeries] = SERIES,
    currency: str = "EUR",
) -> Jurisdiction:
    """A complete law with these rows; what a row does not say is as simple as can be."""
    return Jurisdiction.model_validate(
        {
            "code": "XX",
            "name": "Utopia",
            "currency": currency,
            "interest": [{**_ROW, "key": "xx.interest", "starts": ["due"], **row} for row in interest],
            "lump_sum": [{**_ROW, "key": "xx.lump_sum", "currency": currency, **row} for row in lump_sum],
            "allocation": [{**_ROW, "key": "xx.allocation", "several_debts": ["older"], **(allocation or {})}],
            "series": dict(series),
        }
    )


def at(rate: str, **more: Any) -> dict[str, Any]:
    """An interest row with a fixed rate."""
    return {"statutory": {"rate": rate}, **more}


def above(series: str, margin: str, lookup: str = "daily", **more: Any) -> dict[str, Any]:
    """An interest row with a margin above a base rate."""
    return {"statutory": {"series": series, "margin": margin, "lookup": lookup}, **more}


def day(text: str) -> date:
    """ "2026-05-01", or "05-01" of 2026."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def an_invoice(amount: str, due_on: str, currency: str = "EUR", digits: int = 2, **more: Any) -> ClaimHistory:
    """An invoice that was issued thirty days before it fell due or earlier; `more` are other facts."""
    facts = {
        "currency": currency,
        "digits": digits,
        "issued_on": date(2000, 1, 1),
        "due_on": day(due_on),
        "amounts": [{"on": date(2000, 1, 1), "amount": amount}],
    }
    return ClaimHistory.model_validate({**facts, **more})


def paid(on: str, amount: str, designation: str | None = None) -> dict[str, Any]:
    """A payment that is known by its day."""
    return {"payment_id": on, "on": day(on), "amount": amount, "designation": designation}


def claimed(
    history: ClaimHistory,
    law: Jurisdiction | None,
    as_of: str,
    terms: ContractTerms = STATUTORY,
    customer: DebtorKind | None = DebtorKind.BUSINESS,
) -> Claim:
    """The claim of a business on a day."""
    return claim_of(history, law, customer, DebtorKind.BUSINESS, terms, day(as_of))


def heads(claim: Claim) -> tuple[str, str, str, str]:
    """Principal, interest, lump sum and costs, as they are shown."""
    return tuple(str(amount) for amount in (claim.principal, claim.interest, claim.lump_sum, claim.costs))  # type: ignore[return-value]


def total(claim: Claim) -> Decimal:
    return claim.principal + claim.interest + claim.lump_sum + claim.costs
