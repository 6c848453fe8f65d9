"""Imported rates stand in place of those of the file, in the days that they speak of and in no others."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.legal_fact import Certainty
from dunwell.domain.rate_import import Difference, RateImport, differences, with_imports
from dunwell.domain.rate_series import RateSeries, RateStep, UnknownRate

DAY = timedelta(days=1)
START = date(2026, 1, 1)


def a_series(*steps: str, until: str = "2026-06-30") -> RateSeries:
    """A series of steps like "2026-01-01 2.5" or, with its last day, "2026-01-01 2.5 2026-02-28"."""
    rates = []
    for step in steps:
        day, rate, *end = step.split()
        last = date.fromisoformat(end[0]) if end else None
        rates.append(RateStep(valid_from=date.fromisoformat(day), rate=Decimal(rate), until=last))
    return RateSeries(
        name="base",
        title="Base",
        publisher="Bank",
        source="https://bank.example",
        checked_on=date(2026, 11, 27),
        certainty=Certainty.MEMORY,
        known_until=date.fromisoformat(until),
        rates=tuple(rates),
    )


def an_import(*steps: str, last: str) -> RateImport:
    pairs = [step.split() for step in steps]
    return RateImport(
        series="base",
        last=date.fromisoformat(last),
        rates={date.fromisoformat(day): Decimal(rate) for day, rate in pairs},
        source="base.csv",
        by="ops",
        at=datetime(2026, 11, 28, tzinfo=UTC),
    )


def rate(series: RateSeries, day: date) -> str:
    """The rate of a day as text; "-" for a gap, with "?" when it is provisional."""
    try:
        found = series.on(day)
    except UnknownRate:
        return "-"
    return f"{found.rate}{'?' if found.provisional else ''}"


@pytest.mark.parametrize(
    ("series", "imported", "expected"),
    [
        pytest.param(
            a_series("2026-01-01 2"),
            an_import("2026-07-01 3", last="2026-12-31"),
            {"2026-06-30": "2", "2026-07-01": "3", "2026-12-31": "3", "2027-01-01": "3?"},
            id="what follows",
        ),
        pytest.param(
            a_series("2026-01-01 2"),
            an_import("2025-01-01 1", "2025-07-01 1.5", last="2025-12-31"),
            {"2024-12-31": "-", "2025-01-01": "1", "2025-12-31": "1.5", "2026-01-01": "2", "2026-07-01": "2?"},
            id="what came before",
        ),
        pytest.param(
            a_series("2026-01-01 2", "2026-05-01 3"),
            an_import("2026-02-01 9", last="2026-02-28"),
            {"2026-01-31": "2", "2026-02-01": "9", "2026-02-28": "9", "2026-03-01": "2", "2026-05-01": "3"},
            id="a correction in the middle of a rate",
        ),
        pytest.param(
            a_series("2026-01-01 2 2026-01-01", "2026-05-01 3"),
            an_import("2026-01-01 2", "2026-03-05 2.5", last="2026-04-30"),
            {"2026-01-02": "2", "2026-03-04": "2", "2026-03-05": "2.5", "2026-04-30": "2.5", "2026-05-01": "3"},
            id="a gap is filled",
        ),
        pytest.param(
            a_series("2026-01-01 2 2026-01-01", "2026-05-01 3"),
            an_import("2026-01-01 2", last="2026-01-31"),
            {"2026-01-31": "2", "2026-02-01": "-", "2026-04-30": "-", "2026-05-01": "3"},
            id="a gap is filled in part",
        ),
        pytest.param(
            a_series("2026-01-01 2"),
            an_import("2026-01-01 2", last="2026-09-16"),
            {"2026-07-01": "2", "2026-09-16": "2", "2026-09-17": "2?"},
            id="nothing changed for longer",
        ),
        pytest.param(
            a_series("2026-01-01 2"),
            an_import("2026-09-01 3", last="2026-12-31"),
            {"2026-06-30": "2", "2026-07-01": "-", "2026-08-31": "-", "2026-09-01": "3"},
            id="what lies between is not assumed",
        ),
        pytest.param(
            a_series("2026-01-01 2", "2026-03-01 4"),
            an_import("2026-01-01 2", last="2026-12-31"),
            {"2026-03-01": "2", "2026-12-31": "2"},
            id="a wrong rate of the file goes",
        ),
    ],
)
def test_imports(series: RateSeries, imported: RateImport, expected: dict[str, str]) -> None:
    found = with_imports(series, [imported])
    assert {day: rate(found, date.fromisoformat(day)) for day in expected} == expected


def test_the_later_import_counts() -> None:
    first, second = an_import("2026-02-01 9", last="2026-03-31"), an_import("2026-03-01 8", last="2026-03-31")
    found = with_imports(a_series("2026-01-01 2"), [first, second])
    assert [rate(found, date(2026, month, 28)) for month in (1, 2, 3, 4)] == ["2", "9", "8", "2"]


def test_imported_rates_are_confirmed_and_name_their_source() -> None:
    found = with_imports(a_series("2026-01-01 2"), [an_import("2026-02-01 9", last="2026-03-31")])
    assert found.on(date(2026, 2, 1)).doubt is None
    assert found.on(date(2026, 1, 1)).doubt is not None
    step = found.rates[1]
    assert (step.source, step.checked_on) == ("base.csv", date(2026, 11, 28))


def test_differences() -> None:
    before = a_series("2026-01-01 2", "2026-03-01 4")
    after = with_imports(before, [an_import("2026-03-01 5", "2026-08-01 6", last="2026-12-31")])
    assert differences(before, after) == [
        Difference(day=date(2026, 3, 1), before=Decimal(4), after=Decimal(5)),
        Difference(day=date(2026, 7, 1), before=None, after=Decimal(5)),
        Difference(day=date(2026, 8, 1), before=None, after=Decimal(6)),
    ]
    assert differences(before, before) == []


days = st.integers(0, 40).map(lambda number: START + number * DAY)


@st.composite
def series_and_import(draw: st.DrawFn) -> tuple[RateSeries, RateImport]:
    starts = sorted(draw(st.sets(days, min_size=1, max_size=5)))
    steps = []
    for number, day in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        ends = None
        if following is not None and following > day + DAY and draw(st.booleans()):
            ends = draw(st.dates(day, following - 2 * DAY))
        steps.append(RateStep(valid_from=day, rate=Decimal(number), until=ends))
    series = a_series("2026-01-01 0").model_copy(
        update={"rates": tuple(steps), "known_until": draw(st.dates(starts[-1], starts[-1] + 20 * DAY))}
    )
    rates = {
        day: Decimal(100 + number) for number, day in enumerate(sorted(draw(st.sets(days, min_size=1, max_size=4))))
    }
    last = draw(st.dates(max(rates), max(rates) + 20 * DAY))
    return series, an_import("2026-01-01 1", last="2026-01-01").model_copy(update={"rates": rates, "last": last})


@given(series_and_import())
def test_each_day_has_the_rate_of_the_import_or_of_the_series(drawn: tuple[RateSeries, RateImport]) -> None:
    series, imported = drawn
    found = with_imports(series, [imported])
    for number in range(-2, 70):
        day = START + number * DAY
        if imported.first <= day <= imported.last:
            expected = str(max((start, value) for start, value in imported.rates.items() if start <= day)[1])
        elif day > max(imported.last, series.known_until):
            expected = rate(found, day)
            assert expected.endswith("?")
        else:
            expected = rate(series, day)
            if expected.endswith(
                "?"
            ):  # the import speaks of later days only, so that nothing is assumed for this one
                expected = "-"
        assert rate(found, day) == expected, day
