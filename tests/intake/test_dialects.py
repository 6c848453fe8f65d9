"""CSV files as other programs write them: how each is read, what is told about it, and when that cannot be known."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.invoices import InvoiceFile, parse_invoice, read_content
from tests.intake.builders import GONE, csv_cells, record

Cells = Mapping[str, str]


def row(number: int = 1, **changes: object) -> dict[str, str]:
    return csv_cells(record(invoice_id=f"INV-{number}", customer__time_zone=GONE, **changes))


def european(cells: Cells) -> dict[str, str]:
    """The same row with a decimal comma and the day first."""
    days = {name: ".".join(reversed(cells[name].split("-"))) for name in ("issued_on", "due_on")}
    whole, _, cents = cells["amount"].partition(".")
    return {**cells, **days, "amount": f"{int(whole):,}".replace(",", ".") + f",{cents or '00'}"}


def written(*rows: Cells, separator: str = ";", encoding: str = "utf-8") -> bytes:
    names = list(rows[0])
    lines = [separator.join(names), *(separator.join(one[name] for name in names) for one in rows)]
    return "\r\n".join([*lines, ""]).encode(encoding)


def read(content: bytes, dialect: str = "", *mapping: str, name: str = "export.csv") -> InvoiceFile:
    return read_content(content, name, read_dialect(dialect), read_column_map(mapping))


def the_refusal(file: InvoiceFile) -> str:
    assert not file.invoices
    (refusal,) = file.refusals
    return str(refusal)


ROWS = [
    european(row(1, amount="1234.50")),
    european(row(2, customer__id="C-2", customer__name="Müller & Söhne KG", due_on="2026-04-13")),
]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["export.csv", "export.txt", "-"])
def test_e3_a_european_file_is_read_as_it_is(separator: str, encoding: str, name: str) -> None:
    file = read(written(*ROWS, separator=separator, encoding=encoding), name=name)
    assert file.refusals == ()
    first, second = file.invoices
    assert (first.amount, first.issued_on, first.due_on) == (Decimal("1234.50"), date(2026, 3, 2), date(2026, 4, 1))
    assert second.customer.name == "Müller & Söhne KG"
    assert first.customer.time_zone == "Europe/Berlin"
    assert file.note is not None
    assert file.note.count("\n") == 0
    for part in ("decimal comma", "days first", {";": "a semicolon", "\t": "a tab", "|": "a pipe"}[separator]):
        assert part in file.note


def test_e3_forty_columns_of_which_twelve_matter() -> None:
    foreign = {f"Feld {n}": f"x{n}" for n in range(28)} | {"": ""}
    titles = {"invoice_id": "Rechnungsnr", "number": "Beleg", "due_on": "Fällig am", "customer_id": "Kundennr"}
    rows = [{titles.get(key, key): value for key, value in (one | foreign).items()} for one in ROWS]
    content = written(*rows, encoding="cp1252")
    missing = the_refusal(read(content))
    assert missing.startswith("line 1: columns: missing: 'number', 'due_on', 'customer_id'; not known: ")
    assert "'Rechnungsnr'" in missing and "--map 'Invoice No=number'" in missing
    file = read(content, "", *(f"{title}={name}" for name, title in titles.items()))
    assert ([one.invoice_id for one in file.invoices], file.refusals) == (["INV-1", "INV-2"], ())
    assert file.note is not None and "28 of 43 columns not used" in file.note


def test_e3_a_refusal_names_the_column_as_the_file_does() -> None:
    cells = {("Fällig am" if key == "due_on" else key): value for key, value in ROWS[0].items()}
    refused = the_refusal(read(written(cells | {"Fällig am": "31.02.2026"}), "", "Fällig am=due_on"))
    assert (
        refused.partition("): ")[2]
        == "Fällig am: '31.02.2026' is not a date: write a day that exists like 31.12.2027"
    )


def test_e3_a_slip_in_the_name_of_a_column_is_no_column_that_is_not_used() -> None:
    cells = {("curency_" if key == "jurisdiction" else key): value for key, value in row(jurisdiction="DE").items()}
    cells["polcy"] = "gentle-saas"
    assert "'polcy' (did you mean 'policy'?)" in the_refusal(read(written(cells)))
    assert read(written(cells), "", "polcy=-").invoices


@pytest.mark.parametrize(("paid", "kept"), [("0,00", []), ("0", []), ("", []), ("1.000,50", ["1000.50"])])
def test_e3_what_was_paid_is_read_as_the_other_amounts_are(paid: str, kept: list[str]) -> None:
    file = read(written(ROWS[0] | {"paid": paid}))
    assert file.refusals == ()
    assert [str(one.amount) for one in file.invoices[0].history.paid] == kept


# What the file leaves open -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "days", "refused", "dialect", "amount"),
    [
        (("1.200", "950"), (), "may|amount: '1.200' can be read in two ways", "decimal-comma", "1200.00"),
        (("1.200", "95.00"), (), "may be 1200.00 or 1.20", "", ""),
        (("1,200", "95"), (), "amount: '1,200' can be read in two ways", "decimal-point", "1200.00"),
        ((), ("02/03/2026", "03/04/2026"), "issued_on: '02/03/2026' can be read in two ways", "day-first", "1200.00"),
    ],
)
def test_e3_what_can_be_read_in_two_ways_is_refused_until_somebody_says(
    amounts: tuple[str, ...], days: tuple[str, ...], refused: str, dialect: str, amount: str
) -> None:
    rows = [dict(row(n)) for n in (1, 2)]
    for cells, value in zip(rows, amounts, strict=False):
        cells["amount"] = value
    if days:
        for cells in rows:
            cells["issued_on"], cells["due_on"] = days
    file = read(written(*rows))
    assert refused.rpartition("|")[2] in str(file.refusals[0])
    assert len(file.refusals) == 1
    if dialect:
        assert f"--dialect {dialect}" in str(file.refusals[0])
        assert str(read(written(*rows), dialect).invoices[0].amount) == amount


def test_e3_one_cell_tells_how_all_the_others_are_read() -> None:
    rows = [row(n) | {"amount": "1.200", "issued_on": "02/03/2026", "due_on": "03/04/2026"} for n in range(5)]
    rows[4] |= {"amount": "12,50", "due_on": "13/04/2026"}
    file = read(written(*rows))
    assert file.refusals == ()
    assert {str(one.amount) for one in file.invoices} == {"1200.00", "12.50"}
    assert {one.issued_on for one in file.invoices} == {date(2026, 3, 2)}
    american = [row(n) | {"issued_on": "02/03/2026", "due_on": "03/14/2026"} for n in range(2)]
    assert read(written(*american)).invoices[0].issued_on == date(2026, 2, 3)


def test_e3_a_file_that_contradicts_itself_refuses_only_what_stays_open() -> None:
    amounts = ["12,50", "12.50", "12,90", "1.200", "700"]
    file = read(written(*(row(n) | {"amount": value} for n, value in enumerate(amounts))))
    assert [one.invoice_id for one in file.invoices] == ["INV-0", "INV-2", "INV-4"]
    said = [str(one) for one in file.refusals]
    assert "'12.50' is written otherwise than the amounts of this file: write it like 1200,00" in said[0]
    assert "'1.200' can be read in two ways" in said[1]


def test_e3_one_slip_among_many_decides_nothing() -> None:
    rows = [row(n) | {"amount": "1.200,00" if n % 2 else "1.200"} for n in range(200)]
    rows[7]["amount"] = "7.50"
    file = read(written(*rows))
    assert (len(file.invoices), len(file.refusals)) == (199, 1)
    assert {one.amount for one in file.invoices} == {Decimal("1200.00")}


def test_e3_letters_that_may_be_of_another_alphabet_are_not_guessed() -> None:
    czech = [row(1), row(2, customer__id="C-2", customer__name="Mlynář a syn", customer__country="CZ")]
    content = written(*czech, encoding="cp1250")
    refused = the_refusal(read(content))
    assert "line 3: 'Mlynáø a syn' is not UTF-8" in refused and "--dialect windows-1250" in refused
    assert read(content, "windows-1250").invoices[1].customer.name == "Mlynář a syn"
    dos = written(row(1, customer__name="Märkl GmbH"), encoding="cp850")
    assert "--dialect cp850" in the_refusal(read(dos))
    assert read(dos, "cp850").invoices[0].customer.name == "Märkl GmbH"


def test_e3_what_is_said_outranks_what_is_found() -> None:
    content = written(row(1) | {"amount": "1.200,00"})
    assert "write it like 1200.00" in the_refusal(read(content, "semicolon,decimal-point"))


@pytest.mark.parametrize(
    ("dialect", "mapping", "said"),
    [
        ("semicolons", (), "--dialect: 'semicolons' is unknown: use words of comma, semicolon"),
        ("hex", (), "--dialect: 'hex' is unknown"),
        ("", ("Nr",), "--map: 'Nr' is not COLUMN=FIELD"),
        ("", ("Nr=nummer",), "--map: 'nummer' is no field of an invoice file: did you mean 'number'?"),
        ("", ("A=number", "B=number"), "--map: 'number' is given two columns"),
    ],
)
def test_e3_a_wrong_word_about_a_file_is_refused(dialect: str, mapping: tuple[str, ...], said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(written(row()), dialect, *mapping)
    assert str(refused.value).startswith(said)


def test_e3_a_dialect_is_for_csv_only() -> None:
    with pytest.raises(Refused, match="for CSV only"):
        read(b"[]", "day-first", name="i.json")


def test_e3_a_column_that_is_mapped_must_be_there() -> None:
    assert "named by --map and not there: 'Nr'" in the_refusal(read(written(row()), "", "Nr=number"))


def test_e3_one_column_may_hold_two_fields() -> None:
    cells = row()
    cells["Beleg"] = cells.pop("invoice_id")
    del cells["number"]
    (invoice,) = read(written(cells), "", "Beleg=invoice_id", "beleg=number").invoices
    assert (invoice.invoice_id, invoice.number) == ("INV-1", "INV-1")


def test_e3_a_mapped_column_that_stands_there_twice_is_refused() -> None:
    content = written(row() | {"Nr": "1"}).replace(b"jurisdiction", b"Nr")
    twice = content.replace(b";language", b";Nr")
    assert "more than once: 'Nr'" in the_refusal(read(twice, "", "Nr=number"))


def test_e3_a_column_put_in_the_place_of_another_counts() -> None:
    cells = row() | {"Gesamt": "99.00"}
    (invoice,) = read(written(cells), "", "Gesamt=amount").invoices
    assert invoice.amount == Decimal("99.00")


@pytest.mark.parametrize("first", ["sep=;\r\n", "SEP=;\n"])
def test_e3_the_first_line_of_excel_is_no_header(first: str) -> None:
    assert len(read(first.encode() + written(*ROWS)).invoices) == 2


def test_e3_lines_of_one_invoice_are_no_invoices() -> None:
    lines = [row(1), row(2), row(1) | {"amount": "5.00"}, row(1) | {"amount": "7.00"}]
    file = read(written(*lines))
    assert [one.invoice_id for one in file.invoices] == ["INV-2"]
    (refusal,) = file.refusals
    assert (refusal.where, refusal.also, refusal.value) == ("line 2", ("line 4", "line 5"), "INV-1")
    assert "stands on line 4, line 5 too, so none of them is started" in refusal.reason


# Time zones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "zone"),
    [("DE", "Europe/Berlin"), ("FR", "Europe/Paris"), ("CY", "Asia/Famagusta"), ("XK", "Europe/Belgrade")],
)
def test_e3_a_country_of_one_clock_needs_no_time_zone(country: str, zone: str) -> None:
    found = parse_invoice(record(customer__time_zone=GONE, customer__country=country), "item 1")
    assert not isinstance(found, list)
    assert found.customer.time_zone == zone


@pytest.mark.parametrize("country", ["ES", "PT", "US", "CN", "BR", "AU"])
@pytest.mark.parametrize("blank", [GONE, None, " "])
def test_e3_a_country_of_several_clocks_needs_one(country: str, blank: object) -> None:
    found = parse_invoice(record(customer__time_zone=blank, customer__country=country), "item 1")
    assert isinstance(found, list)
    (refusal,) = found
    assert refusal.field == "customer.time_zone"
    assert f"is missing: {country} has more than one (" in refusal.reason


def test_an_agreed_rate_is_written_as_the_amounts_of_the_file() -> None:
    head = "invoice_id;number;customer_id;customer_name;country;language;accounts_payable_name;accounts_payable_email"
    row = "I-1;N1;C-1;Vogel;DE;de;Katrin;ap@vogel.example;1200,50;EUR;2027-02-01;2027-03-03;8,5;statutory"
    text = f"{head};amount;currency;issued_on;due_on;interest;customer_lump_sum\n{row}\n"
    found = read_content(text.encode(), "a.csv")
    assert [(one.interest, one.customer.lump_sum) for one in found.invoices] == [("8.5", "statutory")]
