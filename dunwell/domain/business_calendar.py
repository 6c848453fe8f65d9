"""Business days, send windows and daylight saving, in the debtor's own time zone.

Pure: holidays and weekends come in as data, because the library that knows them changes. Never called from
workflow code, so a new release of the zone or holiday data cannot break a replay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_ONE_DAY = timedelta(days=1)

Hours = tuple[time, time]
"""Local opening and closing time; the closing time is excluded."""


@dataclass(frozen=True)
class LegalHours:
    """The hours in which a law allows contact: weekday number (Monday is 0) -> hours; a day without any is closed."""

    by_weekday: Mapping[int, Hours]
    law: str


@dataclass(frozen=True)
class BusinessCalendar:
    """When people of one country may be contacted: in the window, and in the legal hours where a law names some.

    holidays: date -> name. weekend: weekday numbers, Monday is 0. opens, closes: the window in local time.
    """

    zone: ZoneInfo
    holidays: Mapping[date, str] = field(default_factory=dict)
    weekend: frozenset[int] = frozenset({5, 6})
    opens: time = time(9)
    closes: time = time(17)
    legal: LegalHours | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a calendar that never opens: looking for its next opening would not end."""
        if self.opens >= self.closes:
            raise ValueError(f"the window {self.opens:%H:%M}-{self.closes:%H:%M} never opens: put the earlier first")
        if self.weekend >= frozenset(range(7)):
            raise ValueError("every day is a weekend day: leave one business day at least")
        if all(self._hours_of(weekday) is None for weekday in set(range(7)) - self.weekend):
            law = self.legal.law if self.legal else ""
            raise ValueError(f"the window {self.opens:%H:%M}-{self.closes:%H:%M} lies outside the hours of {law}")

    def inside(self, legal: LegalHours, window: Hours | None = None) -> "BusinessCalendar":
        """The same calendar within these hours. Raises ValueError when nothing of the window is left."""
        opens, closes = window or (self.opens, self.closes)
        return replace(self, legal=legal, opens=opens, closes=closes)

    def why_closed(self, day: date) -> str | None:
        """The holiday's name, "weekend" or the law when `day` is no business day, else None."""
        if day in self.holidays:
            return self.holidays[day]
        if day.weekday() in self.weekend:
            return "weekend"
        closed_by = self.legal.law if self.legal and self.hours(day) is None else None
        return f"no contact on this day of the week by {closed_by}" if closed_by else None

    def why_outside(self, moment: datetime) -> str:
        """Why no contact may be made at `moment`, which is not open."""
        day = self.local_date(moment)
        if closed := self.why_closed(day):
            return closed
        inside = self.opens <= moment.astimezone(self.zone).time() < self.closes
        return f"outside the hours of {self.legal.law}" if inside and self.legal else "outside the contact window"

    def hours(self, day: date) -> Hours | None:
        """When contact may be made on `day`, by window and law; None when the law leaves nothing of the window."""
        return self._hours_of(day.weekday())

    def _hours_of(self, weekday: int) -> Hours | None:
        if self.legal is None:
            return self.opens, self.closes
        if weekday not in self.legal.by_weekday:
            return None
        opens, closes = self.legal.by_weekday[weekday]
        first, last = max(opens, self.opens), min(closes, self.closes)
        return (first, last) if first < last else None

    def is_business_day(self, day: date) -> bool:
        return self.why_closed(day) is None

    def local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def add_business_days(self, day: date, count: int) -> date:
        """The `count`-th business day after `day` (before it, if negative); 0 gives `day` itself."""
        step = _ONE_DAY if count >= 0 else -_ONE_DAY
        for _ in range(abs(count)):
            day += step
            while not self.is_business_day(day):
                day += step
        return day

    def next_business_day(self, day: date) -> date:
        """`day` itself when it is a business day, else the first one after it."""
        return day if self.is_business_day(day) else self.add_business_days(day, 1)

    def at(self, day: date, clock: time) -> datetime:
        """`clock` on `day` in this zone, as UTC. A time that daylight saving skips moves past the gap."""
        local = datetime.combine(day, clock, tzinfo=self.zone)
        return local.astimezone(UTC)

    def is_open(self, moment: datetime) -> bool:
        """Whether a contact may be made at `moment`: business day, inside the window (closing excluded)."""
        local = moment.astimezone(self.zone)
        hours = self.hours(local.date())
        return hours is not None and self.is_business_day(local.date()) and hours[0] <= local.time() < hours[1]

    def next_open(self, moment: datetime) -> datetime:
        """`moment` itself when a contact may be made then, else the next opening; as UTC."""
        while not self.is_open(moment):
            local = moment.astimezone(self.zone)
            hours = self.hours(local.date())
            day = local.date() if hours and local.time() < hours[0] else local.date() + _ONE_DAY
            # Where a zone once left out a whole day, this lands on the day after it: hence the loop.
            moment = self.opening(self.next_business_day(day))
        return moment.astimezone(UTC)

    def opening(self, day: date) -> datetime:
        """The first moment of a business day at which contact may be made, as UTC."""
        return self.at(day, (self.hours(day) or (self.opens, self.closes))[0])

    def closing(self, day: date) -> datetime:
        """The moment of a business day from which on no contact may be made, as UTC."""
        return self.at(day, (self.hours(day) or (self.opens, self.closes))[1])

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time from `start` to `end` contacts may be made in."""
        total, day = timedelta(), self.local_date(start)
        while day <= self.local_date(end):
            if self.is_business_day(day):
                opening, closing = max(start, self.opening(day)), min(end, self.closing(day))
                total += max(closing - opening, timedelta())
            day += _ONE_DAY
        return total

    def place(self, day: date, clock: time | None) -> datetime:
        """The moment (UTC) of a step for `day` at `clock`, moved to a business day and into the window."""
        business_day = self.next_business_day(day)
        opens, closes = self.hours(business_day) or (self.opens, self.closes)
        wanted = opens if clock is None else min(max(clock, opens), _minute_before(closes))
        return self.next_open(self.at(business_day, wanted))

    def end_of_day(self, day: date) -> datetime:
        """Midnight that ends `day`, as UTC: the last moment to keep a promise for that day."""
        return self.at(day + _ONE_DAY, time(0))


def _minute_before(clock: time) -> time:
    return (datetime.combine(date.min + _ONE_DAY, clock) - timedelta(minutes=1)).time()
