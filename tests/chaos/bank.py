"""Our bank in a storm: what customers transfer, and the statements of it, in four formats that overlap.

The bank closes a day every few seconds. Each file tells whole days, the last one and some before it, so that the same
money is told by several files and formats. Every transfer has an end-to-end id, its mark, which also stands in its
text.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from dunwell.domain.principals import SYSTEM
from dunwell.domain.statement_layout import StatementLayout
from dunwell.store import statement_layouts
from dunwell.store.database import Database
from tests.chaos.town import BEGINS
from tests.intake.statements import ACCOUNT, camt, camt_entry, mt940

Format = Literal["camt.053", "camt.054", "mt940", "csv"]
FORMATS: tuple[Format, ...] = ("camt.053", "camt.054", "mt940", "csv")
LAYOUT = "the storm's bank"
_ENDINGS = {"camt.053": "xml", "camt.054": "xml", "mt940": "sta", "csv": "csv"}
_MOST_DAYS = 3
_MOST_CLOSED = 120
"""The bank's days end before the cases begin: whatever a case's clock shows, no transfer lies ahead."""
_TITLES = ("Buchungstag", "Name", "IBAN", "Zweck", "Referenz", "Betrag")
_COLUMNS = ("booked_on", "payer_name", "payer_iban", "text", "end_to_end_id", "amount")


@dataclass(frozen=True)
class Transfer:
    """Money that came to our account, or went back: then under the mark of what it returns."""

    mark: str
    amount: Decimal
    text: str
    name: str
    iban: str
    returns: bool = False


@dataclass(frozen=True)
class Statement:
    """A file, and the marks of the transfers that it tells."""

    name: str
    format: Format
    content: bytes
    marks: tuple[str, ...]

    @property
    def layout(self) -> str:
        """Under which its columns are known; "" for formats that need none."""
        return LAYOUT if self.format == "csv" else ""


@dataclass
class Bank:
    """One account in euros. `chance` decides what a file tells, and how."""

    chance: random.Random
    days: list[list[Transfer]] = field(default_factory=lambda: [[]])
    files: int = 0
    owners: dict[str, str] = field(default_factory=dict)
    """By mark, the invoice that whoever is asked can name."""

    def take(self, transfer: Transfer) -> None:
        """Book a transfer on the day that is open."""
        self.days[-1].append(transfer)

    def close_day(self, *formats: Format) -> list[Statement]:
        """Close the day. Returns a file of each format, which tells it and at most two days before it."""
        self.days.append([])
        last = len(self.days) - 1
        first = max(0, last - self.chance.randint(1, _MOST_DAYS))
        told = [(_day(number), one) for number in range(first, last) for one in self.days[number]]
        return [self._file(format_, told) for format_ in formats] if told else []

    def _file(self, format_: Format, told: Sequence[tuple[date, Transfer]]) -> Statement:
        self.files += 1
        name = f"statement-{self.files}.{_ENDINGS[format_]}"
        content = {"mt940": _mt940, "csv": _csv}.get(format_, lambda found: _camt(found, format_))(told)
        return Statement(name, format_, content, tuple(one.mark for _, one in told))


def keep_layout(database: Database) -> None:
    """Say how the bank's CSV files are read. Blocking."""
    layout = StatementLayout(
        account=ACCOUNT,
        currency="EUR",
        columns={field: (title,) for field, title in zip(_COLUMNS, _TITLES, strict=True)},
        decimals="decimal-comma",
        days="day-first",
        separator=";",
    )
    with database.writing_beside_customers() as session:
        statement_layouts.put(session, LAYOUT, layout, SYSTEM, BEGINS)


def _day(number: int) -> date:
    return BEGINS.date() - timedelta(days=max(_MOST_CLOSED - number, 0))


def _camt(told: Sequence[tuple[date, Transfer]], format_: str) -> bytes:
    entries = [
        camt_entry(
            str(one.amount),
            sign="DBIT" if one.returns else "CRDT",
            reference=_reference(one),
            day=day.isoformat(),
            more="<RvslInd>true</RvslInd>" if one.returns else "",
            details=_transaction(one),
        )
        for day, one in told
    ]
    return camt(*entries, kind=format_.removeprefix("camt."))


def _transaction(one: Transfer) -> str:
    return (
        f"<TxDtls><Refs><EndToEndId>{one.mark}</EndToEndId></Refs><RltdPties><Dbtr><Nm>{one.name}</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{one.iban}</IBAN></Id></DbtrAcct></RltdPties>"
        f"<RmtInf><Ustrd>{one.text}</Ustrd></RmtInf></TxDtls>"
    )


def _mt940(told: Sequence[tuple[date, Transfer]]) -> bytes:
    lines, balance = [], Decimal(0)
    for day, one in told:
        balance += -one.amount if one.returns else one.amount
        mark, amount = "RC" if one.returns else "C", f"{one.amount:.2f}".replace(".", ",")
        lines.append(f":61:{day:%y%m%d%m%d}{mark}{amount}NTRFNONREF")
        lines.append(f":86:/TRTP/SEPA OVERBOEKING/IBAN/{one.iban}/NAME/{one.name}/EREF/{one.mark}/REMI/{one.text}")
    sign, rest = "D" if balance < 0 else "C", f"{abs(balance):.2f}".replace(".", ",")
    return mt940(
        lines, opening=f"C{told[0][0]:%y%m%d}EUR0,00", closing=f"{sign}{told[-1][0]:%y%m%d}EUR{rest}"
    ).encode()


def _csv(told: Sequence[tuple[date, Transfer]]) -> bytes:
    rows = [";".join(_TITLES)]
    for day, one in told:
        amount = f"{'-' if one.returns else ''}{one.amount:.2f}".replace(".", ",")
        rows.append(f"{day:%d.%m.%Y};{one.name};{one.iban};{one.text};{one.mark};{amount}")
    return ("\n".join(rows) + "\n").encode()


def _reference(one: Transfer) -> str:
    """The bank's own reference: of a returned payment, not that of the payment."""
    return f"B{one.mark}{'R' if one.returns else ''}"
