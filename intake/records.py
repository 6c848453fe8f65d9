"""Takes a file apart into records: JSON, JSON Lines and CSV in one shape, not yet checked."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import TextIO

from intake.json_records import json_document, json_lines
from intake.lines import Line, Lines, Record, kept
from intake.refusals import Refusal
from intake.rows import csv_rows


def read_records(stream: TextIO, name: str) -> Iterator[Record | Refusal]:
    """The records of a file, in order. The suffix of `name` tells the format; without one, the first sign."""
    lines = Lines(stream)
    match PurePath(name).suffix.lower():
        case ".json":
            return json_document(lines)
        case ".jsonl" | ".ndjson":
            return json_lines(lines)
        case ".csv":
            return csv_rows(lines)
        case _:
            return _sniffed(lines)


def _sniffed(lines: Lines) -> Iterator[Record | Refusal]:
    seen: list[Line] = []
    starts = (line for line in kept(lines, seen) if line.text.strip())
    first = next(starts, None)
    document = first is not None and _starts_document(first.text.strip(), starts)
    lines.give_back(seen)
    if document:
        return json_document(lines)
    return json_lines(lines) if first and first.text.lstrip().startswith("{") else csv_rows(lines)


def _starts_document(first: str, following: Iterator[Line]) -> bool:
    """Whether this is a list or an object of several lines, not one object a line with the first broken."""
    if not first.startswith("{"):
        return first.startswith("[")
    if first.endswith("}"):
        return False
    second = next(following, None)
    return second is not None and not second.text.lstrip().startswith("{")
