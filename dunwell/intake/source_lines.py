"""The lines of a file as they stand there, and the file of those that were refused, with the reasons."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from dunwell.intake.refusals import Refusal

REASON = "reason"
"""The title of the column that a file of refused lines has more than its original."""
RECORD = "record"
"""The title of the one column that holds a record of a JSON file."""
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class SourceLines:
    """The lines of a file.

    text       the whole file
    titles     of the columns
    records    the cells of each line by its place, or the decoded value; a damaged line has none
    separator  of the cells
    """

    text: str
    titles: tuple[str, ...]
    records: Mapping[str, object]
    separator: str = ","


def refused_lines(source: SourceLines, reasons: Mapping[str, Sequence[str]]) -> str:
    """Return a CSV file of the refused lines in their order: the original columns, then the reasons.

    reasons  why the record at each place is refused. A damaged line stands whole in the first column
    """
    kept = [at for at, title in enumerate(source.titles) if title != REASON]  # of a file that was made by this
    file = StringIO(newline="")
    writer = csv.writer(file, delimiter=source.separator)
    writer.writerow([*(source.titles[at] for at in kept), REASON])
    lines = list(StringIO(source.text, newline=""))
    for place in sorted(reasons, key=line_order):
        cells = _cells(source, place, lines)
        writer.writerow([*(cells[at] if at < len(cells) else "" for at in kept), "; ".join(reasons[place])])
    return file.getvalue()


def reasons_by_place(refusals: Iterable[Refusal]) -> dict[str, list[str]]:
    """Return what is wrong at each place of a file, without the place."""
    found: dict[str, list[str]] = {}
    for one in refusals:
        for place in (one.where, *one.also):
            found.setdefault(place, []).append(one.told)
    return found


def _cells(source: SourceLines, place: str, lines: Sequence[str]) -> Sequence[str]:
    match source.records.get(place):
        case None:
            at = next(iter(line_order(place)), 0)
            return [lines[at - 1].rstrip("\r\n") if 0 < at <= len(lines) else ""]
        case [*cells] if source.titles != (RECORD,):
            return [str(cell) for cell in cells]
        case value:
            return [json.dumps(value, ensure_ascii=False, default=str)]


def line_order(place: str) -> list[int]:
    """Return what places of one file are sorted by."""
    return [int(digits) for digits in _NUMBER.findall(place)[:2]]
