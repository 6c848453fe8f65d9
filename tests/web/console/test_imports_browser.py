"""Files that people bring to the console, in a real browser: accessible, narrow and wide, and without JavaScript."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.web.console.conftest import Running
from tests.web.console.test_console_browser import _checked, _opened

_INVOICES = (
    "Nr;Kunde;customer_name;country;amount;currency;issued_on;due_on\n"
    "N/1;nord;Nordwind KG;DE;1.200,50;EUR;01.03.2027;31.03.2027\n"
    "N/2;lindenhof;Lindenhof;DE;much;EUR;01.03.2027;31.03.2027\n"
    "N/3;lindenhof;Lindenhof;DE;7,00;EUR;01.03.2027;31.03.2027\n"
)
_STATEMENT = "Tag;Betrag;Auftraggeber;Zweck\n02.03.2026;18.450,75;Lindenhof;LIN/2027/007\n03.03.2026;-3,00;Bank;Fee\n"


def _choose(page: Page, path: str, name: str, text: str) -> None:
    page.goto(path)
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="Show what").click()


def _all_open(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def test_the_columns_of_an_invoice_file_are_mapped_on_an_accessible_page(context: BrowserContext) -> None:
    """Some seconds: axe runs eight times."""
    page = context.new_page()
    _choose(page, "/console/invoices", "open.csv", _INVOICES)
    _all_open(page)
    _checked(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_label("Number", exact=True).select_option("Nr")
    page.get_by_label("Customer id", exact=True).select_option("Kunde")
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_text("1 invoice can be started, 2 problems")).to_be_visible()
    _all_open(page)
    _checked(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the refused lines").click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert [line.partition(";")[0] for line in lines] == ["Nr", "N/1", "N/2"]


def test_the_lists_of_rehearsals_are_accessible(context: BrowserContext) -> None:
    page = context.new_page()
    for path in ("/console/cases?rehearsals=only", "/console/customers?rehearsals=only"):
        said = _opened(page, path)
        _checked(page)
        assert said == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_layout_is_made_by_keyboard_with_and_without_scripts(
    browser: Browser, running: Running, scripts: bool
) -> None:
    """Some seconds: axe runs eight times. It needs scripts, the page does not."""
    context = browser.new_context(base_url=running.address, java_script_enabled=scripts)
    page = context.new_page()
    text = _STATEMENT.replace("Auftraggeber", "Partner") if scripts else _STATEMENT
    _choose(page, "/console/statements", "märz.csv", text)
    expect(page.get_by_role("heading", name="How märz.csv is read")).to_be_visible()
    if scripts:
        _all_open(page)
        _checked(page)
    for label, title in (("Booking day", "Tag"), ("Amount, below zero where money went out", "Betrag")):
        page.get_by_label(label, exact=True).focus()
        page.keyboard.type(title)
    page.get_by_label("IBAN or number of our account").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("DE02120300000000202051")
    page.get_by_role("button", name="Show how it is read").press("Enter")
    expect(page.get_by_role("heading", name="Read in this way")).to_be_visible()
    expect(page.get_by_role("region", name="Entries as they are read")).to_contain_text("18,450.75 EUR")
    if scripts:
        _checked(page)
    page.get_by_label("Name of this way of reading").focus()
    page.keyboard.type(f"bank {scripts}")
    page.keyboard.press("Enter")  # the first button of the form shows how it is read, and keeps nothing
    expect(page.get_by_role("heading", name="Read in this way")).to_be_visible()
    page.get_by_role("button", name="Keep it and go on").press("Enter")
    expect(page.get_by_text(f"The layout bank {scripts} is kept")).to_be_visible()
    context.close()
