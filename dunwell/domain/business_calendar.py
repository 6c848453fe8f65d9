"""Business days, send windows and daylight saving, in the debtor's own time zone.

Pure: holidays and weekends come in as data, because the library that knows them changes. Never called from
workflow code, so a new release of the zone or holiday data cannot break a replay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class BusinessCalendar:
    """When people of one country may be contacted.

    holidays: date -> name. weekend: weekday numbers, Monday is 0. window: local opening and closing time.
    """

    zone: ZoneInfo
    holidays: Mapping[date, str] = field(default_factory=dict)
    weekend: frozenset[int] = frozenset({5, 6})
    opens: time = time(9)
    closes: time = time(17)

    def __post_init__(self) -> None:
        """Raises ValueError for a calendar that never opens: looking for its next opening would not end."""
        if self.opens >= self.closes:
            raise ValueError(f"the window {self.opens:%H:%M}-{self.closes:%H:%M} never opens: put the earlier first")
        if self.weekend >= frozenset(range(7)):
            raise ValueError("every day is a weekend day: leave one business day at least")

    def why_closed(self, day: date) -> str | None:
        """The holiday's name or "weekend" when `day` is no business day, else None."""
        if day in self.holidays:
            return self.holidays[day]
        return "weekend" if day.weekday() in self.weekend else None

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
        return self.is_business_day(local.date()) and self.opens <= local.time() < self.closes

    def next_open(self, moment: datetime) -> datetime:
        """`moment` itself when a contact may be made then, else the next opening; as UTC."""
        while not self.is_open(moment):
            local = moment.astimezone(self.zone)
            day = local.date() if local.time() < self.opens else local.date() + _ONE_DAY
            # Where a zone once left out a whole day, this lands on the day after it: hence the loop.
            moment = self.at(self.next_business_day(day), self.opens)
        return moment.astimezone(UTC)

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time from `start` to `end` contacts may be made in."""
        total, day = timedelta(), self.local_date(start)
        while day <= self.local_date(end):
            if self.is_business_day(day):
                opening, closing = max(start, self.at(day, self.opens)), min(end, self.at(day, self.closes))
                total += max(closing - opening, timedelta())
            day += _ONE_DAY
        return total

    def place(self, day: date, clock: time | None) -> datetime:
        """The moment (UTC) of a step for `day` at `clock`, moved to a business day and into the window."""
        wanted = self.opens if clock is None else min(max(clock, self.opens), self._last_minute)
        return self.next_open(self.at(self.next_business_day(day), wanted))

    def end_of_day(self, day: date) -> datetime:
        """Midnight that ends `day`, as UTC: the last moment to keep a promise for that day."""
        return self.at(day + _ONE_DAY, time(0))

    @property
    def _last_minute(self) -> time:
        closing = datetime.combine(date.min + _ONE_DAY, self.closes) - timedelta(minutes=1)
        return closing.time()
