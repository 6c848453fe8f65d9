"""Reads the rows of a CSV file, in any dialect, as records in the shape of the JSON object."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice

from dunwell.domain.cleaning import printable
from dunwell.intake.csv_columns import INVOICES, ColumnMap, Header, Layout, count_known, read_header
from dunwell.intake.csv_dialect import SEPARATORS, Dialect
from dunwell.intake.encoding import Decoded, other_encoding
from dunwell.intake.lines import Line, Lines, Record, bad_byte, kept
from dunwell.intake.numbers_and_dates import Choice, Days, Decimals, find_days, find_decimals
from dunwell.intake.refusals import Refusal
from dunwell.intake.source_lines import SourceLines

_HEAD_LINES = 60
"""The first lines of a file, among which its titles are looked for."""
_TOTAL = re.compile(
    r"(?:(?:zwischen|gesamt|end)?summe|gesamt|(?:sub-?|grand )?totale?|sum|somme|suma|totaal)\b.{0,30}"
)
"""How a row begins that sums up the others."""
_RECORD_LINES = 40  # in a longer record a quote was never closed
_LONGEST_CELL = csv.field_size_limit()
_DEFAULT = Dialect(",", "utf-8", Choice(Decimals.POINT), Choice())
_SHOWN = 8  # unused columns named in a note


@dataclass(frozen=True)
class Table:
    """The records of a file.

    note    says in one line how a CSV file was read; None for one in the default dialect
    source  its lines as they stand there; None where no line could be told from another
    """

    records: tuple[Record | Refusal, ...]
    note: str | None = None
    is_csv: bool = True
    source: SourceLines | None = None


@dataclass(frozen=True)
class _Row:
    cells: list[str]
    lines: list[Line]

    @property
    def where(self) -> str:
        return self.lines[0].where


def read_table(decoded: Decoded, asked: Dialect, mapped: ColumnMap, layout: Layout = INVOICES) -> Table:
    """Return the records of a CSV file. What `asked` leaves open is determined from the file.

    A file that can be read in two ways gives one refusal, which names the option that decides it.
    """
    lines = Lines(StringIO(decoded.text, newline=""))
    separator, above = _at_titles(lines, asked, mapped, layout)
    first = _next_row(lines, separator)
    if first is None or isinstance(first, Refusal):
        return Table((first,) if first else ())
    header = read_header(first.where, first.cells, mapped, layout)
    if isinstance(header, Refusal):
        return Table((header,))
    every = tuple(_rows(lines, separator, header))
    rows = tuple(_without_totals(every, header, layout))
    good = [row for row in rows if isinstance(row, _Row)]
    dialect = _dialect(separator, decoded.encoding, asked, good, header, layout)
    refusal = _ambiguity(dialect) or (None if decoded.sure else _ambiguous_encoding(good, header))
    if refusal:
        return Table((refusal,))
    return Table(
        tuple(
            replace(layout.record(row.where, header, row.cells), dialect=dialect) if isinstance(row, _Row) else row
            for row in rows
        ),
        _note(dialect, header, above),
        source=SourceLines(
            decoded.text,
            tuple(first.cells),
            {row.where: row.cells for row in every if isinstance(row, _Row)},
            separator,
        ),
    )


def read_titles(decoded: Decoded, asked: Dialect, mapped: ColumnMap) -> list[str]:
    """Return the titles of the columns of a CSV file; empty where it has no readable first row."""
    lines = Lines(StringIO(decoded.text, newline=""))
    separator, _ = _at_titles(lines, asked, mapped, INVOICES)
    first = _next_row(lines, separator)
    return first.cells if isinstance(first, _Row) else []


def _dialect(
    separator: str, encoding: str, asked: Dialect, rows: Sequence[_Row], header: Header, layout: Layout
) -> Dialect:
    decimals, days = asked.decimals, asked.days
    if decimals.kind is None:
        decimals = find_decimals(_cells(rows, header, "amount", layout))
    if decimals.kind is None and separator == _DEFAULT.separator:
        decimals = _DEFAULT.decimals
    if days.kind is None:
        days = find_days(_cells(rows, header, "day", layout))
    return Dialect(separator, encoding, decimals, days)


def _separator(lines: Lines, mapped: ColumnMap, layout: Layout) -> str:
    """Return the separator with which the header has the most known columns."""
    head = list(islice(lines, _HEAD_LINES))
    title = next((line for line in head if line.text.strip()), None)
    said = title.text.strip().lower().removeprefix("sep=") if title else ""
    if title and title.text.strip().lower().startswith("sep=") and said in SEPARATORS.values():
        lines.give_back(head[head.index(title) + 1 :])  # Excel's own line for this
        return said
    lines.give_back(head)

    def columns(separator: str) -> tuple[int, int]:
        rows = _head_rows(lines, separator)
        at = _header_at(rows, mapped, layout)
        return count_known(rows[at], mapped, layout) if rows else (0, 0)

    return max(SEPARATORS.values(), key=columns)


def _at_titles(lines: Lines, asked: Dialect, mapped: ColumnMap, layout: Layout) -> tuple[str, int]:
    """Skip what stands above the titles, such as the name of the list and its day.

    Returns the separator of the cells, and how many rows were skipped.
    """
    separator = asked.separator or _separator(lines, mapped, layout)
    above = _header_at(_head_rows(lines, separator), mapped, layout)
    for _ in range(above):
        _next_row(lines, separator)
    return separator, above


def _head_rows(lines: Lines, separator: str) -> list[list[str]]:
    """Return the cells of the first rows that are not blank, up to a damaged one. The lines stay as they are."""
    head = list(islice(lines, _HEAD_LINES))
    lines.give_back(head)
    rows: list[list[str]] = []
    try:
        for cells in csv.reader((line.text for line in head), delimiter=separator, strict=True):
            if any(cell.strip() for cell in cells):
                rows.append([cell.strip() for cell in cells])
    except csv.Error:
        pass  # reading the file says what is wrong
    return rows


def _header_at(rows: Sequence[Sequence[str]], mapped: ColumnMap, layout: Layout) -> int:
    """Return the place of the titles: the first row with known ones, else the first not far shorter than the others.

    One known word makes no titles: a line above them may hold it.
    """
    known = (at for at, row in enumerate(rows) if count_known(row, mapped, layout)[0] > 1)
    filled = [sum(map(bool, row)) for row in rows]
    long = (at for at, count in enumerate(filled) if 2 * count > max(filled))
    return next(known, next(long, 0))


def _without_totals(rows: Iterable[_Row | Refusal], header: Header, layout: Layout) -> Iterator[_Row | Refusal]:
    """Yield the rows, and for the total of a list one refusal that says so."""
    needed = [at for name in layout.needed(header.places) if (at := header.places[name]) < header.width]
    for row in rows:
        if isinstance(row, _Row):
            first = next(cell for cell in row.cells if cell)
            blank = sum(not row.cells[at] for at in needed)
            if 2 * blank >= len(needed) and _TOTAL.fullmatch(first.lower()):
                yield Refusal(row.where, "", "looks like the total of the list, and is left out", printable(first))
                continue
        yield row


def _rows(lines: Lines, separator: str, header: Header) -> Iterator[_Row | Refusal]:
    width = header.width
    while row := _next_row(lines, separator):
        if isinstance(row, Refusal):
            yield row
            continue
        cells = row.cells[:width] if not any(row.cells[width:]) else row.cells
        if len(cells) == width:
            yield _Row([*cells, *header.fixed.values()], row.lines)
            continue
        # An open quote may have joined several records into this one: read its later lines again.
        lines.give_back(row.lines[1:])
        counts = f"has {len(row.cells)} cells, the header has {width}"
        yield Refusal(row.where, "", f"{counts}: write cells that hold {_named(separator)} in double quotes")


def _next_row(lines: Lines, separator: str) -> _Row | Refusal | None:
    """Return the next row that is not blank; None at the end. After a refusal reading goes on with the next line."""
    while True:
        used: list[Line] = []
        source = (line.text for line in kept(islice(lines, _RECORD_LINES), used))
        try:
            cells = next(csv.reader(source, delimiter=separator, strict=True), None)
        except csv.Error:
            lines.give_back(used[1:])
            return Refusal(used[0].where, "", _why_broken(used[0].text))
        if cells is None:
            return None
        if bad := bad_byte(used[0].where, "".join(line.text for line in used)):
            lines.give_back(used[1:])
            return bad
        if any(cell.strip() for cell in cells):
            return _Row([cell.strip() for cell in cells], used)


def _why_broken(text: str) -> str:
    if len(text) > _LONGEST_CELL:
        return f"has a cell of more than {_LONGEST_CELL} characters: shorten it"
    return "has a double quote left open, or a sign after a closed one: a quote inside a quoted cell is written twice"


def _cells(rows: Sequence[_Row], header: Header, kind: str, layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield place and text of every filled cell in the columns whose fields are of this kind."""
    columns = {header.titles[name]: at for name, at in header.places.items() if layout.fields[name].kind == kind}
    for row in rows:
        for title, at in columns.items():
            if row.cells[at]:
                yield f"{row.where}: {title}", row.cells[at]


# Files that can be read in two ways ---------------------------------------------------------------------


def _ambiguity(dialect: Dialect) -> Refusal | None:
    """Return a refusal if amounts or dates can be read in two ways and no cell decides it; else None."""
    if dialect.days.kind is None and dialect.days.unclear:
        return _unclear(dialect.days, "no other date tells whether day or month comes first", Days)
    if dialect.decimals.kind is None and dialect.decimals.unclear:
        return _unclear(dialect.decimals, "no other amount tells whether that is thousands or cents", Decimals)
    return None


def _unclear(choice: Choice[Days] | Choice[Decimals], why: str, kinds: type[Days] | type[Decimals]) -> Refusal:
    place, cell = choice.unclear or ("", "")
    where, _, title = place.partition(": ")
    words = " or ".join(f"--dialect {kind}" for kind in kinds)
    return Refusal(where, title, f"can be read in two ways, and {why}: say {words}", printable(cell))


def _ambiguous_encoding(rows: Sequence[_Row], header: Header) -> Refusal | None:
    country = header.places.get("country")
    texts = ((" ".join(filter(str, row.cells)), row.cells[country] if country is not None else "") for row in rows)
    found = other_encoding(texts)
    if found is None:
        return None
    text, page = found
    row = next(one for one in rows if " ".join(filter(str, one.cells)) == text)
    word = next(cell for cell in row.cells if not cell.isascii())
    return Refusal(
        row.where,
        "",
        f"is not UTF-8, and its letters may be of windows-1252 or of {page}: save the file as UTF-8, or say "
        f"--dialect windows-1252 or --dialect {page}",
        printable(word),
    )


# The note on how a file was read ------------------------------------------------------------------------


def _note(dialect: Dialect, header: Header, above: int) -> str | None:
    said = []
    if above:
        said.append(f"{above} {'line' if above == 1 else 'lines'} above the titles skipped")
    if dialect.separator != _DEFAULT.separator:
        said.append(f"columns separated by {_named(str(dialect.separator))}")
    if dialect.decimals.kind is Decimals.COMMA:
        said.append("amounts with a decimal comma")
    if dialect.days.kind:
        said.append("days first (31.12.2027)" if dialect.days.kind is Days.DAY else "months first (12/31/2027)")
    if dialect.encoding != _DEFAULT.encoding:
        said.append(f"letters as in {dialect.encoding}")
    if header.fixed:
        given = ", ".join(f"{name} {printable(value)}" for name, value in header.fixed.items())
        said.append(f"every record with {given}")
    if header.unused:
        more = ", ..." if len(header.unused) > _SHOWN else ""
        names = ", ".join(map(printable, header.unused[:_SHOWN])) + more
        said.append(f"{len(header.unused)} of {header.width} columns not used ({names})")
    return f"Read with {'; '.join(said)}. Where that is wrong, say --dialect, --map or --set." if said else None


def _named(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}.get(separator, repr(separator))
