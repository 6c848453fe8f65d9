"""How long a wait is, and how much of a time is open."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.calls import Wait
from tests.builders import at

BERLIN = BusinessCalendar(ZoneInfo("Europe/Berlin"), holidays={date(2027, 3, 29): "Easter Monday"})


@pytest.mark.parametrize(
    ("text", "moment", "after"),
    [
        pytest.param("3 hours", "2027-03-03 10:00", "2027-03-03 13:00", id="the same day"),
        pytest.param("3 hours", "2027-03-03 14:00", "2027-03-04 08:00", id="past closing: the next opening"),
        pytest.param("1 hour", "2027-03-05 15:30", "2027-03-08 08:00", id="over a weekend"),
        pytest.param("1 business day", "2027-03-03 10:00", "2027-03-04 10:00", id="the same hour"),
        # Friday 26 March, 11:00 in winter; the Tuesday after Easter, 11:00 in summer
        pytest.param("1 business day", "2027-03-26 10:00", "2027-03-30 09:00", id="over Easter and summer time"),
        pytest.param("2 business days", "2027-03-03 20:00", "2027-03-08 08:00", id="late in the evening"),
    ],
)
def test_when_a_wait_is_over(text: str, moment: str, after: str) -> None:
    wait = Wait.read(text)
    assert wait.after(at(moment), BERLIN) == at(after)
    assert str(wait) == text


@pytest.mark.parametrize("text", ["soon", "0 hours", "73 hours", "21 business days", "1 day", "-1 hours"])
def test_a_wait_that_makes_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not understood|is no sensible wait"):
        Wait.read(text)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param("2027-03-03 10:00", "2027-03-03 12:30", 2.5, id="inside the window"),
        pytest.param("2027-03-03 15:00", "2027-03-04 09:00", 2, id="an hour before closing, an hour after opening"),
        pytest.param("2027-03-05 15:00", "2027-03-08 07:00", 1, id="a weekend counts nothing"),
        pytest.param("2027-03-26 08:00", "2027-03-30 15:00", 16, id="nor does Easter Monday"),
        pytest.param("2027-03-03 12:00", "2027-03-03 10:00", 0, id="not yet"),
    ],
)
def test_how_much_of_a_time_is_open(start: str, end: str, hours: float) -> None:
    assert BERLIN.open_time(at(start), at(end)).total_seconds() == hours * 3600
