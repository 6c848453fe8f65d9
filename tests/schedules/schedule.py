"""When each step of a shipped ladder happens if nobody pays or speaks, for fixed invoices in four countries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from dunwell.domain.ladder import PreviewLine, Standing, preview
from dunwell.domain.policy import Policy
from dunwell.gateways.holidays import HolidayLibrary

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """A debtor's country, and an invoice of 1200 due on a day there that is worth a look."""

    name: str
    country: str
    zone: str
    issued_on: date
    due_on: date


PLACES = (
    Place("Germany, due before Easter and summer time", "DE", "Europe/Berlin", date(2027, 2, 15), date(2027, 3, 15)),
    Place("United States, due on a Friday", "US", "America/New_York", date(2027, 2, 1), date(2027, 2, 26)),
    Place("Japan, due before Golden Week", "JP", "Asia/Tokyo", date(2027, 4, 1), date(2027, 4, 26)),
    Place("Saudi Arabia, weekend on Friday and Saturday", "SA", "Asia/Riyadh", date(2027, 2, 1), date(2027, 2, 25)),
)


def schedule(policy: Policy) -> str:
    """The text of the ladder's file: local times with the reason of each, and the days that were passed over."""
    return "\n".join("\n".join(_lines(policy, place)) + "\n" for place in PLACES)


def _lines(policy: Policy, place: Place) -> Iterator[str]:
    window = (policy.window[0].strftime("%H:%M"), policy.window[1].strftime("%H:%M"))
    first, last = date(place.issued_on.year - 1, 12, 1), date(place.due_on.year + 2, 12, 31)
    calendar = HolidayLibrary().calendar(place.country, place.zone, window, first, last)
    standing = Standing(issued_on=place.issued_on, due_on=place.due_on, open_amount=Decimal(1200))
    now = calendar.at(place.issued_on, policy.window[0])
    yield f"{place.name}: issued {_day(place.issued_on)}, due {_day(place.due_on)}"
    for line in preview(policy, standing, calendar, now):
        yield _line(line, line.at.astimezone(calendar.zone))


def _line(line: PreviewLine, local: datetime) -> str:
    passed = f" [{'; '.join(line.closed)}]" if line.closed else ""
    return f"  {_day(local.date())} {local:%H:%M %z}  {line.step}: {line.why}{passed}"


def _day(day: date) -> str:
    return f"{day:%a %d %b %Y}"
