"""Days and months of figures. A day of figures is a day in UTC, the same for every customer."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Self

EARLIEST = date(2000, 1, 1)
_SMALLEST = timedelta(microseconds=1)
_DAY = len("2027-03-31")


class AsOf(NamedTuple):
    """The instant for which figures are computed, and its day."""

    moment: datetime
    day: date

    @classmethod
    def end_of(cls, day: date) -> Self:
        """The last instant of a day."""
        return cls(datetime.combine(day, time(0), tzinfo=UTC) + timedelta(days=1) - _SMALLEST, day)

    @classmethod
    def at(cls, moment: datetime) -> Self:
        moment = moment.astimezone(UTC)
        return cls(moment, moment.date())

    @classmethod
    def read(cls, text: str, now: datetime) -> Self:
        """Read a day, which stands for its end, or a time. Raises ValueError, saying what is wrong with it."""
        try:
            moment = None if len(text) <= _DAY else _moment(text)
            day = date.fromisoformat(text) if moment is None else moment.date()
        except (ValueError, OverflowError):
            raise ValueError(
                f"{text[:40]!r} is neither a day nor a time: write 2027-03-31 or 2027-03-31T12:00Z"
            ) from None
        if day < EARLIEST:
            raise ValueError(f"{day} is too early: no figures are known before {EARLIEST}")
        if day > now.astimezone(UTC).date() or (moment is not None and moment > now):
            raise ValueError(f"{text} lies ahead: figures are of today or earlier")
        return cls.end_of(day) if moment is None else cls.at(moment)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


class Period(NamedTuple):
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def opening(self) -> AsOf:
        """The last instant before it."""
        return AsOf.end_of(self.first - timedelta(days=1))

    def since(self, day: date) -> "Period":
        """The part of it that begins on `day` at the earliest, and is a day long at least."""
        return Period(min(max(self.first, day), self.last), self.last)

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last


def month_end(last: date, back: int) -> date:
    """Return the day on which the month ends that lies `back` months before the one that ends on `last`.

    Months end on the same day of the month as `last`, or on their own last day where they are shorter. They are
    calendar months when `last` is the last day of one.
    """
    count = last.year * 12 + last.month - 1 - back
    year, month = count // 12, count % 12 + 1
    length = calendar.monthrange(year, month)[1]
    is_last = last.day == calendar.monthrange(last.year, last.month)[1]
    return date(year, month, length if is_last else min(last.day, length))


def month(last: date, back: int) -> Period:
    """Return the month that lies `back` months before the one that ends on `last`."""
    return Period(month_end(last, back + 1) + timedelta(days=1), month_end(last, back))


def months(last: date, count: int) -> Period:
    """Return the last `count` months together."""
    return Period(month_end(last, count) + timedelta(days=1), last)
