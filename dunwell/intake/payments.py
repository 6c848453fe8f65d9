"""Reads files of payments: CSV in any dialect, JSON or JSON Lines. A bad record does not affect others."""

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dunwell.domain.cleaning import printable
from dunwell.domain.noon import noon
from dunwell.domain.spelling import did_you_mean
from dunwell.domain.terms import Head
from dunwell.intake import amount_checks, day_checks, text_checks
from dunwell.intake.csv_columns import ColumnMap, Header, Layout
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.currencies import Currency
from dunwell.intake.file_formats import read_records
from dunwell.intake.invoice_fields import Field
from dunwell.intake.lines import Record
from dunwell.intake.record_fields import Fields
from dunwell.intake.refusals import InvalidValue, Refusal, shown
from dunwell.intake.source_lines import SourceLines


@dataclass(frozen=True)
class PaymentRecord:
    """A payment as a file tells it, with its place there. `currency` None: the invoice's own."""

    where: str
    invoice_id: str
    payment_id: str
    amount: Decimal
    currency: str | None
    received_on: date | None
    method: str | None
    designation: Head | None

    @property
    def content(self) -> dict[str, str]:
        """The fields of the event `payment_received`, without the currency where the file names none."""
        at = noon(self.received_on) if self.received_on else None
        given = {
            "payment_id": self.payment_id,
            "amount": str(self.amount),
            "currency": self.currency,
            "received_at": at.isoformat() if at else None,
            "method": self.method,
            "designation": self.designation.value if self.designation else None,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class PaymentFile:
    """The content of a file of payments.

    note    says how a CSV file was read; None for the default dialect
    source  the lines of the file as they stand there; None where no line could be told from another
    """

    payments: tuple[PaymentRecord, ...]
    refusals: tuple[Refusal, ...]
    note: str | None = None
    source: SourceLines | None = None


def _head(value: object) -> Head:
    word = text_checks.text(value)
    if word not in set(Head):
        raise InvalidValue(f"is no head of a claim: {did_you_mean(word, Head)}")
    return Head(word)


def _payment_id(value: object) -> str:
    return text_checks.text(value, 100)


def _fields(*fields: Field) -> Mapping[str, Field]:
    return MappingProxyType({one.name: one for one in fields})


# fmt: off
PAYMENT = _fields(
    Field("invoice_id", text_checks.identifier, "id", "The invoice that was paid.", "INV-2027-0417", needed=True),
    Field("payment_id", _payment_id, "id", "The bank's or provider's id of the payment; it counts once.",
          "bank-7731", needed=True),
    Field("amount", amount_checks.amount, "amount", "What came in.", "1200.00", needed=True),
    Field("currency", amount_checks.currency, "code", "ISO 4217. Left out: the invoice's own.", "EUR"),
    Field("received_at", day_checks.day, "day", "The day on which it came in. Left out: today.", "2027-03-02"),
    Field("method", text_checks.text, "text", "Such as card or transfer.", "transfer"),
    Field("designation", _head, "word", "The head of the claim that the customer named for it.", "principal"),
)
# fmt: on


def _needed(names: Collection[str]) -> Sequence[str]:
    return [name for name, one in PAYMENT.items() if one.needed]


def _record(where: str, header: Header, cells: Sequence[str]) -> Record:
    filled = {name: cells[at] for name, at in header.places.items() if cells[at]}
    return Record(where, filled, header.titles)


PAYMENTS = Layout("a file of payments", "docs/payments.md", PAYMENT, _needed, _record)


def read_payments(path: str, asked: Dialect | None = None, mapped: ColumnMap | None = None) -> PaymentFile:
    """Read the payments of the file at `path`; "-" is standard input.

    Raises OSError when it cannot be read, Refused when `asked` or `mapped` are given for a file that is no CSV.
    """
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return payments_of(content, path, asked, mapped)


def payments_of(
    content: bytes, name: str, asked: Dialect | None = None, mapped: ColumnMap | None = None
) -> PaymentFile:
    """Read the payments of a file. Bad records give refusals; records that share a payment are all refused."""
    asked, mapped = asked or Dialect(), mapped or ColumnMap()
    table = read_records(content, name, asked, mapped, PAYMENTS)
    payments: list[PaymentRecord] = []
    refusals: list[Refusal] = []
    for item in table.records:
        found = [item] if isinstance(item, Refusal) else _parse(item)
        if isinstance(found, PaymentRecord):
            payments.append(found)
        else:
            refusals += found
    twice = _repeated(payments)
    good = [one for one in payments if (one.invoice_id, one.payment_id) not in twice]
    return PaymentFile(tuple(good), (*refusals, *twice.values()), table.note, table.source)


def _parse(record: Record) -> PaymentRecord | list[Refusal]:
    fields = Fields(record, record.data, PAYMENT, "", [])
    unit: Currency | None = fields.take(PAYMENT["currency"])
    values: dict[str, Any] = {
        "invoice_id": fields.take(PAYMENT["invoice_id"]),
        "payment_id": fields.take(PAYMENT["payment_id"]),
        "amount": fields.take(PAYMENT["amount"], unit=unit),
        "currency": unit and unit.code,
        "received_on": fields.take(PAYMENT["received_at"]),
        "method": fields.take(PAYMENT["method"]),
        "designation": fields.take(PAYMENT["designation"]),
    }
    refusals = [replace(one, about=_about(record)) for one in fields.refusals]
    return refusals or PaymentRecord(record.where, **values)


def _about(record: Record) -> str:
    """Return what a record is about, as far as it says so: "payment bank-7731 of invoice 1001"."""
    data = record.data if isinstance(record.data, Mapping) else {}
    said = [(word, data.get(name)) for word, name in (("payment", "payment_id"), ("invoice", "invoice_id"))]
    return " of ".join(f"{word} {printable(one)}" for word, one in said if isinstance(one, str) and one.strip())


def _repeated(payments: Sequence[PaymentRecord]) -> dict[tuple[str, str], Refusal]:
    """Return a refusal for each payment that several records tell of one invoice: they may be two or one."""
    counts = Counter((one.invoice_id, one.payment_id) for one in payments)
    refusals = {}
    for key, times in counts.items():
        if times > 1:
            places = [one.where for one in payments if (one.invoice_id, one.payment_id) == key]
            others = ", ".join(places[1:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
            reason = f"stands on {others} too, so none of them is recorded: give each payment an id of its own"
            refusals[key] = Refusal(places[0], "payment_id", reason, shown(key[1]), also=tuple(places[1:]))
    return refusals
