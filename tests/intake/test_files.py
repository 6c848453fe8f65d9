"""Files in each format: the same invoices come out, and what is broken is refused where it stands."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.invoice import Invoice
from dunwell.intake.invoices import Refusal, read_content, read_file
from tests.intake.builders import csv_cells, csv_text, record

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FULL: list[dict[str, Any]] = [
    record(invoice_id="INV-1", payment_url="https://pay.example.com/1", policy="gentle-saas"),
    record(invoice_id="INV-2", jurisdiction="DE", customer__id="C-2", customer__name='Stein, Holz & "Glas" AG'),
    record(
        invoice_id="INV-3", currency="JPY", amount="264000", customer__id="C-3", customer__name="株式会社みどり印刷"
    ),
]
FULL[1]["customer"]["contacts"][0] |= {"phone": "+493023125418", "post": "Werkstr. 12\n10115 Berlin"}
ONE, TWO, THREE = (json.dumps(record(invoice_id=f"INV-{n}")) for n in (1, 2, 3))
TWO_CELLS = csv_text(csv_cells(record(invoice_id="INV-1")), csv_cells(record(invoice_id="INV-2")))
HEADER, ROW_1, ROW_2 = TWO_CELLS.splitlines()


def read(text: str, name: str = "-") -> tuple[list[Invoice], list[Refusal]]:
    found = read_content(text.encode("utf-8", "surrogatepass"), name)
    return list(found.invoices), list(found.refusals)


def ids(invoices: list[Invoice]) -> list[str]:
    return [invoice.invoice_id for invoice in invoices]


WRITTEN = {
    "lines": "\n".join(json.dumps(made) for made in FULL),
    "list": json.dumps(FULL),
    "pretty list": json.dumps(FULL, indent=2, ensure_ascii=False),
    "pretty objects": "\n".join(json.dumps(made, indent=2) for made in FULL),
    "cells": csv_text(*map(csv_cells, FULL)),
}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("lines", "i.jsonl"),
        ("lines", "i.NDJSON"),
        ("lines", "i.json"),  # one object after the other is a document too
        ("list", "i.json"),
        ("pretty list", "i.json"),
        ("pretty objects", "i.json"),
        ("cells", "i.csv"),
        # without a suffix the first sign tells
        ("lines", "-"),
        ("list", "-"),
        ("pretty list", "-"),
        ("pretty objects", "-"),
        ("cells", "invoices.txt"),
    ],
)
@pytest.mark.parametrize("before", ["", "\ufeff", "\n \n"], ids=["plain", "byte order mark", "blank lines"])
def test_every_format_gives_the_same_invoices(written: str, name: str, before: str) -> None:
    expected, _ = read(WRITTEN["lines"], "i.jsonl")

    invoices, refusals = read(before + WRITTEN[written], name)

    assert refusals == []
    assert invoices == expected and len(invoices) == 3


@pytest.mark.parametrize("name", ["-", "i.json", "i.jsonl", "i.csv"])
@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n  \n"])
def test_an_empty_file_holds_nothing(text: str, name: str) -> None:
    assert read(text, name) == ([], [])


@pytest.mark.parametrize(("text", "name"), [("[]", "i.json"), (" [ ] ", "-"), (HEADER, "i.csv")])
def test_a_file_without_records_holds_nothing(text: str, name: str) -> None:
    assert read(text, name) == ([], [])


DEEP = "[" * 100_000
# (text, name, ids accepted, where, field, part of the reason)
BROKEN: list[Any] = [
    # JSON Lines: a bad line costs itself
    (f"{ONE}\n\n{{oops\n{TWO}", "i.jsonl", ["INV-1", "INV-2"], "line 3", "", "is not valid JSON at column 2"),
    (f"{ONE}\n17\n{TWO}", "i.jsonl", ["INV-1", "INV-2"], "line 2", "", "is a number: write an object"),
    (f"{ONE} {TWO}\n{THREE}", "i.jsonl", ["INV-3"], "line 1", "", "there is more text after its end"),
    (f"{DEEP}\n{ONE}", "i.jsonl", ["INV-1"], "line 1", "", "nested too deeply"),
    (f'{{"a":{DEEP}\n{ONE}', "-", ["INV-1"], "line 1", "", "nested too deeply"),
    (f'{{"number": "cut\n{ONE}', "-", ["INV-1"], "line 1", "", "is not valid JSON"),
    (f"{{oops}}\n{ONE}", "-", ["INV-1"], "line 1", "", "is not valid JSON"),
    (f"{ONE}\n{ONE}\n{TWO}", "i.jsonl", ["INV-2"], "line 1", "invoice_id", "stands on line 2 too"),
    (
        ONE.replace('"number"', '"amount": "1.00", "number"') + f"\n{TWO}",
        "i.jsonl", ["INV-2"], "line 1", "amount", "more than once",
    ),
    (
        ONE.replace('"role"', '"name": "x", "role"', 1) + f"\n{TWO}",
        "i.jsonl", ["INV-2"], "line 1", "customer.contacts[0].name", "more than once",
    ),
    (ONE.replace('"1200.00"', "1" * 5000) + f"\n{TWO}", "i.jsonl", ["INV-2"], "line 1", "amount", "too large"),
    (ONE.replace('"1200.00"', "1e99999999999999999999") + f"\n{TWO}",
     "i.jsonl", ["INV-2"], "line 1", "amount", "finite"),
    (ONE.replace('"1200.00"', "NaN") + f"\n{TWO}", "i.jsonl", ["INV-2"], "line 1", "amount", "no exact number"),
    # JSON: an item costs itself while its brackets match
    (f"[{ONE},\n{{oops}},\n{TWO}]", "i.json", ["INV-1", "INV-2"], "line 2, record 2", "", "at line 2, column 2"),
    (f'[{ONE},\n{{"a": "b, "c": 1}},\n{TWO}]', "i.json",
     ["INV-1", "INV-2"], "line 2, record 2", "", "not valid JSON"),
    (f"[{ONE},\n{DEEP}{']' * 100_000},\n{TWO}]", "i.json", ["INV-1", "INV-2"], "line 2, record 2", "", "too deeply"),
    (f"[{ONE},\n{ONE}]", "i.json", [], "line 1, record 1", "invoice_id", "stands on line 2, record 2 too"),
    (f"[{ONE},\noops, {TWO}]", "i.json", ["INV-1"], "line 2, record 2", "", "nothing after this was read"),
    (f"[{ONE},\n{{]\n{TWO}]", "i.json", ["INV-1"], "line 2, record 2", "", "nothing after this was read"),
    (f'[{ONE},\n{{"a": 1', "i.json", ["INV-1"], "line 2, record 2", "", "nothing after this was read"),
    (f"[{ONE},\n", "i.json", ["INV-1"], "line 2", "", "no closing ']'"),
    (f"[{ONE}]\n{TWO}", "i.json", ["INV-1"], "line 1", "", "more text after the list's ']'"),
    # CSV: a bad row costs itself
    (f"{HEADER}\n,,\n{ROW_1},extra\n{ROW_2}", "i.csv", ["INV-2"], "line 3", "", "has 16 cells, the header has 15"),
    (f"{HEADER}\nINV-9,x\n{ROW_2}", "i.csv", ["INV-2"], "line 2", "", "has 2 cells"),
    (f'{HEADER}\nINV-9,"open\n{ROW_1}\n{ROW_2}', "i.csv",
     ["INV-1", "INV-2"], "line 2", "", "double quote left open"),
    (f'{HEADER}\nINV-9,"a"b\n{ROW_1}', "i.csv", ["INV-1"], "line 2", "", "a sign after a closed one"),
    (f"{HEADER}\n{'x' * 200_000}\n{ROW_1}", "i.csv", ["INV-1"], "line 2", "", "a cell of more than 131072"),
    (f"{HEADER}\n{ROW_1}\n{ROW_1}", "i.csv", [], "line 2", "invoice_id", "stands on line 3 too"),
    # CSV: a problem bears the column's name
    (f"{HEADER}\n{ROW_1.replace('Berlin', 'Berlim')}", "i.csv", [], "line 2", "time_zone", "Europe/Berlin"),
    (f"{HEADER}\n{ROW_1.replace('ap@', 'ap')}", "i.csv", [], "line 2", "accounts_payable_email", "e-mail"),
    (f"{HEADER}\n{ROW_1.replace('Katrin Vogel', '')}", "i.csv", [], "line 2", "accounts_payable_name", "missing"),
    (f"{HEADER}\n{ROW_1.replace('C-1,', ',')}", "i.csv", [], "line 2", "customer_id", "missing"),
    # CSV: a wrong header is said once and not for each row
    (TWO_CELLS.replace("amount", "amout", 1).replace("number", "amount", 1).replace("amout", "number", 1),
     "i.csv", [], "line 2", "amount", "is no amount"),
    (TWO_CELLS.replace("account_manager_name", "acount_manager_name"), "i.csv", [], "line 1",
     "columns", "missing: 'account_manager_name'; not known: 'acount_manager_name'"),
    (TWO_CELLS.replace("account_manager_name", "shoe size"), "i.csv", [], "line 1", "columns",
     "missing: 'account_manager_name'; not known: 'shoe size'"),
    (TWO_CELLS.replace("account_manager_name", "number"), "i.csv", [], "line 1", "columns",
     "more than once: 'number'"),
    (f"\n{TWO_CELLS.replace('due_on,', '')}", "i.csv", [], "line 2", "columns", "missing: 'due_on'"),
    (f'"{TWO_CELLS}', "i.csv", [], "line 1", "", "a double quote left open"),
    ("%PDF-1.7", "-", [], "line 1", "columns", "not known: '%PDF-1.7'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "good", "where", "field", "reason"), BROKEN, ids=[str(n) for n in range(len(BROKEN))]
)
def test_what_is_broken_is_refused_where_it_stands(
    text: str, name: str, good: list[str], where: str, field: str, reason: str
) -> None:
    invoices, refusals = read(text, name)

    assert ids(invoices) == good
    assert (refusals[0].where, refusals[0].field) == (where, field)
    assert reason in refusals[0].reason


def test_a_wrong_header_is_refused_once() -> None:
    _, refusals = read(TWO_CELLS.replace("account_manager_name", "shoe size"), "i.csv")
    assert len(refusals) == 1


def test_e3_neither_of_two_records_is_taken_even_when_one_is_bad() -> None:
    wrong = json.dumps(record(invoice_id="INV-1", amount="-5"))
    invoices, refusals = read(f"{wrong}\n{ONE}\n{TWO}", "i.jsonl")
    assert ids(invoices) == ["INV-2"]
    assert [refusal.field for refusal in refusals] == ["amount", "invoice_id"]
    assert (refusals[1].where, refusals[1].also) == ("line 1", ("line 2",))


@pytest.mark.parametrize(
    ("content", "name", "good", "where"),
    [
        (f"{ONE}\n".encode() + b'{"number": "\xff"}\n' + TWO.encode(), "i.jsonl", 2, "line 2"),
        (
            f"{HEADER}\n{ROW_1.replace('Katrin', 'Kätrin')}\n".encode() + "Müller,1\n".encode("latin-1"),
            "i.csv",
            1,
            "line 3",
        ),
        (f"[{ONE},\n".encode() + b'{"number": "\xff"},\n' + f"{TWO}]".encode(), "i.json", 2, "line 2, record 2"),
    ],
)
def test_bytes_that_are_no_utf_8(content: bytes, name: str, good: int, where: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    found = read_file(str(path))

    refusals = found.refusals
    assert len(found.invoices) == good
    assert [refusal.where for refusal in refusals] == [where]
    assert "not UTF-8: save the file as UTF-8" in str(refusals[0])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(f"{ONE}\r\n{TWO}\r\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)

    found = read_file("-")

    assert len(found.invoices) == 2 and not found.refusals
    assert not stdin.buffer.closed


def test_a_file_that_is_not_there_is_the_callers_to_report(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "none.json"))


@pytest.mark.parametrize("name", ["invoices.jsonl", "invoices.csv"])
def test_the_examples_are_accepted(name: str) -> None:
    found = read_file(str(EXAMPLES / name))
    assert (len(found.invoices), found.refusals, found.note) == (5, (), None)


TEXTS = st.text(st.sampled_from('{}[]",:\n\\ 1eE-.na\ud800\udc80é;') | st.characters(), max_size=60)


@given(text=TEXTS, name=st.sampled_from(["-", "i.json", "i.jsonl", "i.csv"]))
def test_no_text_makes_it_raise(text: str, name: str) -> None:
    invoices, refusals = read(text, name)
    assert not invoices
    assert all(str(item).encode() for item in refusals)


@given(junk=st.text(st.characters(exclude_characters="\r\n"), max_size=40).filter(str.strip))
def test_a_junk_line_never_harms_its_neighbours(junk: str) -> None:
    lines, _ = read(f"{ONE}\n{junk}\n{TWO}", "i.jsonl")
    rows, _ = read(f"{HEADER}\n{ROW_1}\n{junk}\n{ROW_2}", "i.csv")
    assert ids(lines) == ids(rows) == ["INV-1", "INV-2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{oops}", "a key in double quotes is missing"),
        ('{"a": 1,}', "comma"),
        ('{"a" 1}', "a colon is missing after the key"),
        ('{"a": 1 "b": 2}', "a comma is missing between two items"),
        ('{"a": }', "a value is missing"),
        ('{"a": "b}', "a double quote is left open"),
        ('{"a": "b\tc"}', "a text holds a tab or a line break"),
        ('{"a": "\\q"}', "a backslash inside a text is written twice"),
        ("{} {}", "there is more text after its end"),
    ],
)
def test_e1_broken_json_is_told_in_words(text: str, said: str) -> None:
    _, (refusal,) = read(text, "i.jsonl")
    assert said in refusal.reason
    assert not [
        word for word in ("Expecting", "delimiter", "Invalid", "Illegal", "Extra data") if word in str(refusal)
    ]
