"""Takes a file apart into records: JSON, JSON Lines and CSV in one shape, not yet checked."""

from collections.abc import Iterator
from io import StringIO
from pathlib import PurePath

from dunwell.intake.csv_columns import ColumnMap
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.csv_rows import Table, read_table
from dunwell.intake.encoding import decode, decode_table
from dunwell.intake.json_records import json_document, json_lines
from dunwell.intake.lines import Line, Lines, kept


def read_records(content: bytes, name: str, asked: Dialect, mapped: ColumnMap) -> Table:
    """The records of a file, in order. The suffix of `name` tells the format; without one, the first sign.

    `asked` and `mapped` are for CSV only.
    """
    lines = Lines(StringIO(decode(content).text, newline=""))
    match PurePath(name).suffix.lower():
        case ".json":
            return Table(tuple(json_document(lines)), is_csv=False)
        case ".jsonl" | ".ndjson":
            return Table(tuple(json_lines(lines)), is_csv=False)
        case ".csv":
            return read_table(decode_table(content, asked.encoding), asked, mapped)
    seen: list[Line] = []
    starts = (line for line in kept(lines, seen) if line.text.strip())
    first = next(starts, None)
    document = first is not None and _starts_document(first.text.strip(), starts)
    lines.give_back(seen)
    if document:
        return Table(tuple(json_document(lines)), is_csv=False)
    if first and first.text.lstrip().startswith("{"):
        return Table(tuple(json_lines(lines)), is_csv=False)
    return read_table(decode_table(content, asked.encoding), asked, mapped)


def _starts_document(first: str, following: Iterator[Line]) -> bool:
    """Whether this is a list or an object of several lines, not one object a line with the first broken."""
    if not first.startswith("{"):
        return first.startswith("[")
    if first.endswith("}"):
        return False
    second = next(following, None)
    return second is not None and not second.text.lstrip().startswith("{")
