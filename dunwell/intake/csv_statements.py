"""Reads the CSV files of banks by a layout that a person gave once. What can be read in two ways is refused."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from itertools import islice, pairwise

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat
from dunwell.domain.cleaning import printable
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.encoding import decode_table, other_encoding
from dunwell.intake.numbers_and_dates import Choice, Days, Decimals, amount_by, day_by, find_days, find_decimals
from dunwell.intake.statement_parts import (
    Findings,
    StatementError,
    StatementFile,
    account_of,
    minor_units,
    number_of,
    signed,
    word,
    words,
)

_SEPARATORS = (";", ",", "\t", "|")
_HEAD_ROWS = 50  # banks write their name, the account and its balance above the titles
_MONEY = ("amount", "money_in", "money_out")


@dataclass(frozen=True)
class _Row:
    """A row below the titles, with the filled cells of each field."""

    where: str
    cells: dict[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        return next(iter(self.cells.get(name, ())), "")


@dataclass(frozen=True)
class _Way:
    """How the file writes amounts and days."""

    decimals: Decimals
    days: Days | None


def read_csv_statement(content: bytes, layout: StatementLayout) -> StatementFile:
    """Read a CSV file of a bank. Raises StatementError for a file of another layout, and for one in doubt."""
    decoded = decode_table(content, layout.encoding)
    found, text = Findings(), decoded.text.lstrip("\ufeff")
    rows = list(_rows(found, text, layout))
    if not decoded.sure:
        if other_encoding((" ".join(" ".join(cells) for cells in row.cells.values()), "") for row in rows):
            raise StatementError("is not UTF-8, and its encoding is in doubt: name it in the layout, such as cp850")
        found.remarks.append(
            f"letters read as {decoded.encoding}; where that is wrong, name the encoding in the layout"
        )
    way = _way(rows, layout)
    told = [(row, entry) for row in rows if (entry := _entry(found, row, layout, way)) is not None]
    found.take("file", [entry for _, entry in told], balanced="balance" in layout.columns)
    if "balance" in layout.columns:
        _check_balances(found, rows, told, way)
    return found.file(StatementFormat.CSV)


def fits(content: bytes, layout: StatementLayout) -> bool:
    """Whether a row of a CSV file holds every title of the layout."""
    text = decode_table(content, layout.encoding).text.lstrip("\ufeff")
    try:
        next(_rows(Findings(), text, layout), None)
    except StatementError:
        return False
    return True


def _rows(found: Findings, text: str, layout: StatementLayout) -> Iterator[_Row]:
    """Yield the rows below the titles. Raises StatementError when no row holds every title of the layout."""
    wanted = {_key(title) for titles in layout.columns.values() for title in titles}
    for separator in (layout.separator,) if layout.separator else _SEPARATORS:
        reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            head = islice(reader, _HEAD_ROWS)
            titles = next((row for row in head if wanted <= set(map(_key, row))), None)
        except csv.Error:
            continue
        if titles is not None:
            break
    else:
        names = ", ".join(repr(title) for titles in layout.columns.values() for title in titles)
        raise StatementError(f"has no row with all titles of its layout: {names}")
    keys = [_key(title) for title in titles]
    if twice := [title for title in wanted if keys.count(title) > 1]:
        raise StatementError(f"has the column {printable(twice[0])!r} twice: which one counts is in doubt")
    places = {name: tuple(keys.index(_key(title)) for title in titles) for name, titles in layout.columns.items()}
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            found.refuse(
                f"line {reader.line_num}", "", "is damaged: a double quote is left open, or follows a closed one"
            )
            return
        if cells is None:
            return
        where = f"line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        short = len(cells) < len(titles) and any(cell.strip() for cell in cells[1:])
        if short or any(cells[len(titles) :]):
            found.refuse(where, "", f"has {len(cells)} cells, and the titles are {len(titles)}: it is damaged")
            continue
        row = [cell.strip() for cell in cells] + [""] * len(titles)
        yield _Row(where, {name: tuple(row[at] for at in places_of) for name, places_of in places.items()})


def _way(rows: Sequence[_Row], layout: StatementLayout) -> _Way:
    """Return how amounts and days are written: as the layout says, else as the file shows. Raises StatementError."""
    decimals = Choice(Decimals(layout.decimals)) if layout.decimals else find_decimals(_filled(rows, _MONEY))
    days = Choice(Days(layout.days)) if layout.days else find_days(_filled(rows, ("booked_on", "value_on")))
    for choice, what, kinds in ((decimals, "amounts", Decimals), (days, "days", Days)):
        if choice.kind is None and choice.unclear:
            where, cell = choice.unclear
            either = " or ".join(kinds)
            raise StatementError(
                f"can be read in two ways: its {what}, as {cell!r} in {where}; name {either} in the layout"
            )
        if not choice.sure:
            raise StatementError(f"writes its {what} in two ways: get the file from the bank anew")
    return _Way(decimals.kind or Decimals.POINT, days.kind)


def _filled(rows: Sequence[_Row], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for row in rows:
        for name in names:
            if cell := row.one(name).lstrip("+-").strip():
                yield row.where, cell


def _entry(found: Findings, row: _Row, layout: StatementLayout, way: _Way) -> BankEntry | None:
    """Return a movement; None for a row without day and amount, and, with a problem, for one that cannot be read."""
    if not row.one("booked_on") and not any(row.one(name) for name in _MONEY):
        return None  # a line that the bank adds below the movements
    booked_on = day_by(way.days, row.one("booked_on"))
    if booked_on is None:
        reason = "is no day, or is written another way than the others"
        found.refuse(row.where, "booked_on", reason, row.one("booked_on"))
        return None
    currency = row.one("currency").upper() or layout.currency
    amount = _moved(found, row, way, minor_units(currency))
    if not amount:
        return None
    value = row.one("value_on")
    return found.made(
        row.where,
        account=account_of(layout.account),
        reference=word(row.one("reference")),
        booked_on=booked_on,
        value_on=day_by(way.days, value) if value else None,
        amount=abs(amount),
        currency=currency,
        direction=Direction.IN if amount > 0 else Direction.OUT,
        references=tuple(filter(None, (number_of(cell) for cell in row.cells.get("references", ())))),
        text=words(" ".join(row.cells.get("text", ()))),
        end_to_end_id=word(row.one("end_to_end_id")),
        payer_name=word(row.one("payer_name")),
        payer_iban=number_of(row.one("payer_iban")),
    )


def _moved(found: Findings, row: _Row, way: _Way, digits: int | None) -> Decimal | None:
    """Return what the row moved, below zero when it went out; None, with a problem, when that is in doubt."""
    cells = [(name, row.one(name), _amount(row.one(name), way)) for name in _MONEY if row.one(name)]
    for name, cell, amount in cells:
        if amount is None:
            found.refuse(row.where, name, "is no amount", cell)
        elif digits is not None and looks_like_thousands(abs(amount), digits):
            found.refuse(row.where, name, "may stand for thousands or for cents", cell)
        elif name == "money_in" and amount < 0:
            found.refuse(row.where, name, "is below zero, in a column of incoming money", cell)
        else:
            continue
        return None
    filled = [(name, amount) for name, _, amount in cells if amount]
    if not cells or len(filled) > 1:
        found.refuse(row.where, "amount", "is missing, or stands in two columns")
        return None
    return next((-abs(amount) if name == "money_out" else amount for name, amount in filled), Decimal(0))


def _amount(cell: str, way: _Way) -> Decimal | None:
    return amount_by(way.decimals, cell.removeprefix("+").replace("\u2212", "-").strip())


def _check_balances(found: Findings, rows: Sequence[_Row], told: Sequence[tuple[_Row, BankEntry]], way: _Way) -> None:
    """Note where the balance of a movement does not follow from the one before, oldest or latest first."""
    balances = [(row, _amount(row.one("balance"), way), signed(entry)) for row, entry in told]
    if bad := next((row for row, balance, _ in balances if balance is None), None):
        found.refuse(bad.where, "balance", "is no amount", bad.one("balance"))
        return
    pairs = list(pairwise((row, balance or Decimal(0), amount) for row, balance, amount in balances))
    falling = [later[0] for one, later in pairs if one[1] - one[2] != later[1]]
    rising = [later[0] for one, later in pairs if one[1] + later[2] != later[1]]
    if falling and rising:
        row = min(falling, rising, key=len)[0]
        found.refuse(row.where, "balance", "does not follow from the movement beside it: some are missing or damaged")


def _key(title: str) -> str:
    return " ".join(title.lower().split())
