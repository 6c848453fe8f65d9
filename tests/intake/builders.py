"""A good record, and the same one with a part changed."""

import copy
import csv
import io
from collections.abc import Mapping
from typing import Any

GONE = object()
"""As a value: leave this field out."""

_CUSTOMER_COLUMNS = {"id": "customer_id", "name": "customer_name"}


def record(**changes: object) -> dict[str, Any]:
    """An invoice record that is accepted. Keys of `changes` are paths with "__" for a dot: customer__country."""
    made: dict[str, Any] = {
        "invoice_id": "INV-1",
        "number": "2026/0001",
        "customer": {
            "id": "C-1",
            "name": "Lindenhof Maschinenbau GmbH",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "language": "de",
            "contacts": [
                {"role": "accounts_payable", "name": "Katrin Vogel", "email": "ap@lindenhof.example"},
                {"role": "account_manager", "name": "Helen Marsh", "email": "helen@example.com"},
            ],
        },
        "amount": "1200.00",
        "currency": "EUR",
        "issued_on": "2026-03-02",
        "due_on": "2026-04-01",
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = made
        for parent in parents:
            target = target[parent]
        if value is GONE:
            del target[last]
        else:
            target[last] = copy.deepcopy(value)
    return made


def with_contact(**changes: object) -> dict[str, Any]:
    """A record whose first contact is changed."""
    made = record()
    first = made["customer"]["contacts"][0]
    made["customer"]["contacts"][0] = {k: v for k, v in (first | changes).items() if v is not GONE}
    return made


def csv_cells(made: Mapping[str, Any]) -> dict[str, str]:
    """The record as cells of a CSV row. Roles must differ."""
    cells = {name: value for name, value in made.items() if name != "customer"}
    for name, value in made["customer"].items():
        if name != "contacts":
            cells[_CUSTOMER_COLUMNS.get(name, name)] = value
    for contact in made["customer"]["contacts"]:
        cells |= {f"{contact['role']}_{part}": value for part, value in contact.items() if part != "role"}
    return cells


def csv_text(*rows: Mapping[str, str]) -> str:
    """A CSV file with every column that a row needs."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()
