"""Takes a file apart into records: JSON, JSON Lines and CSV in one shape, not yet checked."""

import csv
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import count, islice
from pathlib import PurePath
from typing import TextIO

from domain.terms import Role
from intake.refusals import Refusal, did_you_mean, printable

_BOM = "\ufeff"
_RECORD_LINES = 40  # a CSV record longer than this has a quote that was never closed
_FOREIGN_BYTE = re.compile("[\udc80-\udcff]")  # how the error handler "surrogateescape" marks a bad byte
_BRACKET = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{}]')  # or a string of one line, in which brackets mean nothing
_PAIRS = {"{": "}", "[": "]"}
_WHITE = re.compile(r"[ \t\r\n]*")

_CUSTOMER_COLUMNS = {
    "customer_id": "id",
    "customer_name": "name",
    "country": "country",
    "time_zone": "time_zone",
    "language": "language",
}
_INVOICE_COLUMNS = ("invoice_id", "number", "amount", "currency", "issued_on", "due_on")
_OPTIONAL_COLUMNS = ("payment_url", "policy", "jurisdiction", "document")
_CONTACT_PARTS = ("name", "email", "phone", "post")
_REQUIRED = frozenset({*_INVOICE_COLUMNS, *_CUSTOMER_COLUMNS}) - {"language"}
_MOST_COLUMNS = 200  # a wider header is no invoice file
_KNOWN = _REQUIRED | {"language", *_OPTIONAL_COLUMNS} | {f"{role}_{part}" for role in Role for part in _CONTACT_PARTS}


@dataclass(frozen=True)
class Record:
    """One record as it stands in the file. `columns` translates field paths into the file's own names."""

    where: str
    data: object
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Line:
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"line {self.number}"


class _Lines(Iterator[_Line]):
    """The lines of a stream, numbered from 1, that can be given back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._returned: deque[_Line] = deque()
        self._number = 0

    def __next__(self) -> _Line:
        if self._returned:
            return self._returned.popleft()
        text = next(self._stream)
        self._number += 1
        return _Line(self._number, text.removeprefix(_BOM) if self._number == 1 else text)

    def give_back(self, lines: Iterable[_Line]) -> None:
        self._returned.extendleft(reversed(list(lines)))

    def rest(self) -> str:
        return "".join(line.text for line in self)


class JsonObject(dict[str, object]):
    """An object that remembers keys given twice, to be refused later without harm to other records."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = [key for key, count in counts.items() if count > 1]


def _number(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent beyond what Decimal counts
        return Decimal("Infinity")


# Whole numbers become Decimal too: Python refuses to read an int of many thousand digits.
_DECODER = json.JSONDecoder(object_pairs_hook=JsonObject, parse_float=_number, parse_int=_number)


def read_records(stream: TextIO, name: str) -> Iterator[Record | Refusal]:
    """The records of a file, in order. The suffix of `name` tells the format; without one, the first sign."""
    lines = _Lines(stream)
    match PurePath(name).suffix.lower():
        case ".json":
            return _json_document(lines)
        case ".jsonl" | ".ndjson":
            return _json_lines(lines)
        case ".csv":
            return _csv_rows(lines)
        case _:
            return _sniffed(lines)


def _sniffed(lines: _Lines) -> Iterator[Record | Refusal]:
    seen: list[_Line] = []
    starts = (line for line in _kept(lines, seen) if line.text.strip())
    first = next(starts, None)
    document = first is not None and _starts_document(first.text.strip(), starts)
    lines.give_back(seen)
    if document:
        return _json_document(lines)
    return _json_lines(lines) if first and first.text.lstrip().startswith("{") else _csv_rows(lines)


def _kept(lines: Iterator[_Line], seen: list[_Line]) -> Iterator[_Line]:
    for line in lines:
        seen.append(line)
        yield line


def _starts_document(first: str, following: Iterator[_Line]) -> bool:
    """Whether this is a list or an object of several lines, not one object a line with the first broken."""
    if not first.startswith("{"):
        return first.startswith("[")
    if first.endswith("}"):
        return False
    second = next(following, None)
    return second is not None and not second.text.lstrip().startswith("{")


def _broken(where: str, text: str, error: ValueError | RecursionError) -> Refusal:
    if foreign := _foreign(where, text):
        return foreign
    if isinstance(error, json.JSONDecodeError):
        place = f"column {error.colno}"
        place = place if error.lineno == 1 else f"line {error.lineno}, {place}"
        return Refusal(where, "", f"is not valid JSON at {place}: {error.msg}")
    return Refusal(where, "", "is nested too deeply: an invoice has three levels")


def _foreign(where: str, text: str) -> Refusal | None:
    found = _FOREIGN_BYTE.search(text)
    if found is None:
        return None
    byte = ord(found[0]) - 0xDC00
    return Refusal(where, "", f"holds the byte 0x{byte:02X}, which is not UTF-8: save the file as UTF-8")


def _json_lines(lines: _Lines) -> Iterator[Record | Refusal]:
    for line in lines:
        text = line.text.strip()
        if not text:
            continue
        try:
            data = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            yield _broken(line.where, text, error)
        else:
            yield _foreign(line.where, text) or Record(line.where, data)


def _json_document(lines: _Lines) -> Iterator[Record | Refusal]:
    """The items of a list, or one object after the other. An item that is broken inside costs only itself."""
    text = lines.rest()
    at = _skip_white(text, 0)
    listed = text.startswith("[", at)
    at = _skip_white(text, at + 1) if listed else at
    line, counted = 1, 0
    for position in count(1):
        line, counted = line + text.count("\n", counted, at), at
        where = f"line {line}, record {position}"
        if at == len(text) or (listed and text[at] == "]"):
            break
        try:
            data, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            closing = _closing(text, at)
            refusal = _broken(where, text[at : closing or getattr(error, "pos", at) + 1], error)
            if closing is None:
                yield replace(refusal, reason=f"{refusal.reason}; nothing after this was read")
                return
            yield refusal
            end = closing
        else:
            yield _foreign(where, text[at:end]) or Record(where, data)
        at = _skip_white(text, end)
        if listed and text.startswith(",", at):
            at = _skip_white(text, at + 1)
    if listed and at == len(text):
        yield Refusal(f"line {line}", "", "the list has no closing ']': is the file cut off?")
    elif listed and _skip_white(text, at + 1) < len(text):
        yield Refusal(f"line {line}", "", "has more text after the list's ']': nothing after this was read")


def _closing(text: str, at: int) -> int | None:
    """Where the object or list that opens at `at` ends, by brackets alone; None when they do not match."""
    expected: list[str] = []
    for found in _BRACKET.finditer(text, at):
        sign = found[0]
        if sign in _PAIRS:
            expected.append(_PAIRS[sign])
        elif sign in _PAIRS.values() and (not expected or expected.pop() != sign):
            return None
        if not expected:
            return found.end() if text[at] in _PAIRS else None
    return None


def _skip_white(text: str, at: int) -> int:
    found = _WHITE.match(text, at)
    return at if found is None else found.end()


def _csv_rows(lines: _Lines) -> Iterator[Record | Refusal]:
    header: list[str] = []
    while row := _next_row(lines):
        if isinstance(row, Refusal):
            yield row
            if not header:
                return
        elif not header:
            header = row.cells
            refusals = list(_header_problems(row))
            yield from refusals
            if refusals:
                return
        elif len(row.cells) == len(header):
            yield _csv_record(row.where, dict(zip(header, row.cells, strict=True)))
        else:
            # A quote that opens in one record and closes in another has swallowed the lines between.
            lines.give_back(row.lines[1:])
            counts = f"has {len(row.cells)} cells, the header has {len(header)}"
            yield Refusal(row.where, "", f"{counts}: write cells that hold a comma in double quotes")


@dataclass(frozen=True)
class _Row:
    cells: list[str]
    lines: list[_Line]

    @property
    def where(self) -> str:
        return self.lines[0].where


def _next_row(lines: _Lines) -> _Row | Refusal | None:
    """The next row that is not blank. A row that cannot be read costs its first line only."""
    while True:
        used: list[_Line] = []
        source = (line.text for line in _kept(islice(lines, _RECORD_LINES), used))
        try:
            cells = next(csv.reader(source, strict=True), None)
        except csv.Error as error:
            lines.give_back(used[1:])
            return Refusal(used[0].where, "", f"is not valid CSV: {error}; is a double quote left open?")
        if cells is None:
            return None
        if foreign := _foreign(used[0].where, "".join(line.text for line in used)):
            lines.give_back(used[1:])
            return foreign
        if any(cell.strip() for cell in cells):
            return _Row([cell.strip() for cell in cells], used)


def _header_problems(row: _Row) -> Iterator[Refusal]:
    cells = row.cells
    separator = next((sign for sign in (";", "\t", "|") if sign in cells[0]), None)
    if separator:
        yield Refusal(row.where, "", f"has columns separated by {separator!r}: separate them by commas")
        return
    for name, times in islice(Counter(cells).items(), _MOST_COLUMNS):
        if not name:
            yield Refusal(row.where, "", "has a column without a name: remove the column or name it")
        elif name not in _KNOWN:
            yield Refusal(row.where, printable(name), f"is no column: {did_you_mean(name, _KNOWN, 'remove it')}")
        elif times > 1:
            yield Refusal(row.where, name, f"is the name of {times} columns: keep one")
    for name in sorted(_REQUIRED.difference(cells)):
        yield Refusal(row.where, name, "is missing: add this column")


def _csv_record(where: str, cells: Mapping[str, str]) -> Record:
    """The row in the shape of the JSON object. Blank cells are left out."""
    filled = {column: cell for column, cell in cells.items() if cell}
    columns = {f"customer.{name}": column for column, name in _CUSTOMER_COLUMNS.items()}
    customer: dict[str, object] = {
        name: filled[column] for column, name in _CUSTOMER_COLUMNS.items() if column in filled
    }
    contacts: list[dict[str, object]] = []
    for role in Role:
        names = {part: f"{role}_{part}" for part in _CONTACT_PARTS}
        contact = {part: filled[column] for part, column in names.items() if column in filled}
        if contact:
            path = f"customer.contacts[{len(contacts)}]"
            columns |= {f"{path}.{part}": column for part, column in names.items()}
            contacts.append({"role": role.value, **contact})
    plain = {name: filled[name] for name in (*_INVOICE_COLUMNS, *_OPTIONAL_COLUMNS) if name in filled}
    return Record(where, {**plain, "customer": {**customer, "contacts": contacts}}, columns)
