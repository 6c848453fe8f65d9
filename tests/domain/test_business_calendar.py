"""The business calendar: weekends, holidays, windows, and clocks that jump."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.business_calendar import BusinessCalendar, LegalHours

MADRID = ZoneInfo("Europe/Madrid")
SANTIAGO = ZoneInfo("America/Santiago")
APIA = ZoneInfo("Pacific/Apia")
CHRISTMAS = {
    date(2025, 12, 25): "Christmas Day",
    date(2025, 12, 26): "Boxing Day",
    date(2026, 1, 1): "New Year's Day",
}
FRIDAY_SATURDAY = frozenset({4, 5})


def calendar(zone: ZoneInfo = MADRID, weekend: frozenset[int] = frozenset({5, 6})) -> BusinessCalendar:
    return BusinessCalendar(zone=zone, holidays=CHRISTMAS, weekend=weekend)


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        pytest.param(date(2025, 12, 24), None, id="a Wednesday"),
        pytest.param(date(2025, 12, 25), "Christmas Day", id="a holiday by name"),
        pytest.param(date(2025, 12, 27), "weekend", id="a Saturday"),
    ],
)
def test_says_why_a_day_is_closed(day: date, reason: str | None) -> None:
    assert calendar().why_closed(day) == reason


@pytest.mark.parametrize(
    ("start", "count", "weekend", "expected"),
    [
        pytest.param(date(2025, 12, 24), 0, {5, 6}, date(2025, 12, 24), id="none"),
        pytest.param(date(2025, 12, 24), 1, {5, 6}, date(2025, 12, 29), id="over a run of holidays and a weekend"),
        pytest.param(date(2025, 12, 27), 1, {5, 6}, date(2025, 12, 29), id="from a Saturday"),
        pytest.param(date(2026, 1, 2), -3, {5, 6}, date(2025, 12, 29), id="backwards over New Year"),
        pytest.param(date(2026, 1, 8), 1, {4, 5}, date(2026, 1, 11), id="a Friday-Saturday weekend"),
        pytest.param(date(2026, 1, 11), -1, {4, 5}, date(2026, 1, 8), id="backwards over that weekend"),
    ],
)
def test_counts_business_days(start: date, count: int, weekend: set[int], expected: date) -> None:
    assert calendar(weekend=frozenset(weekend)).add_business_days(start, count) == expected


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        pytest.param(MADRID, date(2026, 3, 27), "2026-03-27T09:00", id="Madrid, the Friday before summer time"),
        pytest.param(MADRID, date(2026, 3, 30), "2026-03-30T08:00", id="Madrid, the Monday after"),
        pytest.param(MADRID, date(2026, 10, 26), "2026-10-26T09:00", id="Madrid, back in winter"),
        pytest.param(SANTIAGO, date(2026, 4, 3), "2026-04-03T13:00", id="Santiago, southern summer"),
        pytest.param(SANTIAGO, date(2026, 4, 6), "2026-04-06T14:00", id="Santiago, southern winter"),
        pytest.param(SANTIAGO, date(2026, 9, 7), "2026-09-07T13:00", id="Santiago, the Monday after the jump"),
    ],
)
def test_ten_o_clock_stays_ten_o_clock(zone: ZoneInfo, day: date, expected: str) -> None:
    placed = BusinessCalendar(zone=zone).place(day, time(10))
    assert placed == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert placed.tzinfo is UTC


def test_midnight_that_daylight_saving_skips_still_ends_the_day() -> None:
    # In Santiago 6 September 2026 begins at 01:00.
    assert BusinessCalendar(zone=SANTIAGO).end_of_day(date(2026, 9, 5)) == datetime(2026, 9, 6, 4, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_lands_on_an_open_one() -> None:
    # Samoa had no 30 December 2011; the 31st was a Saturday.
    samoa = BusinessCalendar(zone=APIA)
    placed = samoa.place(date(2011, 12, 30), time(10))
    assert samoa.local_date(placed) == date(2012, 1, 2)
    assert samoa.is_open(placed)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2026-01-05T10:30", "2026-01-05T10:30", id="open: now"),
        pytest.param("2026-01-05T07:00", "2026-01-05T09:00", id="before the window: its opening"),
        pytest.param("2026-01-05T17:00", "2026-01-06T09:00", id="the closing minute is closed"),
        pytest.param("2026-01-02T17:30", "2026-01-05T09:00", id="Friday evening: Monday"),
        pytest.param("2025-12-24T18:00", "2025-12-29T09:00", id="Christmas Eve: after the holidays"),
    ],
)
def test_finds_the_next_opening(moment: str, expected: str) -> None:
    found = calendar().next_open(datetime.fromisoformat(moment).replace(tzinfo=MADRID))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=MADRID)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        pytest.param(None, time(9), id="no time: the opening"),
        pytest.param(time(7), time(9), id="too early: the opening"),
        pytest.param(time(12, 15), time(12, 15), id="inside: as it is"),
        pytest.param(time(20), time(16, 59), id="too late: the last minute"),
    ],
)
def test_keeps_a_step_in_the_window(clock: time | None, expected: time) -> None:
    assert calendar().place(date(2026, 1, 5), clock).astimezone(MADRID).time() == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"opens": time(17), "closes": time(9)}, "never opens", id="a window upside down"),
        pytest.param({"weekend": frozenset(range(7))}, "business day", id="a week of weekends"),
    ],
)
def test_refuses_a_calendar_that_never_opens(arguments: dict[str, time], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        BusinessCalendar(zone=MADRID, **arguments)  # type: ignore[arg-type]


@given(
    zone=st.sampled_from([MADRID, SANTIAGO, APIA, ZoneInfo("Asia/Riyadh"), ZoneInfo("Asia/Kathmandu")]),
    weekend=st.sampled_from([frozenset({5, 6}), FRIDAY_SATURDAY, frozenset({6})]),
    moment=st.datetimes(datetime.fromisoformat("2010-01-01"), datetime.fromisoformat("2040-01-01")),
)
def test_the_next_opening_is_open_and_never_earlier(
    zone: ZoneInfo, weekend: frozenset[int], moment: datetime
) -> None:
    days = calendar(zone, weekend)
    asked = moment.replace(tzinfo=UTC)
    found = days.next_open(asked)
    assert days.is_open(found)
    assert asked <= found <= asked + timedelta(days=9)
    assert days.next_open(found) == found


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 40))
def test_counting_back_undoes_counting_on_from_a_business_day(day: date, count: int) -> None:
    days = calendar()
    start = days.next_business_day(day)
    assert days.add_business_days(days.add_business_days(start, count), -count) == start


# ---- hours of a law

LAW = LegalHours(
    {0: (time(10), time(20)), 1: (time(8), time(12)), 2: (time(8), time(22)), 4: (time(8), time(20))}, "Act 1"
)
"""From Monday to Wednesday and on Friday; nothing on Thursday."""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2026-01-05T09:30", "2026-01-05T10:00", id="Monday: the law opens later than the window"),
        pytest.param(
            "2026-01-06T12:00", "2026-01-07T09:00", id="Tuesday noon: the law closes, Wednesday by the window"
        ),
        pytest.param("2026-01-07T17:00", "2026-01-09T09:00", id="Wednesday evening: Thursday has no hours at all"),
    ],
)
def test_the_stricter_of_window_and_law_holds(moment: str, expected: str) -> None:
    bound = calendar().inside(LAW)
    found = bound.next_open(datetime.fromisoformat(moment).replace(tzinfo=MADRID))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=MADRID)
    assert bound.is_open(found)


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        pytest.param("2026-01-05T09:30", "outside the hours of Act 1", id="in the window, before the law's hours"),
        pytest.param("2026-01-05T08:00", "outside the contact window", id="before both"),
        pytest.param("2026-01-08T10:00", "no contact on this day of the week by Act 1", id="a day without hours"),
        pytest.param("2026-01-10T10:00", "weekend", id="a weekend"),
    ],
)
def test_says_which_rule_keeps_a_moment_closed(moment: str, reason: str) -> None:
    assert calendar().inside(LAW).why_outside(datetime.fromisoformat(moment).replace(tzinfo=MADRID)) == reason


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        pytest.param(date(2026, 1, 5), None, "2026-01-05T10:00", id="no time: the law's opening"),
        pytest.param(date(2026, 1, 6), time(16), "2026-01-06T11:59", id="too late for the law: its last minute"),
        pytest.param(date(2026, 1, 8), time(16), "2026-01-09T16:00", id="a day without hours: the next one"),
    ],
)
def test_places_a_step_in_the_hours_of_the_law(day: date, clock: time | None, expected: str) -> None:
    placed = calendar().inside(LAW).place(day, clock)
    assert placed == datetime.fromisoformat(expected).replace(tzinfo=MADRID)


def test_refuses_a_window_outside_the_hours_of_the_law() -> None:
    with pytest.raises(ValueError, match="lies outside the hours of Act 1"):
        BusinessCalendar(zone=MADRID, opens=time(20), closes=time(21)).inside(
            LegalHours(dict.fromkeys(range(7), (time(9), time(20))), "Act 1")
        )
