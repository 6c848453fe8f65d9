"""The files of jurisdictions/: each is read without a fault, names its sources, and gives the known rates.

The tables of rates below were copied from the publications by themselves, so that they prove the files.
"""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.claim_rates import ClaimRates
from dunwell.domain.jurisdiction import TABLES, rates_of
from dunwell.domain.legal_fact import Certainty
from dunwell.domain.rate_series import RateSeries, UnknownRate
from dunwell.domain.terms import DebtorKind
from dunwell.intake.currencies import current_codes
from dunwell.intake.jurisdiction_files import FOLDER, read_jurisdictions, read_series
from dunwell.intake.place_checks import country

LAWS, SERIES = read_jurisdictions(), read_series()
BUSINESS, CONSUMER, PUBLIC = DebtorKind.BUSINESS, DebtorKind.CONSUMER, DebtorKind.PUBLIC

COMPLETE = {
    "AT",
    "BE",
    "BG",
    "CH",
    "DE",
    "ES",
    "FI",
    "FR",
    "GB",
    "ID",
    "IE",
    "IT",
    "JP",
    "MX",
    "NL",
    "PL",
    "PT",
    "RU",
}
NOT_COMPLETE = {"AR", "AU", "BR", "CA", "CL", "CO", "DK", "IN", "NO", "NZ", "RO", "SE", "US", "ZA"}


def test_every_file_is_read_and_there_is_no_other() -> None:
    assert set(SERIES) == {path.stem for path in (FOLDER / "rates").iterdir()}
    assert {code.lower() for code in LAWS} == {path.stem for path in FOLDER.glob("*.toml")}
    assert {code for code, law in LAWS.items() if law.complete} == COMPLETE
    assert {code for code, law in LAWS.items() if not law.complete} == NOT_COMPLETE


def test_readme_counts_them() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert f"{len(LAWS)} are included, {len(COMPLETE)} of them complete" in readme


@pytest.mark.parametrize("code", sorted(LAWS))
def test_a_file_names_its_country_currency_and_sources(code: str) -> None:
    law = LAWS[code]
    assert country(code[:2]) == code[:2]
    assert law.currency in current_codes()
    for table, row in law.facts():
        assert row.source.strip(), table
        assert date(2016, 1, 1) <= row.checked_on, table
        for currency in (getattr(row, "currency", None), getattr(row, "debt_currency", None)):
            assert currency is None or currency in current_codes(), table
    assert all(sentence.strip() for sentence in law.missing)


@pytest.mark.parametrize("code", sorted(COMPLETE))
def test_a_complete_law_answers_today_for_every_kind_of_customer(code: str) -> None:
    law, today = LAWS[code], date(2026, 11, 27)
    for kind in DebtorKind:
        assert law.interest_rule(kind, BUSINESS, today) is not None
        assert law.lump_sum_rule(kind, BUSINESS, today) is not None
        assert law.allocation_rule(kind, BUSINESS, today) is not None
    assert law.lump_sum_rule(CONSUMER, BUSINESS, today).amount == 0  # type: ignore[union-attr]


def test_every_series_is_used_or_says_for_whom_it_is() -> None:
    used = {rate.series for law in LAWS.values() for rule in law.interest for rate in rates_of(rule)}
    assert set(SERIES) - used == {"fr-legal-rate-private"}  # of creditors who are private persons


@pytest.mark.parametrize("name", sorted(SERIES))
def test_a_series_is_plausible(name: str) -> None:
    series = SERIES[name]
    assert all(Decimal(-1) < step.rate < Decimal(25) for step in series.rates)
    assert series.rates[-1].valid_from <= series.known_until <= date(2026, 12, 31)
    assert series.publisher
    assert series.source


# Rates by half-year --------------------------------------------------------------------------------------


def total(code: str, kind: DebtorKind, day: date) -> Decimal:
    """The statutory rate of a default that begins on `day`."""
    terms = ContractTerms(interest=InterestTerms.STATUTORY)
    applied = ClaimRates(LAWS[code], (kind, BUSINESS), terms, day, day).on(day)
    assert applied is not None, f"{code}: no rate for {kind} on {day}"
    assert applied.assumed is None
    return applied.rate


def _halves(text: str) -> list[date]:
    """The first days of "2023H1" or of "2016H2-2022H2"."""
    first, _, last = text.partition("-")
    days = [date(int(half[:4]), 1 if half.endswith("H1") else 7, 1) for half in (first, last or first)]
    return [
        day
        for year in range(days[0].year, days[1].year + 1)
        for day in (date(year, 1, 1), date(year, 7, 1))
        if days[0] <= day <= days[1]
    ]


EURO = """
2016H1         0.05  8.05 10.05 -0.83  8.17 4.17  8.5  9.08
2016H2-2022H2  0.00  8.00 10.00 -0.88  8.12 4.12  8    8.58
2023H1         2.50 10.50 12.50  1.62 10.62 6.62 10.5 11.08
2023H2         4.00 12.00 14.00  3.12 12.12 8.12 12   12.58
2024H1         4.50 12.50 14.50  3.62 12.62 8.62 12.5 13.08
2024H2         4.25 12.25 14.25  3.37 12.37 8.37 12.5 13.08
2025H1         3.15 11.15 13.15  2.27 11.27 7.27 11.5 11.73
2025H2-2026H1  2.15 10.15 12.15  1.27 10.27 6.27 10.5 10.73
2026H2         2.40 10.40 12.40  1.52 10.52 6.52 10.5 10.73
"""
# half-year    ECB   +8    FR     DE    DE business, consumer, BE, AT

OTHERS = """
PL business 2022H1 11.75
PL business 2022H2 16
PL business 2023H1-2023H2 16.75
PL business 2024H1-2025H1 15.75
PL business 2025H2 15.25
PL business 2026H1 14
PL business 2026H2 13.75
FI business 2026H1-2026H2 10.5
FI consumer 2026H1-2026H2 9.5
BG business 2026H1 10.15
BG consumer 2026H2 10.40
GB business 2026H1-2026H2 11.75
GB business 2025H2 12.25
GB business 2024H1 13.25
GB business 2016H2 8.5
CH consumer 2016H1-2026H2 5
NO business 2016H2 8.5
NO business 2019H1 8.75
NO consumer 2019H2 9.25
NO business 2020H1 9.50
NO business 2020H2 8
NO business 2022H1 8.50
NO business 2022H2 9.25
NO business 2023H1 10.75
NO business 2023H2 11.75
NO business 2024H1 12.50
NO business 2026H1 12.00
NO business 2026H2 12.25
SE business 2016H1 8
SE consumer 2016H2-2019H1 7.5
SE business 2019H2-2022H1 8
SE business 2022H2 8.5
SE business 2023H1 10.5
SE business 2023H2 11.5
SE business 2024H1 12
SE consumer 2026H1 10
DK business 2026H2 10.00
FR consumer 2016H1 1.01
FR consumer 2016H2 0.93
FR consumer 2018H1 0.89
FR consumer 2021H1 0.79
FR consumer 2021H2-2022H1 0.76
FR consumer 2022H2 0.77
FR consumer 2023H1 2.06
FR consumer 2023H2 4.22
FR consumer 2024H1 5.07
FR consumer 2024H2 4.92
FR consumer 2025H1 3.71
FR consumer 2025H2 2.76
FR consumer 2026H1 2.62
BE consumer 2016H1-2016H2 2.25
BE consumer 2017H1-2019H2 2
BE consumer 2020H1-2021H2 1.75
BE consumer 2022H1-2022H2 1.5
BE consumer 2023H1-2023H2 5.25
BE consumer 2024H1-2024H2 5.75
BE consumer 2025H1-2026H2 4.5
AT consumer 2026H2 4
NL consumer 2024H1 7
NL consumer 2025H2 6
NL consumer 2026H1 4
IT consumer 2024H1 2.5
IT consumer 2025H1 2.0
IT consumer 2026H2 1.6
ES consumer 2026H1 3.25
PT consumer 2026H1 4
JP business 2026H2 3
MX business 2026H2 6
MX consumer 2026H2 9
"""


@pytest.mark.parametrize("line", EURO.strip().splitlines())
def test_rates_of_the_euro(line: str) -> None:
    halves, *cells = line.split()
    ecb, plus_8, fr, de_base, de_business, de_consumer, be, at = map(Decimal, cells)
    for day in _halves(halves):
        assert SERIES["ecb-mro"].on(day).rate == ecb
        assert SERIES["de-base"].on(day).rate == de_base
        expected = dict.fromkeys(("ES", "IT", "PT", "IE", "NL"), plus_8) | {"FR": fr, "BE": be, "AT": at}
        assert {code: total(code, BUSINESS, day) for code in expected} == expected
        assert {code: total(code, PUBLIC, day) for code in expected} == expected
        assert (total("DE", BUSINESS, day), total("DE", CONSUMER, day)) == (de_business, de_consumer)


@pytest.mark.parametrize("line", OTHERS.strip().splitlines())
def test_rates_of_others(line: str) -> None:
    code, kind, halves, rate = line.split()
    for day in _halves(halves):
        assert total(code, DebtorKind(kind), day) == Decimal(rate), day


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        ("2018-12-17", "7.75"),
        ("2020-07-26", "4.5"),
        ("2020-07-27", "4.25"),
        ("2022-03-31", "20"),
        # The moratorium: no interest.
        ("2022-04-01", "0"),
        ("2022-10-01", "0"),
        ("2022-10-02", "7.5"),
        ("2024-10-28", "21"),
        ("2026-07-27", "14"),
    ],
)
def test_rates_of_russia_move_by_the_day(day: str, rate: str) -> None:
    assert total("RU", BUSINESS, date.fromisoformat(day)) == Decimal(rate)


@pytest.mark.parametrize(
    ("day", "rate"),
    [("2025-07-02", "10.75"), ("2025-07-03", "10.50"), ("2025-09-04", "10.25"), ("2026-03-05", "9.25")],
)
def test_consumer_rates_of_poland_move_by_the_day(day: str, rate: str) -> None:
    assert total("PL", CONSUMER, date.fromisoformat(day)) == Decimal(rate)
    # A contract may give twice as much and no more.
    for agreed in (2 * Decimal(rate), 2 * Decimal(rate) + 1):
        terms = ContractTerms(interest=InterestTerms.CONTRACT, contract_rate=agreed)
        first = date.fromisoformat(day)
        applied = ClaimRates(LAWS["PL"], (CONSUMER, BUSINESS), terms, first, first).on(first)
        assert applied is not None
        assert applied.rate == 2 * Decimal(rate)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("norges-bank", "2017-01-01"),
        ("norges-bank", "2021-07-01"),
        ("norges-bank", "2025-01-01"),
        ("se-reference", "2025-07-01"),
        ("fr-legal-rate-professional", "2017-01-01"),
        ("fr-legal-rate-professional", "2018-07-01"),
        ("fr-legal-rate-professional", "2020-07-01"),
        ("nbp-reference", "2024-03-01"),
        ("nbp-reference", "2025-10-10"),
        ("nbp-reference", "2021-12-31"),
        ("cbr-key-rate", "2018-12-16"),
        ("dk-lending-rate", "2026-06-30"),
    ],
)
def test_what_is_not_known_is_not_assumed(name: str, day: str) -> None:
    with pytest.raises(UnknownRate):
        SERIES[name].on(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("ecb-mro", "2026-10-01"),
        ("boe-bank-rate", "2026-09-28"),
        ("de-base", "2026-12-31"),
        ("se-reference", "2026-06-30"),
        ("fr-legal-rate-professional", "2026-06-30"),
    ],
)
def test_what_comes_after_the_last_known_day_is_provisional(name: str, last: str) -> None:
    day = date.fromisoformat(last)
    assert not SERIES[name].on(day).provisional
    assert SERIES[name].on(day + timedelta(days=1)).provisional


# Certainty -----------------------------------------------------------------------------------------------


def _certainty(series: RateSeries, day: str) -> Certainty:
    step = next(step for step in series.rates if step.valid_from == date.fromisoformat(day))
    return step.certainty or series.certainty


@pytest.mark.parametrize(
    ("name", "day", "certainty"),
    [
        ("de-base", "2016-01-01", "memory"),
        ("de-base", "2016-07-01", "confirmed"),
        ("at-base", "2016-01-01", "single_source"),
        ("at-base", "2023-07-01", "computed"),
        ("norges-bank", "2026-07-01", "single_source"),
        ("it-legal-rate", "2026-01-01", "memory"),
        ("nl-legal-rate", "2024-01-01", "confirmed"),
        ("dk-lending-rate", "2026-07-01", "memory"),
    ],
)
def test_certainty_of_rates(name: str, day: str, certainty: str) -> None:
    assert _certainty(SERIES[name], day) is Certainty(certainty)


@pytest.mark.parametrize(
    ("code", "table", "kind", "field", "certainty"),
    [
        ("DE", "interest", BUSINESS, None, "confirmed"),
        ("DE", "fee", BUSINESS, "at_most", "single_source"),
        ("FR", "lump_sum", BUSINESS, None, "confirmed"),
        ("ES", "interest", BUSINESS, "day_count", "memory"),
        ("ES", "interest", CONSUMER, None, "memory"),
        ("NL", "interest", BUSINESS, "compounding", "single_source"),
        ("BE", "lump_sum", BUSINESS, None, "memory"),
        ("AT", "lump_sum", BUSINESS, None, "memory"),
        ("PT", "lump_sum", BUSINESS, None, "confirmed"),
        ("IE", "lump_sum", BUSINESS, None, "single_source"),
        ("IE", "limitation", BUSINESS, None, "confirmed"),
        ("PL", "lump_sum", BUSINESS, None, "confirmed"),
        ("PL", "limitation", BUSINESS, None, "single_source"),
        ("BG", "interest", BUSINESS, "day_count", "single_source"),
        ("FI", "lump_sum", BUSINESS, None, "computed"),
        ("GB", "interest", BUSINESS, None, "confirmed"),
        ("GB", "lump_sum", BUSINESS, None, "confirmed"),
        ("CH", "interest", CONSUMER, None, "confirmed"),
        ("RU", "interest", BUSINESS, "day_count", "single_source"),
    ],
)
def test_certainty_of_rules(code: str, table: str, kind: DebtorKind, field: str | None, certainty: str) -> None:
    assert table in TABLES
    rule = getattr(LAWS[code], f"{table}_rule")(kind, BUSINESS, date(2026, 11, 27))
    assert (rule.certainty_of[field] if field else rule.certainty) is Certainty(certainty)


# Sums and limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "debt", "amount"),
    [
        ("DE", BUSINESS, "1", "40"),
        ("FR", PUBLIC, "100000", "40"),
        ("IE", BUSINESS, "1000", "40"),
        ("IE", BUSINESS, "1000.01", "70"),
        ("IE", BUSINESS, "10000", "70"),
        ("IE", BUSINESS, "10000.01", "100"),
        ("GB", BUSINESS, "999.99", "40"),
        ("GB", BUSINESS, "1000", "70"),
        ("GB", BUSINESS, "10000", "100"),
        ("PL", BUSINESS, "5000", "40"),
        ("PL", BUSINESS, "5000.01", "70"),
        ("PL", BUSINESS, "49999.99", "70"),
        ("PL", BUSINESS, "50000", "100"),
        ("NL", BUSINESS, "4000", "40"),
        ("NO", BUSINESS, "1", "460"),
        ("CH", BUSINESS, "1", "0"),
        ("DE", CONSUMER, "1", "0"),
    ],
)
def test_lump_sums(code: str, kind: DebtorKind, debt: str, amount: str) -> None:
    rule = LAWS[code].lump_sum_rule(kind, BUSINESS, date(2026, 11, 27))
    assert rule is not None
    assert rule.of(Decimal(debt)) == Decimal(amount)


@pytest.mark.parametrize(
    ("debt", "amount"),
    [("100", "40"), ("1000", "150"), ("4000", "525"), ("12000", "895"), ("300000", "3275"), ("2000000", "6775")],
)
def test_the_dutch_scale(debt: str, amount: str) -> None:
    for kind in DebtorKind:
        (rule,) = [row for row in LAWS["NL"].lump_sum if row.once_asked and kind in row.customers]
        assert rule.of(Decimal(debt)) == Decimal(amount)


def test_contact_limits_of_consumers() -> None:
    found = {code: law.contact_rule(CONSUMER, BUSINESS, date(2026, 11, 27)) for code, law in LAWS.items()}
    assert {code for code, rule in found.items() if rule} == {
        "BR",
        "CL",
        "DK",
        "GB",
        "ID",
        "IT",
        "MX",
        "NO",
        "RU",
        "US",
    }
    limits = {
        code: {(form.value, limit.at_most, limit.days) for limit in rule.limits for form in limit.forms}
        for code, rule in found.items()
        if rule and rule.limits
    }
    assert limits == {
        "CL": {("calls", 1, 7), ("visits", 1, 7), ("messages", 2, 7), ("letters", 2, 7)},
        "IT": {("talks", 1, 1), ("talks", 3, 7)},
        "US": {("calls", 7, 7)},
        "RU": {("visits", 1, 7), ("calls", 1, 1), ("calls", 2, 7), ("calls", 8, 31)}
        | {("messages", 2, 1), ("messages", 4, 7), ("messages", 16, 31)},
    }
    hours = {
        code: {(day.value, f"{row.opens:%H}-{row.closes:%H}") for row in rule.hours for day in row.days}
        for code, rule in found.items()
        if rule and rule.hours
    }
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday")
    assert hours == {
        "CL": {(day, "08-20") for day in (*weekdays, "saturday")},
        "ID": {(day, "08-20") for day in (*weekdays, "saturday")},
        "MX": {(day, "07-22") for day in weekdays},
        "RU": {(day, "08-22") for day in weekdays} | {("saturday", "09-20"), ("sunday", "09-20")},
        "US": {(day, "08-21") for day in (*weekdays, "saturday", "sunday")},
    }
    assert {code for code, rule in found.items() if rule and not rule.holidays} == {"ID", "MX"}
    assert not any(rule.third_parties for rule in found.values() if rule)
