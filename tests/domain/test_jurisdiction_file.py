"""Files of jurisdictions and of rates: what is refused, and in which words."""

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.jurisdiction_file import LawError, parse_jurisdiction, parse_series
from dunwell.domain.rate_series import BaseRounding, RateSeries, UnknownRate
from dunwell.domain.terms import DebtorKind
from dunwell.intake.jurisdiction_files import FOLDER, read_jurisdictions, read_series

SERIES = read_series()
GERMANY = (FOLDER / "de.toml").read_text(encoding="utf-8")
BASE = (FOLDER / "rates" / "de-base.toml").read_text(encoding="utf-8")


def _faults(text: str, file: str = "jurisdictions/de.toml", series: Mapping[str, RateSeries] = SERIES) -> str:
    with pytest.raises(LawError) as raised:
        parse_jurisdiction(tomllib.loads(text), file, series)
    return str(raised.value)


def _series_faults(text: str, file: str = "jurisdictions/rates/de-base.toml") -> str:
    with pytest.raises(LawError) as raised:
        parse_series(tomllib.loads(text), file)
    return str(raised.value)


def test_every_file_of_the_folder_is_read() -> None:
    laws = read_jurisdictions()
    assert {law.code.lower() for law in laws.values()} == {path.stem for path in FOLDER.glob("*.toml")}
    assert laws["DE"].complete


def test_rows_have_keys_and_the_rule_of_a_day_is_found() -> None:
    law = read_jurisdictions()["DE"]
    rule = law.interest_rule(DebtorKind.CONSUMER, DebtorKind.BUSINESS, date(2026, 1, 1))
    assert rule is not None and rule.key == "de.interest.consumer.2014-07-29"
    assert rule.statutory is not None and rule.statutory.margin == 5
    assert law.interest_rule(DebtorKind.CONSUMER, DebtorKind.BUSINESS, date(2014, 7, 28)) is None
    assert law.interest_rule(DebtorKind.BUSINESS, DebtorKind.CONSUMER, date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # in the file; what it becomes; what is said
        ('margin = "9"', "margin = 9.5", "interest 1 (business, public): statutory: margin"),
        ('margin = "9"', 'margn = "9"', "interest 1 (business, public): statutory: margn is unknown: did you mean"),
        ('margin = "9"', 'margin = "nine"', "margin must be a number in quotes, such as \"8.15\", not 'nine'"),
        ('series = "de-base"', 'series = "de-bas"', "series 'de-bas' is no series: did you mean 'de-base'?"),
        ('day_count = "act/act"', 'day_count = "act/356"', "day_count 'act/356' is unknown: use 'act/act'"),
        ('starts = ["due"]', 'starts = ["invoice"]', "starts 1 'invoice' is not understood: write \"due\""),
        ("years = 3", "years = -3", "years must be at least 0, not -3"),
        ("years = 3", "", "limitation 1 (business, consumer, public): years is missing"),
        ('amount = "40"', 'amount = "40"\nbands = [{ amount = "40" }]', "lump_sum 1 (business, public) give either"),
        ('certainty = "confirmed"', "", "certainty is missing: write \"confirmed\""),
        ('source = "https', 'sources = "https', "sources is unknown: did you mean 'source'?"),
        ("complete = true", "", "must say either complete = true or missing ="),
        ("complete = true", 'complete = true\nmissing = ["the rates"]', "and not both"),
        ("complete = true", 'complete = true\ncode = "DE"', "code is worked out from the rest of the file"),
        ("years = 3", 'years = 3\nkey = "x"', "limitation 1: key is worked out from the rest of the row"),
        ("[[limitation]]", "[[limit]]", "limit is unknown: did you mean 'limitation'?"),
        ("valid_from = 2002-01-01", 'valid_from = "soon"', "valid_from must be a day without quotes, 2026-01-01"),
        (
            'at_most = "single_source"',
            'at_mist = "single_source"',
            "certainty_of names 'at_mist', which is no field of fee: did you mean 'at_most'?",
        ),
        (
            '"costs", "lump_sum", "interest", "principal"',
            '"costs", "interest", "principal"',
            "order must name each head once: principal, interest",
        ),
        (
            'customers = ["consumer"]',
            'customers = ["consumer", "business"]',
            "interest 2 (consumer, business): valid_from 2014-07-29 is the day of interest 1 too",
        ),
        ('customers = ["consumer"]', 'customers = ["buisness"]', "customers 1 'buisness' is unknown"),
    ],
)  # fmt: skip
def test_a_fault_of_a_law_is_named(old: str, new: str, said: str) -> None:
    assert old in GERMANY
    assert said in _faults(GERMANY.replace(old, new, 1))


def test_every_fault_is_named_at_once() -> None:
    lines = _faults(GERMANY.replace('margin = "9"', 'margin = "x"').replace("years = 3", 'years = "y"')).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("jurisdictions/de.toml: ") for line in lines)


def test_a_complete_law_has_rows_for_every_kind_of_customer() -> None:
    text = GERMANY.replace(
        'customers = ["consumer"]\nvalid_from = 2014-07-29\namount',
        'customers = ["public"]\nvalid_from = 2015-01-01\namount',
    )
    assert "lump_sum has no row for consumer customers" in _faults(text)


def test_the_file_is_called_as_the_country() -> None:
    assert "is called 'germany': call it as the country" in _faults(GERMANY, "jurisdictions/germany.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from = 2023-01-01", "from = 2016-01-01", "rates 3: from 2016-01-01 does not come after 2016-07-01"),
        ("from = 2023-07-01", "from = 2023-01-01", "rates 4: from 2023-01-01 does not come after 2023-01-01"),
        ('rate = "-0.88"', 'rate = "-0.88", until = 2023-06-30', "rates 3: from 2023-01-01 lies in the rate before"),
        ('rate = "-0.88"', 'rate = "-0.88", until = 2022-12-31', "rates 2: until 2022-12-31 is the day before"),
        ('rate = "-0.88"', 'rate = "-0.88", until = 2016-06-30', "rates 2: until 2016-06-30 lies before from ="),
        ('rate = "-0.88"', "rate = -0.88", "rates 2: rate -0.88 must be a number in quotes"),
        ('rate = "-0.88"', 'ratte = "-0.88"', "rates 2: ratte is unknown: did you mean 'rate'?"),
        ("from = 2016-07-01", "form = 2016-07-01", "rates 2: form is unknown: did you mean 'from'?"),
        ("from = 2016-07-01, ", "", "rates 2: from is missing"),
        ('rate = "1.52"', 'rate = "1.52", until = 2026-11-30', "known_until 2026-12-31 lies after the last rate"),
        ("known_until = 2026-12-31", "known_until = 2026-06-30", "known_until 2026-06-30 lies before the last rate"),
        ('name = "de-base"', 'name = "de"', "name 'de' differs from the file's name"),
        ("known_until = 2026-12-31", "", "known_until is missing: write the last day whose rate is known"),
        ('publisher = "Deutsche Bundesbank"', "", "publisher is missing"),
    ],
)
def test_a_fault_of_a_series_is_named(old: str, new: str, said: str) -> None:
    assert old in BASE
    assert said in _series_faults(BASE.replace(old, new, 1))


def test_the_rate_of_a_day() -> None:
    series = SERIES["de-base"]
    assert series.on(date(2022, 12, 31)).rate == Decimal("-0.88")
    assert series.on(date(2023, 1, 1)).rate == Decimal("1.62")
    assert series.on(date(2026, 12, 31)).provisional is False
    assert series.on(date(2027, 1, 1)).provisional is True
    with pytest.raises(UnknownRate, match="before 2016-01-01 are missing"):
        series.on(date(2015, 12, 31))


def test_a_gap_has_no_rate() -> None:
    text = BASE.replace('rate = "-0.88"', 'rate = "-0.88", until = 2022-06-30')
    series = parse_series(tomllib.loads(text), "de-base.toml")
    assert series.on(date(2022, 6, 30)).rate == Decimal("-0.88")
    with pytest.raises(UnknownRate, match="on 2022-07-01 is missing"):
        series.on(date(2022, 7, 1))


@pytest.mark.parametrize(
    ("rounding", "day", "rate"),
    [
        (BaseRounding.NONE, date(2024, 7, 1), "4.25"),
        (BaseRounding.UP_TO_HALF, date(2024, 7, 1), "4.5"),
        (BaseRounding.UP_TO_HALF, date(2025, 7, 1), "2.5"),
        (BaseRounding.UP_TO_HALF, date(2023, 7, 1), "4.0"),  # nothing to round
        (BaseRounding.MOVES_OF_HALF, date(2023, 5, 10), "3.50"),  # a move of a quarter
        (BaseRounding.MOVES_OF_HALF, date(2023, 6, 21), "4.00"),  # two of them
        (BaseRounding.MOVES_OF_HALF, date(2024, 7, 1), "4.50"),
        (BaseRounding.MOVES_OF_HALF, date(2025, 7, 1), "2.15"),
    ],
)
def test_how_a_law_rounds_the_base(rounding: BaseRounding, day: date, rate: str) -> None:
    assert SERIES["ecb-mro"].on(day, rounding).rate == Decimal(rate)


def test_no_two_rows_have_one_key() -> None:
    for law in read_jurisdictions().values():
        keys = [row.key for _, row in law.facts()]
        assert len(keys) == len(set(keys)), law.code
