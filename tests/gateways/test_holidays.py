from datetime import date, datetime, time

import pytest

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.gateways import holidays
from dunwell.gateways.holidays import HolidayLibrary


def _forget_all() -> None:
    holidays._national.cache_clear()
    holidays._calendar.cache_clear()


def a_calendar(
    country: str = "DE",
    zone: str = "Europe/Berlin",
    window: tuple[str, str] = ("09:00", "17:00"),
    first: date = date(2026, 1, 1),
    last: date = date(2026, 12, 31),
) -> BusinessCalendar:
    return HolidayLibrary().calendar(country, zone, window, first, last)


@pytest.mark.parametrize(
    ("country", "day", "why"),
    [
        ("DE", date(2026, 5, 1), "Labor Day"),  # in English, though the local language is the default
        ("DE", date(2026, 1, 6), None),  # Epiphany: some states only
        ("DE", date(2026, 5, 2), "weekend"),
        ("US", date(2026, 7, 3), "Independence Day (observed)"),
        ("GB", date(2026, 12, 28), "Boxing Day (observed)"),
        ("BR", date(2026, 9, 7), "Independence Day"),
        ("ID", date(2026, 8, 17), "Independence Day"),
        ("AE", date(2026, 3, 6), None),  # Friday is worked since 2022
        ("SA", date(2026, 2, 6), "weekend"),  # Friday
        ("SA", date(2026, 2, 8), None),  # Sunday
        ("IL", date(2026, 2, 7), "weekend"),
        ("XK", date(2026, 2, 17), "Independence Day"),  # no ISO entry, but the library knows it
        ("de", date(2026, 5, 1), "Labor Day"),
    ],
)
def test_why_a_day_is_closed(country: str, day: date, why: str | None) -> None:
    assert a_calendar(country).why_closed(day) == why


def test_the_calendar_spans_years_and_stops_at_its_ends() -> None:
    calendar = a_calendar(first=date(2026, 12, 26), last=date(2027, 1, 1))
    assert set(calendar.holidays) == {date(2026, 12, 26), date(2027, 1, 1)}


def test_the_window_and_the_zone_are_the_callers() -> None:
    calendar = a_calendar(zone="America/Sao_Paulo", window=("08:30", "18:00"))
    assert (calendar.opens, calendar.closes) == (time(8, 30), time(18))
    assert calendar.at(date(2026, 3, 2), time(12)) == datetime.fromisoformat("2026-03-02T15:00:00+00:00")


def test_asked_twice_the_library_is_read_once() -> None:
    _forget_all()
    assert a_calendar() == a_calendar()
    assert holidays._national.cache_info().misses == 1


def test_a_country_unknown_to_the_library_has_a_common_weekend(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_all()
    holidays._weekend.cache_clear()
    monkeypatch.setattr(holidays, "_supported", lambda: frozenset({"US"}))
    calendar = a_calendar("SA", "Asia/Riyadh")
    _forget_all()
    holidays._weekend.cache_clear()
    assert calendar.holidays == {}
    assert calendar.weekend == {5, 6}


@pytest.mark.parametrize("country", ["", "ZZ", "DEU", "Germany", "D3", "../"])
def test_an_unknown_country_is_named(country: str) -> None:
    with pytest.raises(ValueError, match=r"unknown country .* ISO 3166") as caught:
        a_calendar(country)
    assert repr(country) in str(caught.value)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd", "UTC+25", "a\0b"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match=r"unknown time zone .* IANA") as caught:
        a_calendar(zone=zone)
    assert repr(zone) in str(caught.value)


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (("9", "17:00"), "is not two times"),
        (("09:00", "24:00"), "is not two times"),
        (("09:00", ""), "is not two times"),
        (("17:00", "09:00"), "closes before it opens"),
        (("09:00", "09:00"), "closes before it opens"),
    ],
)
def test_a_window_that_cannot_be(window: tuple[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        a_calendar(window=window)


def test_days_the_wrong_way_round() -> None:
    with pytest.raises(ValueError, match="2026-02-01 is after its last day 2026-01-01"):
        a_calendar(first=date(2026, 2, 1), last=date(2026, 1, 1))
