"""The moment that stands for a day of which no hour is known."""

from datetime import UTC, date, datetime, time


def noon(day: date) -> datetime:
    """Return noon of the day in UTC, which is the same day nearly everywhere."""
    return datetime.combine(day, time(12), UTC)
