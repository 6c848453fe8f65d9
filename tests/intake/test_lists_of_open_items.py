"""Lists of open items as bookkeeping programs print them: lines above the titles, a total at the end, no ids."""

import pytest

from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.invoices import InvoiceFile, parse_invoice, read_content
from tests.intake.builders import GONE, record

_TITLES = "Rechnung;Kunde;Name;Land;Betrag;Curr;Datum;Faellig"
_MAP = (
    "Rechnung=number", "Kunde=customer_id", "Name=customer_name", "Land=country",
    "Betrag=amount", "Curr=currency", "Datum=issued_on", "Faellig=due_on",
)  # fmt: skip


def read(*rows: str, above: str = "", total: str = "") -> InvoiceFile:
    lines = [above, _TITLES, *(f"{row};DE;1.200,50;EUR;01.10.2026;31.10.2026" for row in rows), total]
    return read_content("\n".join(filter(None, lines)).encode(), "op.csv", None, read_column_map(_MAP))


def test_ids_are_made_from_the_numbers_and_that_is_said() -> None:
    file = read("2026/5001;C1;A", "Ä 7;C1;A")
    assert [one.invoice_id for one in file.invoices] == ["2026-5001", "A-7"]
    assert file.note is not None and "Ids are made from the numbers, as 2026-5001 from 2026/5001." in file.note


def test_numbers_of_one_id_are_refused() -> None:
    file = read("2026/5001;C1;A", "2026-5001;C1;A")
    assert not file.invoices and file.refusals[0].field == "Rechnung"
    assert "stands on line 3 too" in file.refusals[0].reason


def test_a_record_without_an_id_gets_one_over_every_door() -> None:
    made = parse_invoice(record(invoice_id=GONE), "record 1")
    assert not isinstance(made, list) and made.invoice_id == "2026-0001"
    none = parse_invoice(record(invoice_id=GONE, number="№"), "record 1")
    assert isinstance(none, list) or none.invoice_id == "No"
    none = parse_invoice(record(invoice_id=GONE, number="請求書"), "record 1")
    assert isinstance(none, list) and "none can be made from the number" in none[0].reason


@pytest.mark.parametrize(
    "above",
    ["Offene Posten Liste zum 28.11.2026", "Mandant 5;Stand 28.11.2026\n\nSeite 1", '"Liste; gedruckt"', "currency;"],
)
def test_lines_above_the_titles_are_skipped(above: str) -> None:
    file = read("5001;C1;A", above=above)
    assert [one.number for one in file.invoices] == ["5001"] and not file.refusals
    assert file.note is not None and "above the titles skipped" in file.note


@pytest.mark.parametrize("word", ["Summe", "SUMME EUR", "Gesamtsumme:", "Total", "Zwischensumme"])
def test_a_total_is_one_refusal_that_says_so(word: str) -> None:
    file = read("5001;C1;A", total=f"{word};;;;1.200,50;EUR;;")
    assert len(file.invoices) == 1
    said = f"line 3: {word!r} looks like the total of the list, and is left out"
    assert [str(one) for one in file.refusals] == [said]


def test_an_invoice_is_no_total() -> None:
    file = read("Total 7;C1;Total Energies")
    assert [one.number for one in file.invoices] == ["Total 7"] and not file.refusals
