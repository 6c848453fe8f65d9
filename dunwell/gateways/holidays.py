"""National holidays and weekends from the `holidays` library, as the calendar the domain reads.

Public holidays of the whole country only: those of a region or of banks alone do not close a business day.
"""

import re
from collections.abc import Mapping
from datetime import date, time
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import pycountry

from dunwell.domain.business_calendar import BusinessCalendar

_CLOCK = re.compile(r"\d\d:\d\d")
_COMMON_WEEKEND = frozenset({5, 6})


class HolidayLibrary:
    """Business days by ISO 3166 country, e.g. "DE".

    A country with an ISO code that the library does not know has Saturday and Sunday off and no holidays.
    """

    def calendar(
        self, country: str, time_zone: str, window: tuple[str, str], first: date, last: date
    ) -> BusinessCalendar:
        """The calendar from `first` to `last`, both included; outside of it no holiday is known.

        window: local opening and closing time, "HH:MM". Raises ValueError naming the field and the value.
        """
        return _calendar(country, time_zone, window, first, last)


@lru_cache(maxsize=4096)
def _calendar(country: str, time_zone: str, window: tuple[str, str], first: date, last: date) -> BusinessCalendar:
    # Kept, because thousands of invoices of a day share one.
    if first > last:
        raise ValueError(f"the calendar's first day {first} is after its last day {last}: swap them")
    code = _country(country)
    opens, closes = _window(window)
    known = _national(code, first.year, last.year)
    return BusinessCalendar(
        zone=_zone(time_zone),
        holidays={day: name for day, name in known.items() if first <= day <= last},
        weekend=_weekend(code),
        opens=opens,
        closes=closes,
    )


@lru_cache(maxsize=256)
def _national(code: str, first_year: int, last_year: int) -> Mapping[date, str]:
    if code not in _supported():
        return {}
    years = range(first_year, last_year + 1)
    return dict(holidays.country_holidays(code, years=years, language=_english(code)))


@lru_cache(maxsize=256)
def _weekend(code: str) -> frozenset[int]:
    if code not in _supported():
        return _COMMON_WEEKEND
    return frozenset(holidays.country_holidays(code).weekend)


@lru_cache(maxsize=256)
def _english(code: str) -> str | None:
    """The library's English for this country, its own kind of English first; None is the local language."""
    country = holidays.country_holidays(code)
    spoken = [country.default_language or "", "en_US", *country.supported_languages]
    return next((x for x in spoken if x.startswith("en") and x in country.supported_languages), None)


@lru_cache(maxsize=1)
def _supported() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))


def _country(country: str) -> str:
    code = country.strip().upper()
    if len(code) == 2 and (code in _supported() or pycountry.countries.get(alpha_2=code) is not None):
        return code
    raise ValueError(f"unknown country {country!r}: give a two-letter ISO 3166 code such as DE, US or BR")


def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (LookupError, ValueError, OSError):
        # A folder of the zone data ("Europe") is an OSError, a path ("../x") a ValueError.
        raise ValueError(f"unknown time zone {time_zone!r}: give an IANA name such as Europe/Berlin") from None


def _window(window: tuple[str, str]) -> tuple[time, time]:
    try:
        opens, closes = (_clock(value) for value in window)
    except ValueError:
        raise ValueError(f"window {window!r} is not two times: write them as 09:00 and 17:00") from None
    if opens >= closes:
        raise ValueError(f"window {window!r} closes before it opens: swap the times")
    return opens, closes


def _clock(value: str) -> time:
    if _CLOCK.fullmatch(value) is None:
        raise ValueError(value)
    return time.fromisoformat(value)
