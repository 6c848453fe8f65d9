"""How the CSV files of a bank are read: the making of a layout, and what a file shows before there is one."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from pydantic import ValidationError

from dunwell.domain.cleaning import is_clean
from dunwell.domain.refusal import refusal_of
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.csv_dialect import SEPARATORS, Dialect
from dunwell.intake.encoding import decode_table

_HEAD_ROWS = 50
_FEWEST = 3  # columns: a day, an amount and a text
_SAMPLES = 3
_LOOKED_AT = 2_000  # characters


@dataclass(frozen=True)
class TableHead:
    """The titles of the columns of a CSV file, each once, and its first rows below them."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def layout_of(account: str, currency: str, columns: Mapping[str, Sequence[str]], way: Dialect) -> StatementLayout:
    """Return a layout by what somebody says. Raises Refused, naming the field; "message" stands for the columns."""
    try:
        return StatementLayout.model_validate(
            {
                "account": account,
                "currency": currency.upper(),
                "columns": columns,
                "decimals": way.decimals.kind,
                "days": way.days.kind,
                "separator": way.separator,
                "encoding": way.encoding,
            }
        )
    except ValidationError as error:
        raise refusal_of(error) from None


def table_head(content: bytes, way: Dialect) -> TableHead | None:
    """Return what a file shows of its columns; None for a file that is no table.

    The first of its longest rows has the titles.
    """
    text = decode_table(content, way.encoding).text.lstrip("\ufeff")
    if not is_clean("\n".join(text[:_LOOKED_AT].splitlines())):
        return None  # signs that no text has: an image, a PDF, a workbook
    tables = [_rows(text, one) for one in ([way.separator] if way.separator else SEPARATORS.values())]
    rows = max(tables, key=lambda one: max(map(_filled, one), default=0), default=[])
    most = max(map(_filled, rows), default=0)
    at = next((at for at, row in enumerate(rows) if _filled(row) == most), None)
    if at is None or most < _FEWEST or len(rows) < 2:
        return None
    titles = rows[at]
    places = [place for place, title in enumerate(titles) if title and titles.index(title) == place]
    samples = [tuple(row[place] if place < len(row) else "" for place in places) for row in rows[at + 1 :]]
    return TableHead(tuple(titles[place] for place in places), tuple(samples[:_SAMPLES]))


def _rows(text: str, separator: str) -> list[list[str]]:
    """Return the first rows that are not blank, up to a damaged one."""
    found: list[list[str]] = []
    try:
        for cells in islice(csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True), _HEAD_ROWS):
            if any(cell.strip() for cell in cells):
                found.append([cell.strip() for cell in cells])
    except csv.Error:
        pass  # reading it by a layout says what is wrong
    return found


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, row))
