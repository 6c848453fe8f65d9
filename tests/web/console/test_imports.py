"""Files that people bring to the console: what is said of their columns, what is new in them, what is refused."""

import base64
import re

import httpx
import pytest
from sqlalchemy import select

from dunwell.domain.principals import Role
from dunwell.intake.csv_columns import COLUMNS
from dunwell.store.tables import InvoiceLayoutRow, StatementLayoutRow
from tests.web.console.conftest import Site
from tests.web.console.test_console_pages import hidden

_HEAD = "Nr;Kunde;customer_name;country;accounts_payable_name;accounts_payable_email;Summe;issued_on;due_on"
_LINE = "N/{0};nord;Nordwind KG;DE;Ida Nord;ida@nordwind.example;1.200,50;01.03.2027;31.03.2027"
_SAID = {"holds.number": "Nr", "holds.customer_id": "Kunde", "holds.amount": "Summe", "fixed.currency": "EUR"}
PREVIEW, START = "/console/invoices/preview", "/console/invoices/start"


def _file(*lines: str, head: str = _HEAD) -> dict[str, tuple[str, bytes]]:
    return {"file": ("open.csv", "\n".join((head, *lines)).encode())}


async def _mapped(http: httpx.AsyncClient, *lines: str) -> httpx.Response:
    first = await http.post(PREVIEW, files=_file(*lines))
    fields = dict(re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', first.text))
    return await http.post(PREVIEW, data=fields | _SAID)


# Invoices ------------------------------------------------------------------------------------------------


async def test_the_needed_fields_stand_first_and_the_others_in_groups(http: httpx.AsyncClient) -> None:
    text = (await http.post(PREVIEW, files=_file(_LINE.format(1)))).text
    groups = re.findall(r'<details class="group"( open)?><summary>([^<]+)', text)
    assert [name for _, name in groups][:3] == [
        "Needed in every file",
        "Whom to ask: accounts payable",
        "More about the invoice",
    ]
    assert [name for shown, name in groups if shown] == ["Needed in every file", "Whom to ask: accounts payable"]
    first = text.partition("Needed in every file")[2].partition("</details>")[0]
    assert re.findall(r'name="holds\.(\w+)"', first) == [
        "number", "amount", "currency", "issued_on", "due_on", "customer_id", "customer_name", "country",
    ]  # fmt: skip
    every = re.findall(r'name="holds\.(\w+)"', text)
    assert len(every) == len(COLUMNS) and set(every) == set(COLUMNS)


async def test_what_was_said_of_columns_is_used_for_the_next_file_with_the_same_ones(
    http: httpx.AsyncClient, site: Site
) -> None:
    preview = await _mapped(http, _LINE.format(1))
    assert "1 invoice can be started" in preview.text and "was started on" not in preview.text
    await http.post(START, data=hidden(preview.text, START))
    with site.database.reading() as session:
        (kept,) = session.scalars(select(InvoiceLayoutRow))
    assert kept.body["fixed"] == {"currency": "EUR"} and kept.by == "manager-1"

    again = await http.post(PREVIEW, files=_file(_LINE.format(2), _LINE.format(3), head=_HEAD.upper()))
    assert "2 invoices can be started" in again.text and "A file with these columns was started on" in again.text
    started = await http.post(START, data=hidden(again.text, START))
    assert "<b>2</b> started" in started.text and site.engine.started == ["N-1", "N-2", "N-3"]
    other = await http.post(PREVIEW, files=_file(_LINE.format(4), head=_HEAD.replace("Nr", "Number")))
    assert "A file with these columns" not in other.text


async def test_a_day_that_is_the_same_in_one_file_is_not_taken_for_the_next(
    http: httpx.AsyncClient, site: Site
) -> None:
    first = await http.post(PREVIEW, files=_file(_LINE.format(1)))
    fields = dict(re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', first.text))
    said = _SAID | {"unused.0": "due_on", "fixed.due_on": "2027-04-30"}
    preview = await http.post(PREVIEW, data=fields | said)
    assert "1 invoice can be started" in preview.text
    await http.post(START, data=hidden(preview.text, START))
    with site.database.reading() as session:
        (kept,) = session.scalars(select(InvoiceLayoutRow))
    assert kept.body["fixed"] == {"currency": "EUR"} and kept.body["left_out"] == ["due_on"]


async def test_cases_that_run_already_are_not_counted_as_ones_to_start(http: httpx.AsyncClient) -> None:
    preview = await _mapped(http, _LINE.format(1))
    await http.post(START, data=hidden(preview.text, START))
    both = await http.post(PREVIEW, files=_file(_LINE.format(1), _LINE.format(2)))
    assert "1 invoice can be started, 1 case runs already, 0 problems" in both.text
    assert "Start 1 case</button>" in both.text
    known = await http.post(PREVIEW, files=_file(_LINE.format(1)))
    assert "0 invoices can be started, 1 case runs already" in known.text and "What would happen" not in known.text
    assert "Start 1 case" not in known.text and "Take over customers and contacts</button>" in known.text


async def test_a_known_invoice_with_another_amount_is_refused_in_the_preview(http: httpx.AsyncClient) -> None:
    preview = await _mapped(http, _LINE.format(1))
    await http.post(START, data=hidden(preview.text, START))
    changed = await http.post(PREVIEW, files=_file(_LINE.format(1).replace("1.200,50", "999,00")))
    assert changed.status_code == 422 and "Line 2" in changed.text.replace("line 2", "Line 2")
    assert "Amount is 1200.50 in the case and 999.00 in the file" in changed.text


_MIXED = (
    "mark,number,customer_id,customer_name,country,amount,currency,issued_on,due_on\n"
    "a,N-7,lindenhof,Lindenhof,DE,5.00,EUR,2027-03-01,2027-03-31\n"
    "b,N-8,new,New AG,DE,5.00,EUR,2027-03-01,2027-03-31\n"
    'c,N-9,new,"New, AG",DE,much,EUR,2027-03-01,2027-03-31\n'
    'd,"N-10,new\n'
)


async def test_a_line_without_any_address_is_named_by_its_place_its_number_and_its_customer(
    http: httpx.AsyncClient,
) -> None:
    text = (await http.post(PREVIEW, files={"file": ("new.csv", _MIXED.encode())})).text
    row = next(one for one in text.split("<tr>") if "old nobody to ask" in one)
    assert "line 3" in row and "Invoice N-8 of New AG" in row


async def test_the_refused_lines_are_a_file_with_their_columns_and_the_reasons(http: httpx.AsyncClient) -> None:
    text = (await http.post(PREVIEW, files={"file": ("new.csv", _MIXED.encode())})).text
    answer = await http.post("/console/invoices/refused", data=hidden(text, "/console/invoices/refused"))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert 'filename="refused-' in answer.headers["Content-Disposition"]
    head, *lines = answer.content.decode("utf-8-sig").splitlines()
    assert head == "mark,number,customer_id,customer_name,country,amount,currency,issued_on,due_on,reason"
    assert [line[:1] for line in lines] == ["b", "c", '"']
    assert "hold nobody to ask" in lines[0]
    assert lines[1].startswith('c,N-9,new,"New, AG",DE,much,EUR,') and "'much' is no amount" in lines[1]
    assert lines[2].startswith('"d,""N-10,new",') and "double quote left open" in lines[2]
    mended = answer.content.replace(b"much", b"7.00")
    again = await http.post(PREVIEW, files={"file": ("refused.csv", mended)})
    refused = await http.post("/console/invoices/refused", data=hidden(again.text, "/console/invoices/refused"))
    assert refused.content.decode("utf-8-sig").splitlines()[0] == head


async def test_what_was_refused_at_the_start_is_a_file_too(http: httpx.AsyncClient) -> None:
    text = (await http.post(PREVIEW, files={"file": ("new.csv", _MIXED.encode())})).text
    started = await http.post(START, data=hidden(text, START))
    assert "<b>1</b> started" in started.text
    answer = await http.post("/console/invoices/refused", data=hidden(started.text, "/console/invoices/refused"))
    assert [line[:1] for line in answer.content.decode("utf-8-sig").splitlines()[1:]] == ["b", "c", '"']


# Bank statements -----------------------------------------------------------------------------------------

_STATEMENT = (
    "Sparkasse Musterstadt;;;\n"
    "Tag;Betrag;Auftraggeber;Zweck\n"
    "02.03.2026;18.450,75;Lindenhof;LIN/2027/007\n"
    "03.03.2026;-3,00;Sparkasse;Entgelt\n"
)
_LAYOUT = "/console/statements/layout"
_COLUMNS = {
    "holds.booked_on": "Tag",
    "holds.amount": "Betrag",
    "holds.payer_name": "Auftraggeber",
    "holds.text": "Zweck",
    "account": "DE02120300000000202051",
    "currency": "EUR",
    "layout_name": "Sparkasse",
}


def _statement(text: str = _STATEMENT) -> dict[str, tuple[str, bytes]]:
    return {"file": ("märz.csv", text.encode())}


async def _read_as_kept(http: httpx.AsyncClient, text: str = _STATEMENT) -> httpx.Response:
    """The preview of a file whose columns are known, as the layout that is kept."""
    page = await http.post("/console/statements/preview", files=_statement(text))
    return await http.post("/console/statements/preview", data=hidden(page.text, "/console/statements/preview"))


async def test_a_csv_file_that_nobody_described_is_described_tried_kept_and_booked(
    http: httpx.AsyncClient, site: Site
) -> None:
    page = await http.post("/console/statements/preview", files=_statement())
    assert page.status_code == 200 and "nobody has said yet what its columns hold" in page.text
    assert page.text.count("<option>Betrag</option>") == len(re.findall(r'<select name="holds\.', page.text))
    typed = hidden(page.text, _LAYOUT) | _COLUMNS
    tried = await http.post(_LAYOUT, data=typed | {"look": "yes"})
    assert "18,450.75 EUR" in tried.text and "−3.00 EUR" in tried.text and "Lindenhof" in tried.text
    with site.database.reading() as session:
        assert session.scalars(select(StatementLayoutRow)).all() == []
    kept = await http.post(_LAYOUT, data=typed | {"keep": "yes"})
    assert "The layout Sparkasse is kept" in kept.text and "Paid on invoices" in kept.text
    booked = await http.post("/console/statements/book", data=hidden(kept.text, "/console/statements/book"))
    assert "What came of it" in booked.text and len(site.engine.told) == 1
    again = await _read_as_kept(http)
    assert "read as Sparkasse" in again.text and "Nothing in this file is new" in again.text
    assert "Book it" not in again.text


async def test_a_statement_that_is_known_whole_is_not_offered_for_booking(http: httpx.AsyncClient) -> None:
    page = await http.post("/console/statements/preview", files=_statement())
    kept = await http.post(_LAYOUT, data=hidden(page.text, _LAYOUT) | _COLUMNS | {"keep": "yes"})
    assert "Book it" in kept.text
    await http.post("/console/statements/book", data=hidden(kept.text, "/console/statements/book"))
    assert "Book it" in (await _read_as_kept(http, f"{_STATEMENT}04.03.2026;5,00;Jemand;Danke\n")).text
    assert "Book it" not in (await _read_as_kept(http)).text


async def test_a_file_with_known_columns_is_read_only_when_somebody_says_whose_account_it_is(
    http: httpx.AsyncClient,
) -> None:
    page = await http.post("/console/statements/preview", files=_statement())
    await http.post(_LAYOUT, data=hidden(page.text, _LAYOUT) | _COLUMNS | {"keep": "yes"})
    known = await http.post("/console/statements/preview", files=_statement())
    assert "Sparkasse, our account DE02120300000000202051" in known.text and "Book it" not in known.text
    assert "Read it as Sparkasse</button>" in known.text and "Keep it and go on" in known.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"holds.booked_on": ""}, "No column holds the booking day: say which one does"),
        ({"holds.amount": ""}, "No column holds the amount"),
        ({"holds.booked_on": "Betrag"}, "The file"),
        ({"encoding": "latin-nine"}, "is unknown"),
        ({"encoding": "idna"}, "is unknown"),
        ({"layout_name": ""}, "Name: is missing"),
        ({"account": ""}, "Account: "),
    ],
)
async def test_what_does_not_fit_is_said_and_nothing_typed_is_lost(
    http: httpx.AsyncClient, change: dict[str, str], said: str
) -> None:
    page = await http.post("/console/statements/preview", files=_statement())
    typed = hidden(page.text, _LAYOUT) | _COLUMNS | {"keep": "yes"} | change
    answer = await http.post(_LAYOUT, data=typed)
    assert answer.status_code == 422 and said.lower() in answer.text.lower(), answer.text
    assert "<option selected>Zweck</option>" in answer.text
    if "layout_name" not in change:
        assert 'value="Sparkasse"' in answer.text


@pytest.mark.parametrize("content", [b"", b"x", b"%PDF-1.7\0,\0,\0\n1,2,3", b'a;b;c\n"1;2;3\n'])
async def test_a_file_that_is_no_table_has_no_columns_to_choose(http: httpx.AsyncClient, content: bytes) -> None:
    carried = {"name": "x.csv", "content": base64.urlsafe_b64encode(content).decode()}
    answer = await http.post(_LAYOUT, data=carried | _COLUMNS)
    assert answer.status_code == 422 and "<option>" not in answer.text


async def test_a_layout_is_replaced_only_when_somebody_says_so(http: httpx.AsyncClient, site: Site) -> None:
    page = await http.post("/console/statements/preview", files=_statement())
    typed = hidden(page.text, _LAYOUT) | _COLUMNS | {"keep": "yes"}
    await http.post(_LAYOUT, data=typed)
    other = typed | {"holds.payer_name": ""}
    assert "stands for another layout" in (await http.post(_LAYOUT, data=other)).text
    assert "is kept" in (await http.post(_LAYOUT, data=other | {"replace": "yes"})).text
    with site.database.reading() as session:
        (kept,) = session.scalars(select(StatementLayoutRow))
    assert "payer_name" not in kept.body["columns"]


async def test_whoever_may_not_book_statements_makes_no_layout(http: httpx.AsyncClient, site: Site) -> None:
    site.role = Role.AGENT
    assert (await http.post(_LAYOUT, data=_COLUMNS | {"keep": "yes"})).status_code == 403
