"""Which day's base rate counts, and until when a law's rate is known by it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.interest_rule import Lookup
from dunwell.domain.known_rates import NeededRate, known_through, needed_rates
from dunwell.intake.jurisdiction_files import read_jurisdictions

LAWS = read_jurisdictions()


@pytest.mark.parametrize(
    ("lookup", "known_until", "last"),
    [
        ("daily", "2026-10-01", "2026-10-01"),
        ("monthly", "2026-10-01", "2026-10-31"),
        ("monthly", "2026-12-31", "2026-12-31"),
        ("yearly", "2026-01-01", "2026-12-31"),
        ("on_first_day", "2026-07-01", "2026-12-31"),
        ("on_first_day", "2026-10-01", "2026-12-31"),
        ("on_first_day", "2026-06-30", "2026-06-30"),
        # The base of 31 December is known only on that day; it then counts for the half-year that follows.
        ("before_half", "2026-12-30", "2026-12-31"),
        ("before_half", "2026-12-31", "2027-06-30"),
        ("before_half", "2026-06-29", "2026-06-30"),
    ],
)
def test_last_day(lookup: str, known_until: str, last: str) -> None:
    assert Lookup(lookup).last_day(date.fromisoformat(known_until)) == date.fromisoformat(last)


@given(st.sampled_from(Lookup), st.dates(date(2016, 1, 1), date(2040, 12, 31)))
def test_the_last_day_is_the_last_whose_base_is_known(lookup: Lookup, known_until: date) -> None:
    last = lookup.last_day(known_until)
    assert lookup.day_of_base(last) <= known_until < lookup.day_of_base(last + timedelta(days=1))


@pytest.mark.parametrize(
    ("code", "today", "stale"),
    [
        ("DE", "2026-12-31", set()),
        ("DE", "2027-01-01", {"de-base"}),
        # The ECB's rate is known until October, and counts for the half-year that began before.
        ("ES", "2026-12-31", set()),
        ("ES", "2027-01-01", {"ecb-mro", "es-legal-rate"}),
        ("GB", "2026-12-31", set()),
        ("GB", "2027-01-01", {"boe-bank-rate"}),
        ("RU", "2026-10-01", set()),
        ("RU", "2026-10-02", {"cbr-key-rate"}),
        ("RU", "2022-05-01", set()),  # the moratorium needs no rate
        ("FR", "2026-07-01", {"fr-legal-rate-professional"}),
        ("CH", "2040-01-01", set()),
        # In a gap the rate of the day is not known, though later ones are.
        ("NO", "2025-01-01", {"norges-bank"}),
        ("NO", "2026-01-01", set()),
    ],
)
def test_what_is_stale(code: str, today: str, stale: set[str]) -> None:
    day = date.fromisoformat(today)
    assert {needed.series for needed in needed_rates(LAWS[code], day) if needed.is_stale(day)} == stale


def test_a_series_that_two_rules_need_is_known_as_the_first_to_run_out_needs_it() -> None:
    # In Poland businesses take the rate of 1 July, consumers that of the day.
    (needed,) = needed_rates(LAWS["PL"], date(2026, 9, 1))
    assert needed == NeededRate(series="nbp-reference", known_through=date(2026, 10, 1))
    assert known_through(LAWS["PL"], date(2026, 9, 1)) == date(2026, 10, 1)
    assert known_through(LAWS["CH"], date(2026, 9, 1)) is None
