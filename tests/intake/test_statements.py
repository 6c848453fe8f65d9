"""Bank statements as banks write them, and as they arrive when something went wrong."""

from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.statement_parts import StatementError, StatementFile, account_of
from dunwell.intake.statements import read_statement
from tests.intake.statements import ACCOUNT, PAYER, camt, camt_entry, mt940, ofx, ofx_movement, transaction

LAYOUT = StatementLayout(
    account=ACCOUNT,
    currency="EUR",
    columns={"booked_on": ("Buchungstag",), "amount": ("Betrag",), "text": ("Zweck",), "payer_name": ("Name",)},
)


def read(content: bytes | str, layout: StatementLayout | None = None) -> StatementFile:
    return read_statement(content.encode() if isinstance(content, str) else content, layout)


def only(content: bytes | str, layout: StatementLayout | None = None) -> BankEntry:
    """The one entry of a file without problems."""
    file = read(content, layout)
    assert not file.problems
    (entry,) = file.entries
    return entry


def problem(content: bytes | str, layout: StatementLayout | None = None) -> str:
    """The problems of a file, as they are shown."""
    return "\n".join(map(str, read(content, layout).problems))


AMOUNT = b'<Ntry><Amt Ccy="EUR">1200.00<'

# camt ----------------------------------------------------------------------------------------------------


def test_an_entry_of_camt_053_is_read_whole() -> None:
    more = (
        '<AmtDtls><InstdAmt><Amt Ccy="USD">1310.00</Amt></InstdAmt></AmtDtls>'
        '<Chrgs><Rcrd><Amt Ccy="EUR">1.50</Amt></Rcrd></Chrgs>'
    )
    structured = (
        "<Ustrd>INV-1 </Ustrd><Ustrd>thanks</Ustrd>"
        "<Strd><CdtrRefInf><Ref>RF18 5390 0754 7034</Ref></CdtrRefInf></Strd>"
        "<Strd><RfrdDocInf><Nb>INV-2</Nb></RfrdDocInf><CdtrRefInf><Ref>RF4712</Ref></CdtrRefInf></Strd>"
    )
    entry = only(
        camt(
            camt_entry(reference="B1", details=transaction(more=more, remittance=structured, end_to_end="E2E-1")),
            balances=("0.00", "1200.00"),
        )
    )
    assert entry == BankEntry(
        account=ACCOUNT,
        identity=entry.identity,
        reference="B1",
        booked_on=date(2027, 3, 1),
        value_on=date(2027, 3, 1),
        amount=Decimal("1200.00"),
        currency="EUR",
        direction=Direction.IN,
        references=("RF18539007547034", "RF4712"),
        text="INV-1 thanks INV-2",
        end_to_end_id="E2E-1",
        payer_name="Debtor GmbH",
        payer_iban=PAYER,
        charges=Decimal("1.50"),
        instructed_amount=Decimal("1310.00"),
        instructed_currency="USD",
    )


@pytest.mark.parametrize("kind", ["052", "053", "054"])
@pytest.mark.parametrize("version", ["02", "13"])
def test_every_message_and_version_is_read(kind: str, version: str) -> None:
    file = read(camt(camt_entry(), kind=kind, version=version))
    assert file.format == f"camt.{kind}"
    assert len(file.entries) == 1


def test_later_versions_have_their_own_places_for_status_and_party() -> None:
    content = camt(camt_entry()).replace(b"<Sts>BOOK</Sts>", b"<Sts><Cd>BOOK</Cd></Sts>")
    content = content.replace(b"<Nm>Debtor GmbH</Nm>", b"<Pty><Nm>Debtor GmbH</Nm></Pty>")
    assert only(content).payer_name == "Debtor GmbH"


def test_a_message_in_an_envelope_is_read() -> None:
    content = (
        camt(camt_entry())
        .replace(b"<Document", b"<Envelope><Document")
        .replace(b"</Document>", b"</Document></Envelope>")
    )
    assert only(content).amount == 1200


def test_only_what_is_booked_is_not_pending() -> None:
    file = read(camt(camt_entry(), camt_entry("5.00", status="PDNG"), camt_entry("6.00", status="INFO"), kind="052"))
    assert [entry.pending for entry in file.entries] == [False, True, True]
    assert [entry.came_in for entry in file.entries] == [True, False, False]


def test_a_batch_is_read_as_its_transactions_and_its_charges_stay_visible() -> None:
    details = transaction("INV-1", amount="15.00") + transaction("INV-2", amount="9.00")
    charges = '<Chrgs><Rcrd><Amt Ccy="EUR">0.50</Amt></Rcrd></Chrgs>'
    file = read(camt(camt_entry("23.50", reference="B1", details=details, more=charges), balances=("0.00", "23.50")))
    assert not file.problems
    assert [(one.amount, one.text, one.batch_amount) for one in file.entries] == [
        (Decimal("15.00"), "INV-1", Decimal("23.50")),
        (Decimal("9.00"), "INV-2", Decimal("23.50")),
    ]
    assert len({one.batch for one in file.entries}) == 1
    assert "24.00 EUR, 23.50 was booked: 0.50 of charges" in file.remarks[0]


_NET = '<AmtDtls><InstdAmt><Amt Ccy="EUR">1000.00</Amt></InstdAmt></AmtDtls>'


@pytest.mark.parametrize(
    ("place", "included", "ordered", "paid"),
    [
        ("transaction", "true", "1000.00", "1000.00"),
        ("entry", "true", "1000.00", "1000.00"),
        ("transaction", "false", "1000.00", "997.50"),
        ("entry", "false", "1000.00", "997.50"),
        ("transaction", "true", "1001.00", "997.50"),
    ],
)
def test_charges_kept_back_were_paid_by_the_customer(place: str, included: str, ordered: str, paid: str) -> None:
    """Where what the payer ordered is what came and the charges; the booked sum stays known."""
    record = f'<Rcrd><Amt Ccy="EUR">2.50</Amt><ChrgInclInd>{included}</ChrgInclInd></Rcrd>'
    charges, net = f"<Chrgs>{record}</Chrgs>", _NET.replace("1000.00", ordered)
    details = transaction("INV-1", more=net + (charges if place == "transaction" else ""))
    whole = camt_entry("997.50", details=details, more=charges if place == "entry" else "")
    file = read(camt(whole, balances=("0.00", "997.50")))
    (entry,) = file.entries
    assert not file.problems
    assert (str(entry.amount), str(entry.booked_amount), entry.instructed_amount) == (
        paid,
        "997.50",
        Decimal(ordered),
    )


@pytest.mark.parametrize(
    ("written", "paid"),
    [
        ("\r\n/OCMT/EUR1000,00/CHGS/EUR2,50/\r\n:86:166?20SVWZ+INV-1", "1000.00"),
        ("\r\n:86:/REMI/INV-1/OCMT/EUR1000,00/CHGS/EUR2,50/", "1000.00"),
        ("\r\n/OCMT/EUR1000,00/CHGS/EUR2,00/\r\n:86:INV-1", "997.50"),
        ("\r\n/OCMT/USD1000,00/CHGS/EUR2,50/\r\n:86:INV-1", "997.50"),
    ],
)
def test_charges_that_mt940_tells_were_paid_by_the_customer(written: str, paid: str) -> None:
    file = read(mt940([f":61:2703010301C997,50NTRFNONREF//X1{written}"], closing="C270301EUR997,50").encode())
    (entry,) = file.entries
    assert not file.problems
    assert (str(entry.amount), str(entry.booked_amount), entry.instructed_amount) == (paid, "997.50", Decimal(1000))


def test_charges_kept_back_of_a_transaction_of_a_batch_were_paid_too() -> None:
    charges = '<Chrgs><Rcrd><Amt Ccy="EUR">2.50</Amt></Rcrd></Chrgs>'
    net = _NET.replace("</AmtDtls>", '<TxAmt><Amt Ccy="EUR">997.50</Amt></TxAmt></AmtDtls>')
    details = transaction("INV-1", more=net + charges) + transaction("INV-2", amount="10.00")
    file = read(camt(camt_entry("1007.50", details=details), balances=("0.00", "1007.50")))
    assert not file.problems
    assert [str(one.amount) for one in file.entries] == ["1000.00", "10.00"]


def test_a_batch_that_does_not_add_up_stays_one_sum_and_is_a_problem() -> None:
    details = transaction("INV-1", amount="95.00") + transaction("INV-2", amount="9.00")
    file = read(camt(camt_entry("24.00", details=details)))
    assert [one.amount for one in file.entries] == [Decimal("24.00")]
    assert "no charges explain the difference" in str(file.problems[0])


def test_a_batch_without_amounts_of_its_transactions_is_one_sum_with_all_references() -> None:
    reference = "<Strd><CdtrRefInf><Ref>{}</Ref></CdtrRefInf></Strd>"
    details = "".join(transaction(remittance=reference.format(one)) for one in ("RF1", "RF2"))
    entry = only(camt(camt_entry("24.00", details=details)))
    assert (entry.amount, entry.references) == (Decimal("24.00"), ("RF1", "RF2"))


@pytest.mark.parametrize("more", ["<RvslInd>true</RvslInd>", "<RvslInd>1</RvslInd>"])
def test_a_reversal_is_told_by_the_entry(more: str) -> None:
    assert only(camt(camt_entry(sign="DBIT", more=more))).reversal


def test_a_return_is_a_reversal_too() -> None:
    details = transaction("INV-1", more="<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>", end_to_end="E2E-1")
    entry = only(camt(camt_entry(sign="DBIT", details=details)))
    assert (entry.reversal, entry.end_to_end_id, entry.payer_iban) == (True, "E2E-1", PAYER)


@pytest.mark.parametrize("sign", ["CRDT", "DBIT"])
def test_the_balance_fits_whichever_way_a_bank_signs_reversals(sign: str) -> None:
    reversal = camt_entry("200.00", sign=sign, more="<RvslInd>true</RvslInd>")
    assert not read(camt(camt_entry(), reversal, balances=("0.00", "1000.00"))).problems


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (AMOUNT, AMOUNT[:-9] + b">9200.00<", "do not lead from one to the other"),
        (AMOUNT, AMOUNT[:-9] + b">1200.00x<", "Amt: is missing or damaged"),
        (AMOUNT, AMOUNT[:-9] + b">1,200.00<", "Amt: is missing or damaged"),
        (AMOUNT, AMOUNT[:-9] + b">-1200.00<", "Amt: is missing or damaged"),
        (AMOUNT, AMOUNT[:-9] + b">1200.001<", "finer than EUR allows"),
        (b">CRDT</CdtDbtInd><Sts>", b">CRDX</CdtDbtInd><Sts>", "CdtDbtInd: is missing or damaged"),
        (b"BOOK", b"BOOT", "Sts: is missing or damaged"),
        (b"<BookgDt><Dt>2027-03-01", b"<BookgDt><Dt>2027-13-01", "BookgDt: is missing or damaged"),
        (b"<IBAN>DE02120300000000202051</IBAN>", b"", "account: is missing or damaged"),
        (AMOUNT, AMOUNT.replace(b"EUR", b"USD"), "Ccy: is missing"),
        (b"<Cd>CLBD", b"<Cd>CLBX", "only one of its opening and closing balances"),
        (b"<Sts>BOOK", b"<RvslInd>trux</RvslInd><Sts>BOOK", "RvslInd"),
        (b"</Ntry>", b"</Ntrx>", "damaged, or the file is cut off"),
    ],
)  # fmt: skip
def test_a_damaged_camt_is_good_in_part_only(before: bytes, after: bytes, said: str) -> None:
    content = camt(camt_entry(reference="B1"), balances=("0.00", "1200.00"))
    assert before in content
    assert said in problem(content.replace(before, after))


def test_a_summary_that_differs_is_a_problem_where_there_are_no_balances() -> None:
    summary = "<TxsSummry><TtlCdtNtries><NbOfNtries>2</NbOfNtries><Sum>1300.00</Sum></TtlCdtNtries></TxsSummry>"
    assert not problem(camt(camt_entry(), camt_entry("100.00"), kind="054", more=summary))
    assert "tells other sums" in problem(camt(camt_entry(), kind="054", more=summary))


def test_a_file_that_is_cut_off_gives_what_was_read_and_says_so() -> None:
    whole = camt(camt_entry(), camt_entry("5.00"))
    file = read(whole[: whole.index(b"5.00")])
    assert [one.amount for one in file.entries] == [1200]
    assert "cut off here" in str(file.problems[0])


def test_a_statement_that_the_file_repeats_counts_once() -> None:
    content = camt(camt_entry()).decode()
    begin, end = content.index("<Stmt>"), content.index("</Stmt>") + len("</Stmt>")
    assert len(read(content[:end] + content[begin:end] + content[end:]).entries) == 1


def test_letters_of_another_encoding_than_the_file_says_are_read() -> None:
    content = camt(camt_entry(details=transaction("für Müller"))).decode().encode("cp1252")
    file = read(content)
    assert file.entries[0].text == "für Müller"
    assert "not UTF-8" in file.remarks[0]
    declared = content.replace(b"UTF-8", b"ISO-8859-1")
    assert only(declared).text == "für Müller"


@pytest.mark.parametrize(
    "head",
    [b'<!DOCTYPE x [<!ENTITY a "1">]>', b'<!DOCTYPE x SYSTEM "file:///etc/passwd">'],
)
def test_a_dtd_is_refused(head: bytes) -> None:
    content = camt(camt_entry()).replace(b"?>\n", b"?>\n" + head)
    with pytest.raises(StatementError, match="DTD"):
        read(content)


# MT940 ---------------------------------------------------------------------------------------------------

LINE = ":61:2703010301C1200,00NTRFNONREF//B1"
DETAILS = (
    ":86:166?00GUTSCHRIFT?20EREF+E2E-1?21SVWZ+INV-1 f\u00fcr M\u00e4rz?31DE75512108001245126199?32M\u00fcller?33 GmbH"
)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_movement_of_mt940_is_read_whole(encoding: str) -> None:
    entry = only(mt940([LINE, DETAILS], closing="C270301EUR1200,00").encode(encoding))
    assert (entry.account, entry.reference, entry.booked_on) == (ACCOUNT, "B1", date(2027, 3, 1))
    assert (entry.amount, entry.currency, entry.direction) == (Decimal("1200.00"), "EUR", Direction.IN)
    assert (entry.text, entry.end_to_end_id) == ("INV-1 für März", "E2E-1")
    assert (entry.payer_name, entry.payer_iban) == ("Müller GmbH", PAYER)


def test_the_dutch_manner_of_details_is_read() -> None:
    details = ":86:/TRTP/SEPA OVERBOEKING/IBAN/NL20INGB0001234567/NAME/J Jansen/EREF/E2E-9/REMI/INV-1"
    entry = only(mt940([LINE, details], closing="C270301EUR1200,00"))
    assert (entry.payer_name, entry.payer_iban, entry.text) == ("J Jansen", "NL20INGB0001234567", "INV-1")
    assert entry.end_to_end_id == "E2E-9"


@pytest.mark.parametrize(
    ("mark", "closing", "direction", "reversal"),
    [
        ("C", "C270301EUR1200,00", Direction.IN, False),
        ("D", "D270301EUR1200,00", Direction.OUT, False),
        ("RC", "D270301EUR1200,00", Direction.OUT, True),
        ("RD", "C270301EUR1200,00", Direction.IN, True),
    ],
)
def test_a_reversed_credit_is_no_money_in(mark: str, closing: str, direction: Direction, reversal: bool) -> None:
    entry = only(mt940([LINE.replace("C1200", f"{mark}1200"), ":86:INV-1"], closing=closing))
    assert (entry.direction, entry.reversal, entry.came_in) == (direction, reversal, mark == "C")


def test_a_returned_direct_debit_is_a_reversal() -> None:
    entry = only(mt940([LINE.replace("C1200", "D1200"), DETAILS.replace("166", "109")], closing="D270301EUR1200,00"))
    assert (entry.reversal, entry.end_to_end_id) == (True, "E2E-1")


def test_booking_days_across_new_year() -> None:
    entry = only(mt940([":61:2701021231C1200,00NTRFNONREF//B1"], closing="C270102EUR1200,00"))
    assert (entry.booked_on, entry.value_on) == (date(2026, 12, 31), date(2027, 1, 2))


def test_mt942_is_pending() -> None:
    text = (
        f":20:X\r\n:25:{ACCOUNT}\r\n:28C:1/1\r\n:34F:EURC0,\r\n:13D:2703010900+0100\r\n{LINE}\r\n:86:INV-1\r\n-\r\n"
    )
    file = read(text)
    assert file.format is StatementFormat.MT942
    assert [entry.pending for entry in file.entries] == [True]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("C1200,00N", "C9200,00N", "do not lead from one to the other"),
        ("C1200,00N", "X1200,00N", "cannot be read"),
        ("C1200,00N", "C1200,001N", "do not lead"),
        (":62F:C270301EUR1200,00", "", "may be cut off"),
        (":25:DE02120300000000202051\r\n", "", "outside of its statements"),
        (":61:27", ":6127", "do not lead from one to the other"),
    ],
)
def test_a_damaged_mt940_is_good_in_part_only(before: str, after: str, said: str) -> None:
    content = mt940([LINE, DETAILS], closing="C270301EUR1200,00")
    assert before in content
    assert said in problem(content.replace(before, after))


def test_what_cannot_be_read_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    read(mt940([LINE.replace("C1200", "X1200"), DETAILS], closing="C270301EUR1200,00"))
    assert caplog.text == ""


def test_a_movement_that_another_would_overwrite_is_missed() -> None:
    content = mt940([LINE.partition("NTRF")[0], LINE.replace("B1", "B2")], closing="C270301EUR1200,00")
    assert "tells 2 movements" in problem(content)


# OFX -----------------------------------------------------------------------------------------------------


def test_a_movement_of_ofx_is_read_whole() -> None:
    entry = only(ofx(ofx_movement()))
    assert (entry.account, entry.currency, entry.booked_on) == (ACCOUNT, "EUR", date(2027, 3, 1))
    assert (entry.amount, entry.reference, entry.text) == (Decimal("1200.00"), "F1", "INV-1")
    assert entry.payer_name == "Debtor & Sons"


def test_ofx_in_xml_is_read() -> None:
    movement = (
        "<STMTTRN><DTPOSTED>20270301</DTPOSTED><TRNAMT>-12,50</TRNAMT><FITID>F1</FITID><MEMO>fee</MEMO></STMTTRN>"
    )
    content = '<?xml version="1.0" encoding="UTF-8"?><?OFX OFXHEADER="200" VERSION="211"?>' + (
        f"<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR</CURDEF><BANKACCTFROM><BANKID>12030000</BANKID>"
        f"<ACCTID>202051</ACCTID></BANKACCTFROM><BANKTRANLIST>{movement}</BANKTRANLIST></STMTRS></STMTTRNRS>"
        "</BANKMSGSRSV1></OFX>"
    )
    entry = only(content)
    assert (entry.account, entry.amount, entry.direction) == (ACCOUNT, Decimal("12.50"), Direction.OUT)


@pytest.mark.parametrize("fitid", ["", "0", "SAME"])
def test_movements_with_an_empty_or_repeated_id_are_told_apart(fitid: str) -> None:
    file = read(ofx(*(ofx_movement("5.00", text, fitid) for text in ("INV-1", "INV-2"))))
    assert len(file.entries) == 2
    assert not file.problems


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("<TRNAMT>1200.00", "", "TRNAMT"),
        ("1200.00", "1.200", "in doubt"),
        ("1200.00", "1,200.00", "in doubt"),
        ("1200.00", "--1200.00", "in doubt"),
        ("20270301", "20271301", "no day"),
        ("</STMTTRN>", "", "has no end"),
        ("<STMTTRN>", "", "outside of a movement"),
        ("</OFX>", "", "cut off"),
        ("<CURDEF>EUR", "", "CURDEF"),
        ("<STMTRS>", "", "outside of a statement"),
        ("<FITID>F1", "<FITID>F1<CORRECTFITID>F0", "corrects an earlier movement"),
    ],
)
def test_a_damaged_ofx_is_good_in_part_only(before: str, after: str, said: str) -> None:
    content = ofx(ofx_movement())
    assert before in content
    assert said in problem(content.replace(before, after, 1))


def test_a_movement_that_stands_there_twice_under_one_id_is_in_doubt() -> None:
    assert "is it one or two?" in problem(ofx(ofx_movement(), ofx_movement()))


# CSV -----------------------------------------------------------------------------------------------------

TABLE = "Meine Bank;\n\nBuchungstag;Name;Zweck;Betrag\n"
TABLE += '13.03.2027;Müller GmbH;INV-1;"1.200,50"\n14.03.2027;Bank;fee;-3,20\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_csv_file_is_read_by_its_layout(encoding: str) -> None:
    file = read(TABLE.encode(encoding), LAYOUT)
    assert not file.problems
    assert [(one.booked_on.day, one.amount, one.direction, one.text) for one in file.entries] == [
        (13, Decimal("1200.50"), Direction.IN, "INV-1"),
        (14, Decimal("3.20"), Direction.OUT, "fee"),
    ]
    assert file.entries[0].payer_name == "Müller GmbH"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("01.02.2027;A;INV-1;1.200", "its amounts"),
        ("01/02/2027;A;INV-1;5,20", "its days"),
    ],
)
def test_a_csv_file_in_doubt_is_refused_until_somebody_says_how_it_is_written(rows: str, said: str) -> None:
    content = f"Buchungstag;Name;Zweck;Betrag\n{rows}\n"
    with pytest.raises(StatementError, match=said):
        read(content, LAYOUT)
    way = LAYOUT.model_copy(update={"decimals": "decimal-comma", "days": "day-first"})
    assert only(content, way).booked_on == date(2027, 2, 1)


def test_money_in_and_money_out_may_have_columns_of_their_own() -> None:
    columns = {"booked_on": ("Date",), "money_in": ("In",), "money_out": ("Out",), "text": ("Text", "More")}
    layout = LAYOUT.model_copy(update={"columns": columns})
    file = read("Date,In,Out,Text,More\n2027-03-01,12.00,,INV-1,a\n2027-03-02,,3.00,fee,b\n", layout)
    assert [(one.amount, one.direction.value, one.text) for one in file.entries] == [
        (Decimal("12.00"), "in", "INV-1 a"),
        (Decimal("3.00"), "out", "fee b"),
    ]
    assert "stands in two columns" in problem("Date,In,Out,Text,More\n2027-03-01,12.00,3.00,x,y\n", layout)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("2027-03-01;A;INV-1;12,00;12,00\n2027-03-02;B;INV-2;5,00;18,00", "does not follow"),
        ("2027-03-01;A;INV-1;12,00", "has 4 cells"),
        ("2027-03-01;A;INV-1;twelve;12,00", "is no amount"),
        ("2027-02-30;A;INV-1;12,00;12,00", "is no day"),
        ('2027-03-01;A;"INV-1;12,00;12,00', "double quote"),
    ],
)
def test_a_damaged_csv_is_good_in_part_only(rows: str, said: str) -> None:
    layout = LAYOUT.model_copy(update={"columns": LAYOUT.columns | {"balance": ("Saldo",)}})
    assert said in problem(f"Buchungstag;Name;Zweck;Betrag;Saldo\n{rows}\n", layout)


@pytest.mark.parametrize("order", [1, -1])
def test_balances_are_followed_oldest_or_latest_first(order: int) -> None:
    layout = LAYOUT.model_copy(update={"columns": LAYOUT.columns | {"balance": ("Saldo",)}})
    rows = ["2027-03-01;A;INV-1;12,00;12,00", "2027-03-02;B;INV-2;5,00;17,00", "2027-03-03;B;INV-3;5,00;22,00"]
    content = "\n".join(["Buchungstag;Name;Zweck;Betrag;Saldo", *rows[::order], ""])
    assert len(read(content, layout).entries) == 3
    assert not problem(content, layout)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Datum;Betrag\n1.1.2027;5,00\n", "no row with all titles"),
        ("Buchungstag;Name;Zweck;Betrag;Betrag\n", "twice"),
    ],
)
def test_a_csv_file_of_another_layout_is_refused(content: str, said: str) -> None:
    with pytest.raises(StatementError, match=said):
        read(content, LAYOUT)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"amount": ("A",)}, "booking day"),
        ({"booked_on": ("A",)}, "holds the amount"),
        ({"booked_on": ("A",), "amount": ("B", "C")}, "two columns"),
        ({"booked_on": ("A",), "amount": ("B",), "money_in": ("C",)}, "one column holds all amounts"),
        ({"booked_on": ("A",), "amount": ("B",), "colour": ("C",)}, "colour is nothing"),
    ],
)
def test_a_layout_that_cannot_work_is_refused(columns: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        StatementLayout(account=ACCOUNT, currency="EUR", columns=columns)


# Every format --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"Hello", "--layout"),
        (b"%PDF-1.7", "none of camt"),
        (b"<html></html>", "neither camt"),
        (b"<OFX></OFX>", "no statement of a bank account"),
        (b"\xff\xfe\x00", "none of camt"),
    ],
)
def test_what_is_no_statement_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(StatementError, match=said):
        read(content)


@pytest.mark.parametrize(
    ("written", "account"),
    [
        ("DE02 1203 0000 0000 2020 51", ACCOUNT),
        ("12030000/202051", ACCOUNT),
        ("12030000/0000202051EUR", ACCOUNT),
        ("NL20INGB0001234567EUR", "NL20INGB0001234567"),
        ("BYLADEM1001/DE02120300000000202051", ACCOUNT),
        ("123456789", "123456789"),
        ("", None),
    ],
)
def test_an_account_has_one_form_in_every_format(written: str, account: str | None) -> None:
    assert account_of(written) == account


def test_the_same_movement_is_one_entry_in_two_files_of_a_bank() -> None:
    one, two = only(camt(camt_entry(reference="B1"))), read(camt(camt_entry("3.00"), camt_entry(reference="B1")))
    assert one.identity in {entry.identity for entry in two.entries}
