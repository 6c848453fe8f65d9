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
from dunwell.intake.lines import Line, Lines, Record, kept
from dunwell.intake.refusals import Refusal
from dunwell.intake.source_lines import RECORD, SourceLines


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
    text = decode(content).text
    lines = Lines(StringIO(text, newline=""))
    match PurePath(name).suffix.lower():
        case ".json":
            return _json_table(json_document(lines), text)
        case ".jsonl" | ".ndjson":
            return _json_table(json_lines(lines), text)
        case ".csv":
            return read_table(decode_table(content, asked.encoding), asked, mapped, layout)
    seen: list[Line] = []
    starts = (line for line in kept(lines, seen) if line.text.strip())
    first = next(starts, None)
    document = first is not None and _starts_document(first.text.strip(), starts)
    lines.give_back(seen)
    if document:
        return _json_table(json_document(lines), text)
    if first and first.text.lstrip().startswith("{"):
        return _json_table(json_lines(lines), text)
    return read_table(decode_table(content, asked.encoding), asked, mapped, layout)


def _json_table(records: Iterator[Record | Refusal], text: str) -> Table:
    found = tuple(records)
    values = {one.where: one.data for one in found if isinstance(one, Record)}
    return Table(found, is_csv=False, source=SourceLines(text, (RECORD,), values))


def _starts_document(first: str, following: Iterator[Line]) -> bool:
    """Return whether this is one JSON document, and not JSON Lines whose first object is broken."""
    if not first.startswith("{"):
        return first.startswith("[")
    if first.endswith("}"):
        return False
    second = next(following, None)
    return second is not None and not second.text.lstrip().startswith("{")
