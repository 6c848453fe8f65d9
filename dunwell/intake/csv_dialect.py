"""How a CSV file is written: the separator of its columns, its amounts, its days and its encoding.

Each of them is found once, from all cells of the file, or said by whoever reads it; a cell is never guessed at alone.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from dunwell.domain.refusal import Refused
from dunwell.intake.refusals import printable


class Decimals(StrEnum):
    """The sign before the cents."""

    POINT = "decimal-point"
    COMMA = "decimal-comma"


class Days(StrEnum):
    """What comes first in a date whose year comes last. One whose year comes first needs no such rule."""

    DAY = "day-first"
    MONTH = "month-first"


SEPARATORS: Mapping[str, str] = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

_ODD = 50  # one cell in so many may be written otherwise: that is a slip, and the file is still of one kind

_GAP = "'\u2019 \u00a0\u202f"
_AMOUNT = {
    kind: re.compile(
        rf"([0-9]+|[1-9][0-9]{{0,2}}(?:([{group}{_GAP}])[0-9]{{3}})(?:\2[0-9]{{3}})*)(?:[{point}]([0-9]+))?"
    )
    for kind, group, point in ((Decimals.POINT, ",", "."), (Decimals.COMMA, ".", ","))
}
_DAY = re.compile(r"([0-9]{1,4})([-/.])([0-9]{1,2})\2([0-9]{1,4})\.?(?:[ T]00:00(?::00(?:\.0+)?)?)?")

T = TypeVar("T")
Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True)
class Choice(Generic[Kind]):
    """How one thing is written in a file.

    kind     None: nothing in the file tells, and nothing needs it
    sure     whether a cell that could be read in two ways may be read by `kind`
    unclear  the first such cell and its place, when no other cell tells how to read it
    """

    kind: Kind | None = None
    sure: bool = True
    unclear: tuple[str, str] | None = None


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written. In what somebody asks for, None and a kind of None mean: find it."""

    separator: str | None = None
    encoding: str | None = None
    decimals: Choice[Decimals] = Choice()
    days: Choice[Days] = Choice()


def amount_by(kind: Decimals, cell: str) -> Decimal | None:
    """The amount of a cell that is written in this way, else None."""
    found = _AMOUNT[kind].fullmatch(cell.removeprefix("-"))
    if found is None:
        return None
    whole = re.sub("[^0-9]", "", found[1])
    number = Decimal(f"{whole}.{found[3]}" if found[3] else whole)
    return -number if cell.startswith("-") else number


def day_by(kind: Days | None, cell: str) -> date | None:
    """The day of a cell that is written in this way, or with its year first; else None."""
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
    elif sign == ".":  # nobody writes the month first with full stops
        return None
    else:
        year, month, day = third, first, second
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def find_decimals(cells: Iterable[tuple[str, str]]) -> Choice[Decimals]:
    """How the amounts of a file are written. `cells` are pairs of a place and a text."""
    return _found(cells, Decimals, amount_by)


def find_days(cells: Iterable[tuple[str, str]]) -> Choice[Days]:
    """How the days of a file are written. `cells` are pairs of a place and a text."""
    return _found(cells, Days, day_by)


def _found(
    cells: Iterable[tuple[str, str]], kinds: type[Kind], read: Callable[[Kind, str], T | None]
) -> Choice[Kind]:
    """What the cells that can be read in one way only say about those that can be read in two."""
    proofs: Counter[Kind] = Counter()
    unclear = None
    for place, cell in cells:
        readings = {kind: value for kind in kinds if (value := read(kind, cell)) is not None}
        if len(readings) == 1:
            proofs.update(readings.keys())
        elif len(set(readings.values())) > 1:
            unclear = unclear or (place, cell)
    if not proofs:
        return Choice(unclear=unclear)
    (kind, most), *others = proofs.most_common()
    return Choice(kind, sure=sum(times for _, times in others) * _ODD <= most)


def read_dialect(text: str) -> Dialect:
    """What somebody says of a file: words separated by commas. Raises Refused naming the words there are."""
    dialect = Dialect()
    for word in filter(None, re.split(r"[,\s]+", text.strip().lower())):
        if word in SEPARATORS:
            dialect = replace(dialect, separator=SEPARATORS[word])
        elif word in set(Decimals):
            dialect = replace(dialect, decimals=Choice(Decimals(word)))
        elif word in set(Days):
            dialect = replace(dialect, days=Choice(Days(word)))
        else:
            dialect = replace(dialect, encoding=_encoding(word))
    return dialect


def _encoding(word: str) -> str:
    try:
        "".encode(word)  # some codecs are no encodings of text
        return codecs.lookup(word).name
    except (LookupError, UnicodeError):
        pass
    known = ", ".join((*SEPARATORS, *Decimals, *Days))
    raise Refused(
        "--dialect",
        f"{printable(word)!r} is unknown: use words of {known}, and an encoding such as utf-8 or windows-1252",
    )
