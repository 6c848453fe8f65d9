"""What a letter says and where: address, figures, payment slip, both sizes of paper; and that no text is markup."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import segno
from babel import Locale
from pypdf import PageObject, PdfReader, mult

from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Customer, Invoice
from dunwell.gateways.print_folder.client import PrintFolderGateway
from dunwell.services.letters import Letter, paper_of, printed, window_lines
from dunwell.services.our_company import BankAccount, Letterhead, usual_window
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow
from dunwell.texts.formatting import CALL, Formatter, OtherInvoice
from dunwell.texts.letter_blocks import Block, Piece, blocks
from dunwell.texts.markup import parse
from dunwell.texts.payment_slip import Payee, payment_slip
from tests.builders import a_contact, a_customer, an_invoice, sample_deps, the_catalogue, the_ladders
from tests.services.conftest import REGISTERED, ServiceHarness

FIRST = "2027-03-02 09:00"
MM = 72 / 25.4
IBAN, BIC = "DE89370400440532013000", "COBADEFFXXX"
REFERENCE = "RF96C6B80S6PQA"
OURS = Letterhead(address=("Mill Lane 4", "10117 Berlin"))
ACCOUNT = BankAccount(IBAN, BIC)
BERLIN = "Werkstraße 12\n10115 Berlin"
SPRINGFIELD = "1 Main St\nSpringfield, IL 62701"


def by_letter(invoice: Invoice, harness: ServiceHarness) -> None:
    """Open a case whose ladder writes letters only."""
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": (Channel.LETTER,)}) if step.by else step for step in usual.steps)
    ladders = {"gentle-saas": usual.model_copy(update={"steps": steps})}
    harness.case = Registrar(harness.deps, ladders).register(invoice, REGISTERED).opening.case


@dataclass(frozen=True)
class Said:
    """A run of text and where it stands, in millimetres from the top left corner of its page."""

    text: str
    x: float
    y: float


def words_of(page: PageObject) -> list[Said]:
    found: list[Said] = []

    def visit(text: str, outer: list[float], inner: list[float], *_: Any) -> None:
        x, y = mult(inner, outer)[4:6]
        if text.strip():
            found.append(Said(text.strip(), x / MM, (float(page.mediabox.height) - y) / MM))

    page.extract_text(visitor_text=visit)
    return found


def place_of(page: PageObject, text: str) -> Said:
    """The first run that holds `text`."""
    return next(one for one in words_of(page) if text in one.text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "letters"


@pytest.fixture
def make_letter(file_database: Database, folder: Path) -> Any:
    def make(customer: Customer, head: Letterhead = OURS, **invoice: Any) -> PdfReader:
        deps = replace(sample_deps(file_database, letter=PrintFolderGateway(folder)), letterhead=head)
        deps = replace(deps, sender=replace(deps.sender, account=ACCOUNT, phone="+49 30 901820"))
        harness = ServiceHarness(deps)
        by_letter(an_invoice(customer=customer, **invoice), harness)
        harness.carry_out("first-reminder", FIRST)
        (file,) = folder.iterdir()
        return PdfReader(BytesIO(file.read_bytes()))

    return make


def a_debtor(post: str = BERLIN, **changes: Any) -> Customer:
    return a_customer(contacts=(a_contact(name="Katrin Vogel", email=None, post=post),), **changes)


def text_of(letter: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in letter.pages)


LABELS: Mapping[str, str] = the_catalogue().labels("en")
TODAY = date(2027, 3, 2)


def a_bill(
    number: str = "A-1", asked: str = "80.00", currency: str = "EUR", due: date = date(2027, 3, 1)
) -> OtherInvoice:
    return OtherInvoice(
        number=number, issued_on=date(2027, 2, 1), due_on=due, asked=Decimal(asked), currency=currency, digits=2
    )


# What is long, many or strange --------------------------------------------------------------------------

NINE = "c/o Müller & Partner\nBuilding 7, Staircase B\n3rd floor, left\nWerkstraße 12\nSüd\n10115 Berlin\nGermany"
LONG_NAME = "Gesellschaft für die Verwaltung gewerblicher Immobilien im Großraum Berlin-Brandenburg " * 2 + "und Cie"
WINDOW_ENDS = {"DE": 90, "US": 82}


def y_of(page: PageObject, text: str) -> float:
    return place_of(page, text).y


@pytest.mark.parametrize("country", ["DE", "US"])
def test_c9_nine_address_lines_stay_in_the_window(make_letter: Any, country: str) -> None:
    page = make_letter(a_debtor(NINE, country=country, time_zone="Europe/Berlin")).pages[0]
    lines = ["Acme GmbH", "Katrin Vogel", *NINE.splitlines()]
    places = [y_of(page, line) for line in lines]
    assert places == sorted(places)
    assert len(set(places)) == len(lines)
    assert places[-1] < WINDOW_ENDS[country] < y_of(page, "a friendly reminder")


@pytest.mark.parametrize("name", [LONG_NAME, "X" * 200], ids=["words", "one word"])
def test_c9_a_name_of_two_hundred_letters_is_laid_out(make_letter: Any, name: str) -> None:
    page = make_letter(a_debtor(name=name)).pages[0]
    window = "".join(one.text for one in words_of(page) if one.x < 105 and 61.5 < one.y < 90)
    assert window.replace(" ", "") == (name + "KatrinVogelWerkstraße1210115Berlin").replace(" ", "")
    assert y_of(page, "10115 Berlin") < WINDOW_ENDS["DE"] < y_of(page, "a friendly reminder")
    assert max(map(len, page.extract_text().splitlines())) < 140  # what fits between the margins


def test_c9_an_address_that_fits_no_window_is_refused_and_another_way_is_taken(
    file_database: Database, folder: Path
) -> None:
    harness = ServiceHarness(replace(sample_deps(file_database, letter=PrintFolderGateway(folder)), letterhead=OURS))
    post = "\n".join([f"{number} " + "W" * 40 for number in range(10)])
    by_letter(an_invoice(customer=a_debtor(post)), harness)
    harness.carry_out("first-reminder", FIRST)
    assert not folder.exists() or not list(folder.iterdir())
    withheld = [entry.reason for entry in harness.entries("withheld")]
    assert any("the address does not fit the window of an envelope" in reason for reason in withheld)
    assert [task.kind for task in harness.tasks()] == ["call"]


def test_c9_thirty_invoice_numbers_push_the_text_down(file_database: Database, folder: Path) -> None:
    deps = replace(sample_deps(file_database, letter=PrintFolderGateway(folder)), letterhead=OURS)
    harnesses = []
    for number in range(30):
        harness = ServiceHarness(deps)
        facts = {"invoice_id": f"inv-{number}", "number": f"INV-2027-{number:06}", "customer": a_debtor()}
        by_letter(an_invoice(**facts), harness)
        harnesses.append(harness)
    harnesses[0].carry_out("first-reminder", FIRST)
    (file,) = folder.iterdir()
    page = PdfReader(BytesIO(file.read_bytes())).pages[0]
    subject = y_of(page, "a friendly reminder")
    beside = [one for one in words_of(page) if one.x > 120 and "INV-" in one.text and one.y < subject]
    assert sum(one.text.count("INV-") for one in beside) == 30
    assert max(one.y for one in beside) < subject - 5


def test_c9_a_picture_in_a_name_is_left_out_and_no_box_is_printed(make_letter: Any) -> None:
    text = text_of(make_letter(a_debtor(name="Acme \N{GRINNING FACE} GmbH\N{HEAVY BLACK HEART}\ufe0f")))
    assert "issued on February 1, 2027 to Acme GmbH\n" in text
    assert "\N{GRINNING FACE}" not in text


def test_c9_a_number_that_no_font_prints_is_refused(file_database: Database, folder: Path) -> None:
    harness = ServiceHarness(sample_deps(file_database, letter=PrintFolderGateway(folder)))
    by_letter(an_invoice(customer=a_debtor(), number="請求書-7"), harness)
    harness.carry_out("first-reminder", FIRST)
    assert any("no font of ours can print CJK" in entry.reason for entry in harness.entries("withheld"))


def test_c9_a_long_link_can_be_copied(make_letter: Any) -> None:
    url = "https://pay.northwind.example/invoices/2027/0001/checkout?token=8fk2aZpQ0v-99_x&lang=en&campaign=none"
    text = text_of(make_letter(a_debtor(), payment_url=url))
    assert "\N{ZERO WIDTH SPACE}" not in text
    assert url in text.replace("\n", "")


# C5: our account, by currency -----------------------------------------------------------------------------

DOLLARS = BankAccount("GB29NWBK60161331926819", "NWBKGB2L")


def paid_to(harness: ServiceHarness, currency: str, channel: Channel, **sender: Any) -> MessageRow:
    """The first reminder of an invoice in `currency`, to somebody who is reached by `channel`."""
    harness.deps = replace(harness.deps, sender=replace(harness.deps.sender, **sender))
    contact = a_contact(
        name="Katrin Vogel", post=BERLIN, email="k@acme.example" if channel is Channel.EMAIL else None
    )
    invoice = an_invoice(customer=a_customer(contacts=(contact,)), currency=currency, payment_url=None)
    if channel is Channel.LETTER:
        by_letter(invoice, harness)
    else:
        harness.open(invoice)
    harness.carry_out("first-reminder", FIRST)
    return harness.messages()[0]


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.LETTER])
@pytest.mark.parametrize(
    ("currency", "sender", "iban"),
    [
        ("EUR", {"account": ACCOUNT}, "DE89 3704 0044 0532 0130 00"),
        ("USD", {"account": ACCOUNT, "accounts": {"USD": DOLLARS}}, "GB29 NWBK 6016 1331 9268 19"),
        ("EUR", {"account": ACCOUNT, "accounts": {"USD": DOLLARS}}, "DE89 3704 0044 0532 0130 00"),
        ("EUR", {"accounts": {"USD": DOLLARS}}, None),
        ("EUR", {}, None),
    ],
)
def test_c5_the_account_is_named_by_currency(
    file_database: Database, folder: Path, channel: Channel, currency: str, sender: dict[str, Any], iban: str | None
) -> None:
    harness = ServiceHarness(sample_deps(file_database, letter=PrintFolderGateway(folder)))
    body = paid_to(harness, currency, channel, **sender).body
    assert ("bank details are on the invoice" in body) is (iban is None)
    assert (f"IBAN {iban}, BIC" in body) is (iban is not None)
    if channel is Channel.LETTER:
        (file,) = folder.iterdir()
        text = text_of(PdfReader(BytesIO(file.read_bytes())))
        assert ("Payment slip" in text) is (iban is not None)
        assert iban is None or iban in text[text.index("Payment slip") :]


def test_c5_a_letter_names_our_phone(make_letter: Any) -> None:
    assert "Dunwell Example Ltd\n+49 30 901820\nana@dunwell.example" in text_of(make_letter(a_debtor()))


# The whole page ------------------------------------------------------------------------------------------


def test_a_letter_says_to_whom_how_much_for_what_and_by_when(make_letter: Any) -> None:
    text = text_of(make_letter(a_debtor()))
    for part in ("Acme GmbH", "Katrin Vogel", "Werkstraße 12", "10115 Berlin"):  # to whom
        assert part in text
    for part in ("Dunwell Example Ltd", "Mill Lane 4", "Ana Lopez", "ana@dunwell.example"):  # from whom
        assert part in text
    for part in ("March 2, 2027", "2027-001", "€1,200.00", "DE89 3704 0044 0532 0130 00", BIC, "Page 1 of 1"):
        assert part in text
    assert "https://pay.example/inv-1" in text  # paper cannot be pressed


@pytest.mark.parametrize(
    ("country", "post", "size", "window", "subject"),
    [
        pytest.param("DE", BERLIN, (210, 297), (25, 62.7), 100, id="A4, DIN 5008 form B"),
        pytest.param("US", SPRINGFIELD, (215.9, 279.4), (25.4, 56), 92, id="US Letter, no. 10 left window"),
    ],
)
def test_the_address_stands_in_the_window(
    make_letter: Any, country: str, post: str, size: tuple[float, float], window: tuple[float, float], subject: float
) -> None:
    page = make_letter(a_debtor(post, country=country)).pages[0]
    assert (float(page.mediabox.width) / MM, float(page.mediabox.height) / MM) == pytest.approx(size, abs=0.1)
    first, last = place_of(page, "Acme GmbH"), place_of(page, post.splitlines()[-1])
    assert first.x == pytest.approx(window[0], abs=0.5)
    assert window[1] < first.y < last.y < window[1] + 27.3  # four lines and the two below them have room
    assert place_of(page, "a friendly reminder").y == pytest.approx(subject, abs=6)
    assert place_of(page, "2027-001").y < subject  # the reference stands in the head


@pytest.mark.parametrize(("country", "side"), [(None, "left"), ("DE", "left"), ("FR", "right"), ("RE", "right")])
def test_the_side_of_the_window_goes_by_our_country(country: str | None, side: str) -> None:
    assert usual_window(country) == side


def test_the_window_may_be_on_the_right(make_letter: Any) -> None:
    """The window of a French DL envelope shows the page from 100 to 190 mm and from 55 to 85 mm, however it lies."""
    page = make_letter(a_debtor(), replace(OURS, window="right")).pages[0]
    for line in ("Acme GmbH", "Katrin Vogel", *BERLIN.splitlines()):
        place = place_of(page, line)
        assert 100 < place.x < 110
        assert 55 < place.y < 85
    ours, reference = place_of(page, "Mill Lane 4"), place_of(page, "2027-001")
    assert ours.x == reference.x == pytest.approx(25, abs=0.5)
    assert ours.y < 40 < reference.y < 85
    assert [one for one in words_of(page) if one.x > 90 and 40 < one.y < 56] == []


def test_a_long_address_is_made_small_enough_for_a_window_on_the_right(make_letter: Any) -> None:
    page = make_letter(a_debtor(NINE), replace(OURS, window="right")).pages[0]
    assert y_of(page, "Germany") < 85


def test_a_printing_service_that_addresses_letters_itself_gets_an_empty_window(make_letter: Any) -> None:
    page = make_letter(a_debtor(), replace(OURS, paper="us-letter", addressed=False)).pages[0]
    assert float(page.mediabox.width) / MM == pytest.approx(215.9, abs=0.1)
    assert [one for one in words_of(page) if one.x < 108 and one.y < 85] == []


def test_a_letter_in_spanish(make_letter: Any) -> None:
    text = text_of(make_letter(a_debtor("Calle Mayor 1\n28013 Madrid", country="ES", language="es")))
    labels = the_catalogue().labels("es")
    for part in ("2 de marzo de 2027", "1.200,00 €", labels["pay_slip"], labels["reference"]):
        assert part in text.replace("\N{NO-BREAK SPACE}", " ")


def test_cyrillic_names_are_printed(make_letter: Any) -> None:
    text = text_of(make_letter(a_debtor("ул. Мира 5\n1000 София", name="Ромашка ООД", country="BG")))
    assert "Ромашка ООД" in text
    assert "1000 София" in text


HOSTILE = '#panic("x") $a$ *b* _c_ @d <e> `f` \\ // [g] = h'


def test_no_text_becomes_markup(make_letter: Any) -> None:
    """Names and numbers may hold every sign that the template's language or Markdown knows."""
    customer = a_debtor(f"{HOSTILE}\n10115 Berlin", name="#import Co. *Ltd*")
    text = text_of(make_letter(customer, number='#1 $2 "3"'))
    for part in ("#import Co. *Ltd*", '#1 $2 "3"', '#panic("x")', "*b* _c_ @d <e> `f`"):
        assert part in text


def test_many_pages_are_numbered_and_the_slip_is_at_the_foot_of_the_last() -> None:
    slip = payment_slip(
        Payee(name="Looms Ltd", iban=IBAN), REFERENCE, [a_bill()], LABELS, Formatter(Locale("en"), CALL), TODAY
    )
    long = Letter(
        paper="a4",
        language="en",
        day=TODAY,
        sender="Looms Ltd",
        sender_lines=(),
        window=("Acme GmbH", "10115 Berlin"),
        side="left",
        addressed=True,
        today="March 2, 2027",
        references=(("Our reference", "A-1"),),
        subject="A long letter",
        body=tuple(Block(kind="paragraph", pieces=(Piece(text=f"Paragraph {n}."),)) for n in range(90)),
        slip=slip,
        page="Page {n} of {total}",
    )
    pages = PdfReader(BytesIO(printed(long).content)).pages
    said = [page.extract_text() for page in pages]
    assert len(said) == 3
    assert [f"Page {n} of 3" in text for n, text in enumerate(said, 1)] == [True] * 3
    assert ["Payment slip" in text for text in said] == [False, False, True]
    assert ["A long letter" in text for text in said] == [True, False, False]
    assert place_of(pages[2], "Payment slip").y > 230


# Paper and window ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "paper"),
    [
        ("DE", "a4"),
        ("GB", "a4"),
        ("JP", "a4"),
        ("AU", "a4"),
        ("US", "us-letter"),
        ("CA", "us-letter"),
        ("MX", "us-letter"),
    ],
)
def test_paper_goes_by_country(country: str, paper: str) -> None:
    assert paper_of(country) == paper


@pytest.mark.parametrize(
    ("post", "lines"),
    [
        pytest.param(BERLIN, ("Acme GmbH", "Ada", "Werkstraße 12", "10115 Berlin"), id="both are put above"),
        pytest.param(
            f"ACME GmbH\n{BERLIN}", ("Ada", "ACME GmbH", "Werkstraße 12", "10115 Berlin"), id="company given"
        ),
        pytest.param(
            f"Acme GmbH\nDr. Ada\n{BERLIN}",
            ("Acme GmbH", "Dr. Ada", "Werkstraße 12", "10115 Berlin"),
            id="both given",
        ),
    ],
)
def test_nobody_stands_twice_in_the_window(post: str, lines: tuple[str, ...]) -> None:
    assert window_lines("Acme GmbH", a_contact(name="Ada", post=post)) == lines


# The body ------------------------------------------------------------------------------------------------


def pieces(block: Block) -> str:
    """A paragraph with its faces: *bold*, _italic_, / for a line's end."""
    return "".join(_marked(piece) for piece in block.pieces)


def _marked(piece: Piece) -> str:
    if piece.line_break:
        return " / "
    text = f"*{piece.text}*" if piece.bold else piece.text
    return f"_{text}_" if piece.italic else text


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("one\ntwo", "one two"),
        ("one\\\ntwo", "one / two"),
        ("**Pay** it _now_", "*Pay* it _now_"),
        ("[Pay](https://pay.example/a?b=1)", "Pay: https://pay.example/a?b=1"),
        ("<https://pay.example>", "https://pay.example"),  # no label of its own: said once
        ("[a@b.example](mailto:a@b.example)", "a@b.example"),
        ("Acme Inc..", "Acme Inc."),
        (r"\*no markup\* \#1", "*no markup* #1"),
    ],
)
def test_runs_of_a_paragraph(markdown: str, said: str) -> None:
    (block,) = blocks(parse(markdown))
    assert (block.kind, pieces(block)) == ("paragraph", said)


def test_lists_tables_headings_and_small_print() -> None:
    markdown = "# Head\n\n- a\n- b\n\n3. c\n\n| x | y |\n| :-- | --: |\n| **1** | 2 |\n\n---\n\nsmall"
    head, marks, numbers, table, rule, small = blocks(parse(markdown))
    assert (head.kind, rule.kind, pieces(small)) == ("heading", "rule", "small")
    assert [pieces(item[0]) for item in marks.items] == ["a", "b"]
    assert (marks.start, numbers.start) == (None, 3)
    assert table.right == (False, True)
    assert [[pieces(Block(kind="paragraph", pieces=cell)) for cell in row] for row in table.rows] == [
        ["x", "y"],
        ["*1*", "2"],
    ]


# The payment slip ----------------------------------------------------------------------------------------


def code_of(payload: str) -> str:
    """The image of a code that holds exactly this payload, at the error correction the guideline asks for."""
    return segno.make_qr(payload.encode(), error="m", boost_error=False).svg_inline(border=4, omitsize=True)


SCT = "BCD\n002\n1\nSCT\n{bic}\n{name}\n{iban}\nEUR{amount}\n\nRF96C6B80S6PQA"


@pytest.mark.parametrize(
    ("payee", "bills", "payload"),
    [
        pytest.param(
            Payee(name="Looms Ltd", iban=IBAN, bic=BIC),
            [a_bill()],
            SCT.format(bic=BIC, name="Looms Ltd", iban=IBAN, amount="80"),
            id="one invoice",
        ),
        pytest.param(
            Payee(name="Webstühle Ö", iban=IBAN),
            [a_bill(asked="1200.10"), a_bill("Ж-2", "0.05")],
            SCT.format(bic="", name="Webstühle Ö", iban=IBAN, amount="1200.15"),
            id="several invoices, no bank code, other alphabets",
        ),
        pytest.param(
            Payee(name="N" * 80, iban=IBAN),
            [a_bill()],
            SCT.format(bic="", name="N" * 70, iban=IBAN, amount="80"),
            id="a long name is cut",
        ),
        pytest.param(Payee(name="Looms Ltd", iban=IBAN), [a_bill(currency="USD")], None, id="no euros"),
        pytest.param(Payee(name="Looms Ltd", iban=IBAN), [a_bill(), a_bill("B", "1.00", "USD")], None, id="mixed"),
        pytest.param(Payee(name="Looms Ltd", iban=IBAN), [a_bill(asked="1000000000.00")], None, id="more than fits"),
        pytest.param(Payee(name="𠮷" * 70, iban=IBAN), [a_bill()], None, id="too many bytes"),
    ],
)
def test_the_code_holds_the_transfer(payee: Payee, bills: list[OtherInvoice], payload: str | None) -> None:
    slip = payment_slip(payee, REFERENCE, bills, LABELS, Formatter(Locale("en"), CALL), TODAY)
    assert slip.code == (None if payload is None else code_of(payload))


def test_the_lines_of_a_slip() -> None:
    payee = Payee(name="Looms Ltd", iban=IBAN, bic=BIC)
    bills = [a_bill(due=date(2027, 3, 9)), a_bill("A-2", "60.00", due=date(2027, 4, 1))]
    slip = payment_slip(payee, REFERENCE, bills, LABELS, Formatter(Locale("en"), CALL), TODAY)
    assert slip.rows == (
        (LABELS["payable_to"], "Looms Ltd"),
        (LABELS["account"], "DE89 3704 0044 0532 0130 00"),
        (LABELS["bank"], BIC),
        (LABELS["amount"], "€140.00"),
        (LABELS["reference"], "RF96 C6B8 0S6P QA"),
        (LABELS["pay_by"], "March 9, 2027"),
    )


def test_a_slip_names_no_day_that_has_passed_and_no_bank_that_nobody_named() -> None:
    slip = payment_slip(
        Payee(name="Looms Ltd", iban=IBAN), REFERENCE, [a_bill()], LABELS, Formatter(Locale("en"), CALL), TODAY
    )
    assert [label for label, _ in slip.rows] == [
        LABELS[key] for key in ("payable_to", "account", "amount", "reference")
    ]
