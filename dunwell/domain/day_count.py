"""What part of a year a span of days is, by the day count that a law or contract uses; exact, and additive.

A span that is cut in two has the same part of a year as its pieces together, under every day count.
"""

import calendar
from datetime import date, timedelta
from fractions import Fraction

from dunwell.domain.interest_rule import Compounding, DayCount

_ONE_DAY = timedelta(days=1)


def year_fraction(first: date, last: date, count: DayCount, first_day: date) -> Fraction:
    """Return the part of a year from `first` through `last`; both days are counted.

    first_day: of default, from which months are counted.
    """
    days = (last - first).days + 1
    match count:
        case DayCount.ACT_365:
            return Fraction(days, 365)
        case DayCount.ACT_360:
            return Fraction(days, 360)
        case DayCount.ACT_ACT:
            return _by_calendar_years(first, last)
        case DayCount.THIRTY_360:
            return Fraction(_thirty_day_months(last) - _thirty_day_months(first - _ONE_DAY), 360)
        case DayCount.MONTHS:
            return _by_months(first, last, first_day)


def _by_calendar_years(first: date, last: date) -> Fraction:
    part = Fraction(0)
    for year in range(first.year, last.year + 1):
        begin, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
        part += Fraction((end - begin).days + 1, 366 if calendar.isleap(year) else 365)
    return part


def _thirty_day_months(day: date) -> int:
    """The days up to `day` in a calendar whose months have thirty days; a 31st is a 30th."""
    return 360 * day.year + 30 * day.month + min(day.day, 30)


def _by_months(first: date, last: date, first_day: date) -> Fraction:
    part, number = Fraction(0), _months_begun(first, first_day)
    while (begin := months_after(first_day, number)) <= last:
        end = months_after(first_day, number + 1) - _ONE_DAY
        days = (min(last, end) - max(first, begin)).days + 1
        part += Fraction(days, 12 * ((end - begin).days + 1))
        number += 1
    return part


def _months_begun(day: date, first_day: date) -> int:
    """The number of the month, counted from zero at `first_day`, in which `day` lies."""
    number = (day.year - first_day.year) * 12 + day.month - first_day.month
    return number if months_after(first_day, number) <= day else number - 1


def months_after(day: date, months: int) -> date:
    """Return the day so many months later; in a month without that day, the first of the month after it."""
    year, month = day.year + (day.month - 1 + months) // 12, (day.month - 1 + months) % 12 + 1
    if day.day <= calendar.monthrange(year, month)[1]:
        return date(year, month, day.day)
    return date(year + month // 12, month % 12 + 1, 1)


_MONTHS = {Compounding.YEARLY: 12, Compounding.MONTHLY: 1}


def capitalisation_days(compounding: Compounding, first_day: date, after: date, through: date) -> list[date]:
    """Return the days in (after, through] at whose beginning open interest begins to bear interest."""
    if compounding is Compounding.NONE:
        return []
    if compounding is Compounding.DAILY:
        first = max(after, first_day)
        return [first + timedelta(days=number) for number in range(1, (through - first).days + 1)]
    days, step = [], _MONTHS[compounding]
    number = step
    while (day := months_after(first_day, number)) <= through:
        if day > after:
            days.append(day)
        number += step
    return days
