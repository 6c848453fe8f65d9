"""The rows of a CSV file as records in the shape of the JSON object."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from domain.terms import Role
from intake.invoice_fields import CONTACT, CUSTOMER, INVOICE
from intake.lines import Line, Lines, Record, foreign, kept
from intake.refusals import Refusal, did_you_mean, printable

_RECORD_LINES = 40  # a record longer than this has a quote that was never closed
_CUSTOMER_COLUMNS = {{"id": "customer_id", "name": "customer_name"}.get(name, name): name for name in CUSTOMER}
_REQUIRED = frozenset(
    [name for name, one in INVOICE.items() if one.needed]
    + [column for column, name in _CUSTOMER_COLUMNS.items() if CUSTOMER[name].needed]
)
_CONTACT_PARTS = tuple(name for name in CONTACT if name != "role")
_MOST_COLUMNS = 200  # a wider header is no invoice file
_KNOWN = {*INVOICE, *_CUSTOMER_COLUMNS} | {f"{role}_{part}" for role in Role for part in _CONTACT_PARTS}


def csv_rows(lines: Lines) -> Iterator[Record | Refusal]:
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
    lines: list[Line]

    @property
    def where(self) -> str:
        return self.lines[0].where


def _next_row(lines: Lines) -> _Row | Refusal | None:
    """The next row that is not blank. A row that cannot be read costs its first line only."""
    while True:
        used: list[Line] = []
        source = (line.text for line in kept(islice(lines, _RECORD_LINES), used))
        try:
            cells = next(csv.reader(source, strict=True), None)
        except csv.Error as error:
            lines.give_back(used[1:])
            return Refusal(used[0].where, "", f"is not valid CSV: {error}; is a double quote left open?")
        if cells is None:
            return None
        if bad := foreign(used[0].where, "".join(line.text for line in used)):
            lines.give_back(used[1:])
            return bad
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
    plain = {name: filled[name] for name in INVOICE if name in filled}
    return Record(where, {**plain, "customer": {**customer, "contacts": contacts}}, columns)
