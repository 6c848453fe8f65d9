"""Splits a JSON, JSON Lines or CSV file into records of one shape. Their values are not checked yet."""

from collections.abc import Iterator
from io import StringIO
from pathlib import PurePath

from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import INVOICES, ColumnMap, Layout
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.csv_rows import Table, read_table
from dunwell.intake.encoding import decode, decode_table
from dunwell.intake.json_records import json_document, json_lines
from dunwell.intake.lines import Line, Lines, kept


def read_records(content: bytes, name: str, asked: Dialect, mapped: ColumnMap, layout: Layout = INVOICES) -> Table:
    """Return the records of a file, in order. The format is that of the suffix of `name`, or else of the first line.

    Raises Refused when `asked` or `mapped` are given for a file that is no CSV.
    """
    table = _table(content, name, asked, mapped, layout)
    said = {
        "--map": mapped.columns or mapped.left_out,
        "--set": mapped.fixed,
        "--dialect": asked != Dialect(),
    }
    option = next((option for option, given in said.items() if given), None)
    if option and not table.is_csv:
        raise Refused(option, "is for CSV only, and this file is JSON: leave it out")
    return table


def _table(content: bytes, name: str, asked: Dialect, mapped: ColumnMap, layout: Layout) -> Table:
    lines = Lines(StringIO(decode(content).text, newline=""))
    match PurePath(name).suffix.lower():
        case ".json":
            return Table(tuple(json_document(lines)), is_csv=False)
        case ".jsonl" | ".ndjson":
            return Table(tuple(json_lines(lines)), is_csv=False)
        case ".csv":
            return read_table(decode_table(content, asked.encoding), asked, mapped, layout)
    seen: list[Line] = []
    starts = (line for line in kept(lines, seen) if line.text.strip())
    first = next(starts, None)
    document = first is not None and _starts_document(first.text.strip(), starts)
    lines.give_back(seen)
    if document:
        return Table(tuple(json_document(lines)), is_csv=False)
    if first and first.text.lstrip().startswith("{"):
        return Table(tuple(json_lines(lines)), is_csv=False)
    return read_table(decode_table(content, asked.encoding), asked, mapped, layout)


def _starts_document(first: str, following: Iterator[Line]) -> bool:
    """Return whether this is one JSON document, and not JSON Lines whose first object is broken."""
    if not first.startswith("{"):
        return first.startswith("[")
    if first.endswith("}"):
        return False
    second = next(following, None)
    return second is not None and not second.text.lstrip().startswith("{")
