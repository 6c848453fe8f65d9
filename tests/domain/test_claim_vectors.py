"""Claims whose result was published, or was worked out by hand: the numbers are those of the list they come from.

Where a published result rounds in another way, or is wrong, the test says so.
"""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.day_count import year_fraction
from dunwell.domain.interest_rule import DayCount
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind
from dunwell.intake.jurisdiction_files import read_jurisdictions
from tests.domain.claims import STATUTORY, WITH_LUMP_SUM, a_law, above, an_invoice, at, claimed, heads

UK_BANDS = [{"below": "1000", "amount": "40"}, {"below": "10000", "amount": "70"}, {"amount": "100"}]
NL_SCALE = [
    {"up_to": "2500", "percent": "15"},
    {"up_to": "5000", "amount": "375", "percent": "10"},
    {"up_to": "10000", "amount": "625", "percent": "5"},
    {"up_to": "200000", "amount": "875", "percent": "1"},
    {"amount": "2775", "percent": "0.5"},
]


@pytest.mark.parametrize(
    ("number", "amount", "rate", "days", "interest"),
    [
        (1, "1000", "8.5", 50, "11.64"),  # published: 11.50, because the daily amount, 0.23, is rounded first
        (2, "1000", "12", 30, "9.86"),
        (3, "5000", "12.25", 101, "169.49"),  # published: 169.68, the daily amount rounded first
        (4, "2000", "13.25", 45, "32.67"),  # published: 32.66, cut off
        (5, "1000", "10.52", 32, "9.22"),
        (7, "1000", "5.12", 25, "3.51"),
        (8, "20000", "8", 30, "131.51"),
        (9, "12400", "14", 44, "209.27"),
        (10, "15000", "15", 30, "184.93"),
        (11, "10000", "12.15", 61, "203.05"),  # all of May and June
        (11, "6000", "12.40", 64, "130.45"),  # published: 210.63, which is 10,000 for 62 days: wrong
    ],
)  # fmt: skip
def test_one_rate_over_365_days(number: int, amount: str, rate: str, days: int, interest: str) -> None:
    last = date.fromordinal(date(2025, 3, 31).toordinal() + days)
    claim = claimed(an_invoice(amount, "2025-03-31"), a_law(at(rate)), last.isoformat())
    assert (str(claim.interest), claim.periods[0].days) == (interest, days), number


@pytest.mark.parametrize(("number", "amount", "days", "sum_"), [(2, "1000", 30, "70"), (3, "5000", 101, "70")])
def test_the_british_fixed_sum(number: int, amount: str, days: int, sum_: str) -> None:
    law = a_law(at("12"), lump_sum=[{"bands": UK_BANDS}], currency="GBP")
    claim = claimed(an_invoice(amount, "2025-03-31", "GBP"), law, "2025-04-01", WITH_LUMP_SUM)
    assert claim.lump_sum == Decimal(sum_), number


@pytest.mark.parametrize(("count", "interest"), [("act/act", "6.83"), ("act/365", "6.85")])
def test_6_a_february_of_29_days(count: str, interest: str) -> None:
    claim = claimed(an_invoice("1000", "2024-01-31"), a_law(at("8.62", day_count=count)), "2024-02-29")
    assert str(claim.interest) == interest


def test_11_france_through_the_first_day_of_a_new_half_year() -> None:
    law = a_law(above("ecb-mro", "10", "on_first_day"))
    claim = claimed(an_invoice("10000", "05-01"), law, "07-01")
    assert str(claim.interest) == "203.12"  # published: 203.05, the last of the 61 days at the rate before
    assert [(period.days, str(period.rate)) for period in claim.periods] == [(60, "12.15"), (1, "12.40")]


def test_12_a_federal_payer_over_360_days() -> None:
    claim = claimed(an_invoice("1500", "03-01"), a_law(at("6.5", day_count="act/360")), "03-11")
    assert str(claim.interest) == "2.71"


def test_13_interest_that_is_added_to_the_debt_each_month() -> None:
    law = a_law(at("6", day_count="30/360", compounding="monthly"))
    claim = claimed(an_invoice("1500", "2026-03-31"), law, "2026-06-15")
    assert str(claim.interest) == "18.83"


def test_interest_that_is_added_to_the_debt_each_day() -> None:
    """New Zealand's Act gives 10,323.25 for these days (14); the deposit rates behind that could not be had.

    So this is no proof of that result: the rate here was chosen to come to it. It shows that interest compounds each
    day, as (1 + 4.2343 % / 366) to the power of 275, and that the same rate without compounding comes to less.
    """
    history = an_invoice("10000", "2012-03-15", "NZD", amounts=[{"on": date(2000, 1, 1), "amount": "10000"}])
    daily = at("4.2343", day_count="act/act", compounding="daily", valid_from=date(2000, 1, 1))
    claim = claimed(history, a_law(daily, currency="NZD"), "2012-12-15")
    assert str(claim.total) == "10323.25" == f"{10_000 * (1 + 0.042343 / 366) ** 275:.2f}"
    assert sum(period.days for period in claim.periods) == 275
    simple = at("4.2343", day_count="act/act", valid_from=date(2000, 1, 1))
    assert str(claimed(history, a_law(simple, currency="NZD"), "2012-12-15").total) == "10318.15"


def test_14_its_own_law_claims_nothing_without_those_rates() -> None:
    with pytest.raises(Refused, match="deposit rates"):
        claimed(an_invoice("10000", "2024-03-15", "NZD"), read_jurisdictions()["NZ"], "2024-12-15")


def test_15_a_fine_and_one_per_cent_a_month() -> None:
    fine = {"bands": [{"percent": "2"}], "currency": "BRL"}
    law = a_law(at("12", day_count="act/360"), lump_sum=[fine], currency="BRL")
    claim = claimed(an_invoice("100", "03-01", "BRL"), law, "03-06", WITH_LUMP_SUM)
    assert str(claim.total) == "102.17"  # published: 102.16, cut off
    assert heads(claim) == ("100.00", "0.17", "2.00", "0.00")


def test_16_germany_between_businesses() -> None:
    law = a_law(above("de-base", "9", day_count="act/act"))
    assert str(claimed(an_invoice("10000", "2024-10-31"), law, "2025-02-28").interest) == "388.34"


def test_17_a_german_consumer_over_three_years() -> None:
    law = a_law(above("de-base", "5", day_count="act/act"))
    claim = claimed(an_invoice("350", "2023-03-03"), law, "2026-08-15", customer=DebtorKind.CONSUMER)
    assert str(claim.interest) == "89.05"


def test_18_a_change_of_the_german_rate() -> None:
    law = a_law(above("de-base", "5", day_count="act/act"))
    claim = claimed(an_invoice("1000", "2024-06-14"), law, "2024-07-15")
    assert [(period.days, str(period.rate)) for period in claim.periods] == [(16, "8.62"), (15, "8.37")]
    assert str(claim.interest) == "7.20"


@pytest.mark.parametrize("lookup", ["before_half", "on_first_day"])
def test_19_spain_and_italy_across_a_half_year(lookup: str) -> None:
    claim = claimed(an_invoice("10000", "2025-04-30"), a_law(above("ecb-mro", "8", lookup)), "2025-09-30")
    assert [(period.days, str(period.rate)) for period in claim.periods] == [(61, "11.15"), (92, "10.15")]
    assert str(claim.interest) == "442.18"


def test_20_bulgaria_over_360_days() -> None:
    law = a_law(above("ecb-mro", "8", "on_first_day", day_count="act/360"))
    assert str(claimed(an_invoice("10000", "05-31"), law, "07-31").interest) == "174.14"


def test_21_a_british_rate_is_that_of_the_first_day() -> None:
    law = a_law(above("boe-bank-rate", "8", "before_half", fixed_at="first_day"), currency="GBP")
    claim = claimed(an_invoice("5000", "2025-12-15", "GBP"), law, "2026-03-31")
    assert [(period.days, str(period.rate)) for period in claim.periods] == [(106, "12.25")]
    assert str(claim.interest) == "177.88"


def test_22_three_months_in_india() -> None:
    law = a_law(at("16.5", day_count="months", compounding="monthly"), currency="INR")
    claim = claimed(an_invoice("100000", "2026-01-14", "INR"), law, "2026-04-14")
    assert str(claim.interest) == "4181.98"


@pytest.mark.parametrize(
    ("debt", "sum_"),
    [("100", "40"), ("1000", "150"), ("4000", "525"), ("12000", "895"), ("300000", "3275"), ("2000000", "6775")],
)
def test_23_the_dutch_scale(debt: str, sum_: str) -> None:
    law = a_law(at("4"), lump_sum=[{"bands": NL_SCALE, "minimum": "40", "maximum": "6775"}])
    claim = claimed(an_invoice(debt, "03-01"), law, "03-02", WITH_LUMP_SUM)
    assert claim.lump_sum == Decimal(sum_)


def test_a_contract_rate_stands_in_place_of_the_law() -> None:
    terms = ContractTerms(interest=InterestTerms.CONTRACT, contract_rate=Decimal("12"))
    claim = claimed(an_invoice("1000", "2025-03-31"), a_law(at("8")), "2025-04-30", terms)
    assert str(claim.interest) == "9.86"
    assert claim.periods[0].base is claim.periods[0].margin is None


@pytest.mark.parametrize("count", DayCount)
def test_a_span_that_is_cut_in_two_is_as_long_as_before(count: DayCount) -> None:
    first_day, last = date(2023, 10, 31), date(2025, 3, 17)
    whole = year_fraction(first_day, last, count, first_day)
    for ordinal in range(first_day.toordinal(), last.toordinal()):
        middle = date.fromordinal(ordinal)
        after = date.fromordinal(ordinal + 1)
        parts = year_fraction(first_day, middle, count, first_day) + year_fraction(after, last, count, first_day)
        assert parts == whole, middle


def test_nothing_beside_the_principal_needs_no_law() -> None:
    claim = claimed(an_invoice("1000", "2025-03-31"), None, "2026-03-31", ContractTerms())
    assert heads(claim) == ("1000.00", "0.00", "0.00", "0.00")
    assert claimed(an_invoice("1000", "2025-03-31"), a_law(at("8")), "2026-03-31", ContractTerms()).interest == 0
    assert claimed(an_invoice("1000", "2025-03-31"), a_law(at("8")), "2026-03-31", STATUTORY).interest == 80
