"""The checks of days of an invoice record, and of a consent, which names one.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
from datetime import date

from dunwell.domain.consent import Consent
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.numbers_and_dates import Choice, Days, day_by
from dunwell.intake.refusals import InvalidValue
from dunwell.intake.text_checks import text

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(value: object, dialect: Dialect | None = None) -> date:
    """Return a date. `dialect` is that of the CSV file, None for JSON."""
    word = text(value)
    found = _iso_day(word) if dialect is None else _csv_day(word, dialect.days)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise InvalidValue(f"is out of range: the year must be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return found


def _iso_day(word: str) -> date:
    if not _DATE.fullmatch(word):  # fromisoformat alone would also take week dates and dates without hyphens
        raise InvalidValue("is not a date: use YYYY-MM-DD")
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise InvalidValue("is no day of the calendar: use YYYY-MM-DD") from None


def _csv_day(cell: str, days: Choice[Days]) -> date:
    readings = {kind: found for kind in Days if (found := day_by(kind, cell)) is not None}
    sample = {Days.DAY: "31.12.2027", Days.MONTH: "12/31/2027", None: "2027-12-31"}[days.kind]
    if not readings:
        raise InvalidValue(f"is not a date: write a day that exists like {sample}")
    if days.kind is None or (not days.sure and len(set(readings.values())) > 1):
        if len(set(readings.values())) > 1:
            raise InvalidValue("can be read in two ways, and this file writes dates in both: write YYYY-MM-DD")
        return next(iter(readings.values()))
    if days.kind not in readings:
        raise InvalidValue(f"is written otherwise than the dates of this file: write it like {sample}")
    return readings[days.kind]


def consent(value: object) -> str:
    """A person's consent as one line: an object with `on` and `source`, or that line itself."""
    how = 'write {"on": "2027-01-15", "source": "order form"}, or the day, a space and the source'
    if isinstance(value, dict):
        if set(value) != {"on", "source"}:
            raise InvalidValue(f"is not `on` and `source` and nothing else: {how}")
        on, source = value["on"], value["source"]
    else:
        on, _, source = text(value).partition(" ")
    if not isinstance(source, str) or not source.strip():
        raise InvalidValue(f"names no source: {how}")
    return str(Consent(on=day(on), source=text(source, 150)))
