"""The PDF beside an invoice file: which files are taken, which are refused, and that HTTP chooses no file."""

import json
from pathlib import Path
from typing import Any

import pytest

from dunwell.client.registration import Registrar
from dunwell.domain.invoice import Invoice
from dunwell.domain.refusal import Refused
from dunwell.intake.invoice_documents import MOST_BYTES
from dunwell.intake.invoices import Refusal, parse_invoice, read_file
from dunwell.store import invoice_documents
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import an_invoice, at, sample_deps, the_ladders
from tests.intake.builders import csv_cells, csv_text, record

PDF = b"%PDF-1.7\n\x00\xff%%EOF"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a billing system left: PDFs in a folder, and things beside them that are none."""
    place = tmp_path / "export"
    (place / "pdf").mkdir(parents=True)
    (place / "pdf" / "1.pdf").write_bytes(PDF)
    (place / "page.html").write_bytes(b"<html>")
    (place / "empty.pdf").write_bytes(b"")
    (place / "limit.pdf").write_bytes(PDF.ljust(MOST_BYTES, b"\n"))
    (place / "large.pdf").write_bytes(PDF.ljust(MOST_BYTES + 1, b"\n"))
    (tmp_path / "secret.pdf").write_bytes(PDF)
    (place / "leads-out.pdf").symlink_to(tmp_path / "secret.pdf")
    (place / "loop.pdf").symlink_to(place / "round.pdf")
    (place / "round.pdf").symlink_to(place / "loop.pdf")
    return place


def read(folder: Path, item: dict[str, Any]) -> Invoice | Refusal:
    (folder / "invoices.jsonl").write_text(json.dumps(item))
    file = read_file(str(folder / "invoices.jsonl"))
    return (file.invoices or file.refusals)[0]


@pytest.mark.parametrize("name", ["pdf/1.pdf", "./pdf/../pdf/1.pdf", "limit.pdf"])
def test_a_pdf_in_the_folder_of_the_file_is_taken(folder: Path, name: str) -> None:
    found = read(folder, record(document=name))
    assert isinstance(found, Invoice)
    assert found.document == folder / name


def test_a_csv_has_a_column_for_it(folder: Path) -> None:
    (folder / "invoices.csv").write_text(csv_text(csv_cells(record(document="pdf/1.pdf"))))
    (found,) = read_file(str(folder / "invoices.csv")).invoices
    assert isinstance(found, Invoice)
    assert found.document == folder / "pdf/1.pdf"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("pdf/2.pdf", "is not there", id="missing"),
        pytest.param("pdf", "is not there", id="a folder"),
        pytest.param("page.html", "is no PDF", id="another kind of file"),
        pytest.param("empty.pdf", "is no PDF", id="empty"),
        pytest.param("large.pdf", "is larger than 5 MB", id="a byte too large"),
        pytest.param("../secret.pdf", "lies outside the folder", id="upwards"),
        pytest.param("leads-out.pdf", "lies outside the folder", id="a link that leads out"),
        pytest.param("/etc/passwd", "lies outside the folder", id="absolute"),
        pytest.param("a\u0000b.pdf", "U+0000", id="a NUL"),
        pytest.param("x" * 201, "at most 200 fit", id="a long name"),
        pytest.param("x" * 200, "is not there", id="longer than a file may be called"),
        pytest.param(["1.pdf"], "is a list", id="no text"),
        pytest.param("loop.pdf", "leads round in a circle of links", id="a circle of links"),
    ],
)
def test_what_is_refused(folder: Path, name: object, said: str) -> None:
    found = read(folder, record(document=name))
    assert isinstance(found, Refusal)
    assert found.field == "document"
    assert said in found.reason


@pytest.mark.parametrize("bad", ['"loop.pdf"', "9" * 10_000, "[" * 5_000 + "]" * 5_000])
def test_f7_a_hostile_document_fails_only_its_line(folder: Path, bad: str) -> None:
    good = json.dumps(record(invoice_id="INV-1", document="pdf/1.pdf"))
    line = json.dumps(record(invoice_id="INV-2", document="?")).replace('"?"', bad)
    (folder / "invoices.jsonl").write_text(f"{line}\n{good}\n")
    file = read_file(str(folder / "invoices.jsonl"))
    assert [one.invoice_id for one in file.invoices] == ["INV-1"]
    assert [one.where for one in file.refusals] == ["line 1"]


def test_whoever_sends_a_value_chooses_no_file_of_this_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = parse_invoice(record(document="pdf/1.pdf"), "item 1")
    assert isinstance(found, list)
    assert [(one.field, "only an invoice file" in one.reason) for one in found] == [("document", True)]


def test_it_is_kept_once_and_a_newer_one_takes_its_place(database: Database, folder: Path) -> None:
    migrate(database)
    registrar = Registrar(sample_deps(database), the_ladders())
    path = folder / "pdf" / "1.pdf"
    for content in (PDF, PDF, b"%PDF-2.0 corrected"):
        path.write_bytes(content)
        registrar.register(an_invoice(document=path), at("2027-02-20 12:00"))
        with database.reading() as session:
            kept = invoice_documents.get(session, "inv-1")
            assert kept is not None
            assert (kept.name, kept.content) == ("1.pdf", content)
    registrar.register(an_invoice(), at("2027-02-20 12:00"))
    with database.reading() as session:
        assert invoice_documents.get(session, "inv-1") is not None  # a file without it takes nothing away


def test_a_file_that_vanished_meanwhile_refuses_its_invoice(database: Database, folder: Path) -> None:
    with pytest.raises(Refused, match="document: is not there"):
        Registrar(sample_deps(database), the_ladders()).register(
            an_invoice(document=folder / "gone.pdf"), at("2027-02-20 12:00")
        )
