"""Amounts and days as people write them in a file: 1.234,56 or 1,234.56, day or month first.

The way is determined once from all cells of the file, or given by the user. No cell is interpreted by itself.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar


class Decimals(StrEnum):
    """The decimal sign of amounts."""

    POINT = "decimal-point"
    COMMA = "decimal-comma"


class Days(StrEnum):
    """What comes first in a date whose year comes last. A date whose year comes first needs no such rule."""

    DAY = "day-first"
    MONTH = "month-first"


_SLIP_RATIO = 50  # one cell in so many may be written in the other way without making the file ambiguous

_GROUP_SIGNS = "'\u2019 \u00a0\u202f"  # between thousands, beside comma or point
_AMOUNT = {
    kind: re.compile(
        rf"([0-9]+|[1-9][0-9]{{0,2}}(?:([{group}{_GROUP_SIGNS}])[0-9]{{3}})(?:\2[0-9]{{3}})*)(?:[{point}]([0-9]+))?"
    )
    for kind, group, point in ((Decimals.POINT, ",", "."), (Decimals.COMMA, ".", ","))
}
_DAY = re.compile(r"([0-9]{1,4})([-/.])([0-9]{1,2})\2([0-9]{1,4})\.?(?:[ T]00:00(?::00(?:\.0+)?)?)?")

T = TypeVar("T")
Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True)
class Choice(Generic[Kind]):
    """How amounts, or dates, are written in a file.

    kind     None: no cell shows it
    sure     whether a cell that can be read in two ways may be read by `kind`
    unclear  place and text of the first cell that can be read in two ways, when no other cell decides it
    """

    kind: Kind | None = None
    sure: bool = True
    unclear: tuple[str, str] | None = None


def amount_by(kind: Decimals, cell: str) -> Decimal | None:
    """Return the amount of a cell if it is written in this way, else None."""
    found = _AMOUNT[kind].fullmatch(cell.removeprefix("-"))
    if found is None:
        return None
    whole = re.sub("[^0-9]", "", found[1])
    number = Decimal(f"{whole}.{found[3]}" if found[3] else whole)
    return -number if cell.startswith("-") else number


def day_by(kind: Days | None, cell: str) -> date | None:
    """Return the date of a cell if it is written in this way, or with the year first; else None."""
    found = _DAY.fullmatch(cell)
    if found is None:
        return None
    first, sign, second, third = found.groups()
    if len(first) == 4 and len(third) <= 2:
        year, month, day = first, second, third
    elif len(third) != 4 or len(first) > 2 or kind is None:
        return None
    elif kind is Days.DAY:
        year, month, day = third, second, first
    elif sign == ".":  # with full stops the month never comes first
        return None
    else:
        year, month, day = third, first, second
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def find_decimals(cells: Iterable[tuple[str, str]]) -> Choice[Decimals]:
    """Return how the amounts of a file are written. `cells` are pairs of place and text."""
    return _found(cells, Decimals, amount_by)


def find_days(cells: Iterable[tuple[str, str]]) -> Choice[Days]:
    """Return how the dates of a file are written. `cells` are pairs of place and text."""
    return _found(cells, Days, day_by)


def _found(
    cells: Iterable[tuple[str, str]], kinds: type[Kind], read: Callable[[Kind, str], T | None]
) -> Choice[Kind]:
    """Return the way of writing that the cells which can be read in one way only have in common."""
    counts: Counter[Kind] = Counter()
    unclear = None
    for place, cell in cells:
        readings = {kind: value for kind in kinds if (value := read(kind, cell)) is not None}
        if len(readings) == 1:
            counts.update(readings.keys())
        elif len(set(readings.values())) > 1:
            unclear = unclear or (place, cell)
    if not counts:
        return Choice(unclear=unclear)
    (kind, most), *others = counts.most_common()
    return Choice(kind, sure=sum(times for _, times in others) * _SLIP_RATIO <= most)
