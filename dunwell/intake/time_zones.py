"""The time zones of countries."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel.core import get_global

_HALF_DAYS = 2 * 366
_NOT_LISTED = {"XK": ["Europe/Belgrade"]}


def zones_of(country: str) -> tuple[str, ...]:
    """Return the IANA zones of a country, given by its ISO 3166-1 alpha-2 code."""
    return tuple(sorted(_NOT_LISTED.get(country) or get_global("territory_zones").get(country) or ()))


@cache
def only_zone(country: str, year: int) -> str | None:
    """Return a zone of the country if all its zones have the same time throughout `year`; else None."""
    names = zones_of(country)
    if not names:
        return None
    first, *others = map(ZoneInfo, names)
    begin = datetime(year, 1, 1, tzinfo=UTC)
    moments = [begin + timedelta(hours=12 * n) for n in range(_HALF_DAYS)]
    same = all(
        moment.astimezone(first).utcoffset() == moment.astimezone(zone).utcoffset()
        for zone in others
        for moment in moments
    )
    return names[0] if same else None
