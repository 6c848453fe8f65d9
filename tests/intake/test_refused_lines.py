"""Refused lines name what they are about, and can be kept with their columns and the reasons."""

import csv
from io import StringIO

from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.invoices import InvoiceFile, read_content
from dunwell.intake.payments import payments_of
from dunwell.intake.source_lines import reasons_by_place, refused_lines

_TITLES = (
    "number;customer_id;customer_name;country;amount;currency;issued_on;due_on"
    ";accounts_payable_name;accounts_payable_email"
)


def read(text: str, name: str = "x.csv") -> InvoiceFile:
    return read_content(text.encode(), name)


def kept(file: InvoiceFile) -> list[list[str]]:
    assert file.source is not None
    text = refused_lines(file.source, reasons_by_place(file.refusals))
    return list(csv.reader(StringIO(text, newline=""), delimiter=file.source.separator))


def line(number: str, **changes: str) -> str:
    cells = {
        "number": number,
        "customer_id": "acme",
        "customer_name": "Acme; Ltd",
        "country": "DE",
        "amount": "1200,50",
        "currency": "EUR",
        "issued_on": "2027-02-01",
        "due_on": "2027-03-03",
        "accounts_payable_name": "Katrin Vogel",
        "accounts_payable_email": "ap@acme.example",
    } | changes
    return ";".join(f'"{cell}"' if ";" in cell else cell for cell in cells.values())


def test_a_refusal_names_the_invoice_and_its_customer() -> None:
    file = read("\n".join((_TITLES, line("1001", accounts_payable_email=""), line("", amount="much"))))
    assert [str(one).partition("): ")[0] for one in file.refusals] == [
        "line 2 (invoice 1001 of Acme; Ltd",
        "line 3 (Acme; Ltd",
        "line 3 (Acme; Ltd",
    ]


def test_the_refused_lines_have_their_columns_and_every_reason_and_no_other_line_is_there() -> None:
    lines = [line("1"), line("2", amount="much", currency="euro"), line("3"), line("3", due_on="2027-04-04")]
    titles, second, *twice = kept(read("\n".join((_TITLES, *lines, 'x;"open', line("5")))))
    assert titles == [*_TITLES.split(";"), "reason"]
    assert second[:5] == ["2", "acme", "Acme; Ltd", "DE", "much"]
    assert second[-1].startswith("currency: 'euro' is no currency") and "; amount: 'much' is no" in second[-1]
    assert [row[0] for row in twice] == ["3", "3", 'x;"open']
    assert all("stands on line 5 too" in row[-1] for row in twice[:2])
    assert "double quote left open" in twice[2][-1]


def test_mended_lines_are_read_again_and_their_reasons_are_no_second_column() -> None:
    file = read("\n".join((_TITLES, line("1", amount="much"), line("2", amount="none"))))
    assert file.source is not None
    text = refused_lines(file.source, reasons_by_place(file.refusals))
    again = read(text.replace("much", "7,00"))
    assert [one.number for one in again.invoices] == ["1"]
    titles, other = kept(again)
    assert titles.count("reason") == 1 and other[0] == "2"


def test_a_file_that_was_not_understood_as_a_whole_has_no_refused_lines() -> None:
    assert read("a;b;c\n1;2;3\n").source is None


def test_records_of_json_are_kept_whole_with_the_reasons() -> None:
    text = '{"invoice_id": "A", "amount": 1200.50}\n{"invoice_id": \n'
    (titles, first, second) = kept(read(text, "x.jsonl"))
    assert titles == ["record", "reason"] and first[0] == '{"invoice_id": "A", "amount": "1200.50"}'
    assert "number: is missing" in first[1] and second[0] == '{"invoice_id": '


def test_refused_payments_are_kept_likewise() -> None:
    content = b"invoice_id,payment_id,amount\nINV-1,B-1,much\nINV-1,B-2,5.00\n"
    file = payments_of(content, "x.csv", Dialect())
    assert file.source is not None
    (refused,) = refused_lines(file.source, reasons_by_place(file.refusals)).splitlines()[1:]
    assert refused.startswith("INV-1,B-1,much,") and "'much' is no amount" in refused
