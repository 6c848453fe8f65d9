"""Rows of a law: which one holds on a day, what a band gives, when a claim is barred, what was confirmed."""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.interest_rule import InterestRule
from dunwell.domain.jurisdiction import LimitationRule, in_force
from dunwell.domain.legal_fact import Certainty
from dunwell.domain.lump_sums import LumpSumRule
from dunwell.domain.terms import DebtorKind
from dunwell.intake.jurisdiction_files import read_jurisdictions
from tests.domain.claims import SERIES, a_law, above, at, day

BUSINESS, CONSUMER = DebtorKind.BUSINESS, DebtorKind.CONSUMER


@pytest.mark.parametrize(
    ("years", "months", "to_year_end", "due_on", "last"),
    [
        (3, 0, True, "2026-03-15", "2029-12-31"),
        (3, 0, True, "2026-12-31", "2029-12-31"),
        (6, 0, False, "2026-03-15", "2032-03-15"),
        (1, 0, False, "2024-02-29", "2025-02-28"),
        (1, 6, False, "2026-08-31", "2028-02-29"),
        (0, 11, False, "2026-01-31", "2026-12-31"),
    ],
)
def test_when_a_claim_is_barred(years: int, months: int, to_year_end: bool, due_on: str, last: str) -> None:
    row = read_jurisdictions()["DE"].limitation[0]
    rule = LimitationRule.model_validate(
        {**row.model_dump(), "years": years, "months": months, "to_year_end": to_year_end}
    )
    assert str(rule.last_day(day(due_on))) == last


def test_the_latest_row_for_the_parties_holds() -> None:
    early, late, other = (
        at("5"),
        at("8", valid_from=day("03-01")),
        at("9", customers=["consumer"], sellers=["public"]),
    )
    law = a_law(late, early, other)

    def rate(customer: DebtorKind, seller: DebtorKind, on: str) -> str | None:
        found: InterestRule | None = in_force(law.interest, customer, seller, day(on))
        return str(found.statutory.rate) if found and found.statutory else None

    assert rate(BUSINESS, BUSINESS, "02-28") == "5"
    assert rate(BUSINESS, BUSINESS, "03-01") == "8"
    assert rate(BUSINESS, BUSINESS, "1999-12-31") is None
    assert in_force(law.interest[2:], BUSINESS, BUSINESS, day("03-01")) is None


@pytest.mark.parametrize(
    ("debt", "amount"),
    [("0.01", "20"), ("150", "20"), ("150.01", "30.001"), ("500", "65"), ("501", "65.05"), ("100000", "2000")],
)
def test_a_band_gives_a_sum_and_a_part_of_what_lies_above_the_band_before(debt: str, amount: str) -> None:
    bands = [
        {"up_to": "150", "amount": "20"},
        {"up_to": "500", "amount": "30", "percent": "10"},
        {"amount": "65", "percent": "5"},
    ]
    rule: LumpSumRule = a_law(at("5"), lump_sum=[{"bands": bands, "maximum": "2000"}]).lump_sum[0]
    assert rule.of(Decimal(debt)) == Decimal(amount)


def test_a_confirmation_names_a_row_a_field_or_a_rate() -> None:
    row = {**above("de-base", "9"), "certainty": "memory", "certainty_of": {"day_count": "memory"}}
    law = a_law(row)
    assert [doubt.key for doubt in law.interest[0].doubts()] == ["xx.interest", "xx.interest.day_count"]
    field = law.confirmed(["xx.interest.day_count"])
    assert [doubt.key for doubt in field.interest[0].doubts()] == ["xx.interest"]
    rule = law.confirmed(["xx.interest"])
    assert [doubt.key for doubt in rule.interest[0].doubts()] == ["xx.interest.day_count"]
    found = SERIES["de-base"].on(date(2016, 1, 1))
    assert found.doubt is not None and found.doubt.key == "de-base.2016-01-01"
    rates = law.confirmed([found.doubt.key]).series["de-base"]
    assert rates.on(date(2016, 1, 1)).doubt is None
    assert rates.rates[0].certainty is Certainty.CONFIRMED
