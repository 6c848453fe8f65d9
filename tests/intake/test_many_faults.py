"""Five thousand lines with two hundred faults of fifteen kinds: one pass answers each, and the rest is started."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from dunwell.intake.invoices import InvoiceFile, read_content
from tests.intake.builders import csv_cells, csv_text, record

LINES, FAULTS = 5_000, 200

KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    # what is wrong: the change, the field and the reason in JSON Lines
    "no number": ({"number": ""}, "number", "is missing"),
    "a negative amount": ({"amount": "-5.00"}, "amount", "is not more than zero"),
    "too many digits": ({"amount": "1200.005"}, "amount", "is too fine"),
    "words for an amount": ({"amount": "twelve"}, "amount", "is no amount"),
    "an old currency": ({"currency": "HRK"}, "currency", "is no longer in use"),
    "a small currency": ({"currency": "eur"}, "currency", "is not in capital letters"),
    "no such day": ({"due_on": "2026-02-30"}, "due_on", "2026-02-30"),
    "a day in words": ({"due_on": "soon"}, "due_on", "is not a date"),
    "due before issued": ({"due_on": "2026-03-01"}, "due_on", "is before issued_on"),
    "a country in words": ({"customer__country": "Germany"}, "country", "use 'DE'"),
    "no such zone": ({"customer__time_zone": "GMT+1"}, "time_zone", "is no time zone"),
    "a broken e-mail": ({"customer__contacts": ("email", "ap@lindenhof")}, "email", "is not an e-mail address"),
    "two e-mails": ({"customer__contacts": ("email", "a@x.example; b@x.example")}, "email", "holds 2 addresses"),
    "an unsafe link": ({"payment_url": "http://pay.example.com/1"}, "payment_url", "must begin with https://"),
    "a link for a name": ({"customer__name": "https://evil.example"}, "name", "https://evil.example"),
}


def with_fault(number: int, kind: str | None) -> dict[str, Any]:
    changes = dict(KINDS[kind][0]) if kind else {}
    contact = changes.pop("customer__contacts", None)
    made = record(invoice_id=f"INV-{number}", **changes)
    if contact:
        made["customer"]["contacts"][0][contact[0]] = contact[1]
    return made


def faults() -> dict[int, str]:
    """Which records are bad, and how."""
    places = Random(5).sample(range(LINES), FAULTS)
    return {place: list(KINDS)[n % len(KINDS)] for n, place in enumerate(places)}


def written(form: str) -> bytes:
    bad = faults()
    made = [with_fault(number, bad.get(number)) for number in range(LINES)]
    if form == "jsonl":
        return "\n".join(map(json.dumps, made)).encode()
    cells = [csv_cells(one) for one in made]
    for one in cells:
        one.setdefault("payment_url", "")
    if form == "csv":
        return csv_text(*cells).encode()
    for one in cells:
        one["amount"] = one["amount"].replace(".", ",")
        for name in ("issued_on", "due_on"):
            one[name] = ".".join(reversed(one[name].split("-")))
    names = list(cells[0])
    rows = [names, *([one[name] for name in names] for one in cells)]
    return "\n".join(";".join(f'"{cell}"' for cell in row) for row in rows).encode()


@pytest.mark.parametrize("form", ["jsonl", "csv", "european.csv"])
def test_e1_two_hundred_faults_of_fifteen_kinds_are_told_in_one_pass(form: str) -> None:
    bad, first = faults(), 1 if form == "jsonl" else 2
    file: InvoiceFile = read_content(written(form), f"export.{form}")
    assert {one.invoice_id for one in file.invoices} == {f"INV-{n}" for n in range(LINES) if n not in bad}
    assert Counter(one.where for one in file.refusals) == Counter({f"line {n + first}": 1 for n in bad})
    for refusal in file.refusals:
        kind = bad[int(refusal.where.split()[1]) - first]
        _, field, reason = KINDS[kind]
        assert refusal.field.endswith(field), refusal
        if form != "european.csv":
            assert reason in str(refusal), refusal
        assert refusal.reason and (refusal.value or kind in {"no number", "an unsafe link"}), refusal
        assert "\n" not in str(refusal)
