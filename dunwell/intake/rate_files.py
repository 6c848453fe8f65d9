"""Reads the rates of a base-rate series from a file of its publisher, or from one with a day and a rate a line.

It knows the CSV files of the ECB's data portal (both of its downloads), of the Bundesbank and of the Bank of England,
the XML archive of Narodowy Bank Polski, and every CSV file whose rows begin with a day and hold a rate behind it.
"""

import calendar
import csv
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import StringIO
from itertools import pairwise

from dunwell.domain.cleaning import printable
from dunwell.intake.encoding import decode_table
from dunwell.intake.numbers_and_dates import Days, day_by

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_NAMED_DAY = re.compile(r"([0-9]{1,2})[ /-]([A-Za-z]{3})[a-z]*[ /-]([0-9]{4}|[0-9]{2})")
_RATE = re.compile(r"([+-]?[0-9]{1,3}(?:[.,][0-9]{1,6})?)\s*%?")
_WHOLE, _FRACTION = re.compile(r"[+-]?[0-9]{1,2}"), re.compile(r"[0-9]{1,6}\s*%?")
_MOST_PER_CENT = 100
_NO_VALUE = {"", ".", "..", "-", "n/a", "nan", "kein wert vorhanden"}
_DAY_COLUMNS, _RATE_COLUMNS = ("TIME_PERIOD",), ("OBS_VALUE",)
"""Columns of the ECB's interface, whose rows do not begin with the day."""

_LARGEST = 5_000_000  # bytes; a daily series of thirty years has less than one million
_SHOWN = 5  # problems that are reported one by one
_POLISH_RATE = "ref"


class RateFileError(ValueError):
    """A file that cannot be used as rates. The text has a line for each problem."""


@dataclass(frozen=True)
class RateFile:
    """The rates of a file by the days on which they took effect, oldest first, none equal to the one before.

    last  the last day that the file speaks of; of a file by months, the end of its last month
    """

    rates: tuple[tuple[date, Decimal], ...]
    last: date


@dataclass(frozen=True)
class _Row:
    where: str
    day: date
    last: date
    rate: Decimal


def read_rates(content: bytes) -> RateFile:
    """Read a file of rates. Raises RateFileError with every problem of the file."""
    if len(content) > _LARGEST:
        raise RateFileError(f"has more than {_LARGEST // 1_000_000} MB: give the file of one series")
    text = decode_table(content).text.lstrip("\ufeff \r\n\t")
    problems: list[str] = []
    rows = sorted(_polish(text) if text.startswith("<") else _csv(text, problems), key=lambda row: row.day)
    problems += [
        f"{later.where}: {later.day} has the rate {later.rate}, and {row.rate} on {row.where}: keep one of the two"
        for row, later in pairwise(rows)
        if row.day == later.day and row.rate != later.rate
    ]
    if problems:
        more = f"\nand {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise RateFileError("\n".join(problems[:_SHOWN]) + more)
    if not rows:
        raise RateFileError("holds no day with a rate: write a day and a rate a line, such as 2026-09-16,2.65")
    changes = [row for before, row in zip((None, *rows), rows, strict=False) if not before or before.rate != row.rate]
    return RateFile(tuple((row.day, row.rate) for row in changes), max(row.last for row in rows))


def _csv(text: str, problems: list[str]) -> Iterator[_Row]:
    """Yield the rows of a CSV file that hold a rate. Rows before the first day are its head."""
    try:
        separator = _separator(text)
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise RateFileError(f"is no CSV file ({error}): take it from its publisher anew") from None
    day_column, rate_column = _columns(rows)
    begun = False
    for number, cells in enumerate(rows, 1):
        period = _period(cells[day_column]) if len(cells) > day_column else None
        if period is None:
            if begun and any(cell.strip() for cell in cells):
                problems.append(f"line {number}: {printable(cells[0])!r} is no day: write YYYY-MM-DD")
            continue
        begun = True
        if rate_column is None and separator == "," and (torn := _torn_by_comma(cells[day_column + 1 :])):
            problems.append(f"line {number}: {torn} may be one rate or two columns: write {torn.replace(',', '.')}")
            continue
        cell = _rate_cell(cells, day_column, rate_column)
        if cell.lower() in _NO_VALUE:
            continue
        rate = _rate(cell)
        if rate is None:
            problems.append(f"line {number}: {printable(cell)!r} is no rate in per cent: write it like 2.65")
        elif abs(rate) >= _MOST_PER_CENT:
            problems.append(f"line {number}: {printable(cell)!r} is more than {_MOST_PER_CENT} per cent a year")
        else:
            yield _Row(f"line {number}", *period, rate)


def _torn_by_comma(cells: Sequence[str]) -> str | None:
    """A rate with a decimal comma in a file whose columns are separated by commas; None where there is none."""
    first, second = (*(cell.strip() for cell in cells[:2]), "", "")[:2]
    return f"{first},{second}" if _WHOLE.fullmatch(first) and _FRACTION.fullmatch(second) else None


def _separator(text: str) -> str:
    head = text[:2000]
    return next((sign for sign in ";\t" if sign in head), ",")


def _columns(rows: Sequence[Sequence[str]]) -> tuple[int, int | None]:
    """Return the columns of day and rate; of the rate None where it is the first number behind the day."""
    head = [cell.strip() for cell in rows[0]] if rows else []
    named = [
        next((head.index(name) for name in names if name in head), None) for names in (_DAY_COLUMNS, _RATE_COLUMNS)
    ]
    return (named[0], named[1]) if named[0] is not None and named[1] is not None else (0, None)


def _rate_cell(cells: Sequence[str], day_column: int, rate_column: int | None) -> str:
    if rate_column is not None:
        return cells[rate_column].strip() if rate_column < len(cells) else ""
    behind = [cell.strip() for cell in cells[day_column + 1 :]]
    # The ECB's portal writes the day twice; the second is no rate.
    values = [cell for cell in behind if _period(cell) is None]
    return values[0] if values else ""


def _period(cell: str) -> tuple[date, date] | None:
    """Return the first and the last day that a cell names, which is a day or a month; None for anything else."""
    cell = cell.strip()
    if found := _MONTH.fullmatch(cell):
        year, month = int(found[1]), int(found[2])
        return _days(year, month, 1, calendar.monthrange(year, month)[1]) if 1 <= month <= 12 else None
    if found := _NAMED_DAY.fullmatch(cell):
        written = int(found[3])
        year = written + 2000 if written < 100 and written < 70 else written + 1900 if written < 100 else written
        month_number = _MONTHS.get(found[2].lower())
        return _days(year, month_number, int(found[1]), int(found[1])) if month_number else None
    # With strokes the month may come first, so that only years in front are read.
    day = day_by(Days.DAY if "." in cell else None, cell)
    return (day, day) if day else None


def _days(year: int, month: int, first: int, last: int) -> tuple[date, date] | None:
    try:
        return date(year, month, first), date(year, month, last)
    except ValueError:
        return None


def _rate(cell: str) -> Decimal | None:
    found = _RATE.fullmatch(cell.replace("\u2212", "-").replace("\u00a0", " "))
    return Decimal(found[1].replace(",", ".")) if found else None


def _polish(text: str) -> Iterator[_Row]:
    """Yield the reference rate of the XML archive of Narodowy Bank Polski."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RateFileError("is XML with a document type, which is not read: take the file from its publisher")
    try:
        root = ET.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text))
    except ET.ParseError as error:
        raise RateFileError(
            f"is XML that is broken off or damaged ({error}): take it from its publisher anew"
        ) from None
    for group in root.iter("pozycje"):
        period = _period(group.get("obowiazuje_od", ""))
        for one in group.iter("pozycja"):
            rate = _rate(one.get("oprocentowanie", ""))
            if one.get("id") == _POLISH_RATE and period and rate is not None:
                yield _Row(f"obowiazuje_od {period[0]}", *period, rate)
