"""The pages in a real browser: accessible by axe's rules, usable by keyboard alone and without JavaScript."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dunwell.domain.terms import MessageState
from dunwell.store import cases, outbox
from tests.intake.statements import camt, camt_entry
from tests.web.console.conftest import Running
from tests.web.console.test_console_pages import PAGES

AXE = Path(__file__).with_name("axe").joinpath("axe.min.js").read_text(encoding="utf-8")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def _broken_rules(page: Page, *, only_colours: bool = False) -> list[str]:
    """What axe finds, by rule and element. Injected as text, because the policy of the page forbids a tag."""
    page.evaluate(AXE)
    run = {"type": "rule", "values": ["color-contrast"]} if only_colours else {"type": "tag", "values": _RULES}
    found: list[dict[str, Any]] = page.evaluate(
        "async run => (await axe.run(document, {runOnly: run, resultTypes: ['violations']})).violations", run
    )
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def _opened(page: Page, path: str) -> list[str]:
    """Open a page with all of its details, and return what the browser complains of."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path)
    page.evaluate(
        "document.querySelectorAll('details').forEach(one => { one.removeAttribute('name'); one.open = true })"
    )
    return said


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_on_wide_and_narrow_screens_light_and_dark(context: BrowserContext, path: str) -> None:
    """Some seconds: axe runs four times. Narrow pages have to fit, so that nobody scrolls sideways to read."""
    page = context.new_page()
    said = _opened(page, path)
    assert _broken_rules(page) == []
    page.emulate_media(color_scheme="dark")
    assert _broken_rules(page, only_colours=True) == []
    page.set_viewport_size({"width": 320, "height": 700})
    assert _broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.emulate_media(color_scheme="light")
    assert _broken_rules(page, only_colours=True) == []
    assert said == []


def _checked(page: Page) -> None:
    """Fail for what axe finds on wide and narrow screens, light and dark, and for a page that scrolls sideways."""
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="light")
        assert _broken_rules(page) == []
        page.emulate_media(color_scheme="dark")
        assert _broken_rules(page, only_colours=True) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_reference_of_the_api_is_accessible(context: BrowserContext) -> None:
    """Some seconds: the page is long."""
    page = context.new_page()
    said = _opened(page, "/api/docs")
    _checked(page)
    assert said == []


def test_letters_that_wait_are_accessible(context: BrowserContext, running: Running) -> None:
    with running.site.database.writing("lindenhof") as session:
        row = next(one for one in outbox.of_invoice(session, "LIN-2027-007") if one.channel == "letter")
        row.state, row.provider, row.provider_id = MessageState.ACCEPTED, "print-folder", "none.pdf"
    page = context.new_page()
    page.goto("/console/letters")
    expect(page.get_by_role("checkbox")).to_have_count(1)
    _checked(page)


def test_a_file_of_invoices_is_accessible_at_each_step(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/console/invoices")
    head = "invoice_id;number;customer_id;customer_name;country;accounts_payable_name;accounts_payable_email;Summe"
    row = "N-1;N/1;nord;Nordwind KG;DE;Ida Nord;ida@nordwind.example;1.200,50;EUR;01.03.2027;31.03.2027"
    text = f"{head};currency;issued_on;due_on\n{row}\n"
    page.locator("input[type=file]").set_input_files(
        {"name": "x.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name=re.compile("Read|Look|Show|Preview")).first.click()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    _checked(page)


def test_a_message_is_shown_as_it_looked_and_its_frame_runs_nothing(context: BrowserContext) -> None:
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto("/console/messages?channel=email")
    page.locator("tbody a[href*='/messages/']").first.click()
    frame = page.frame_locator("iframe")
    expect(frame.locator(".letter")).to_be_visible()
    _checked(page)
    assert said == []


def test_a_promise_takes_three_clicks_from_the_queue(context: BrowserContext, running: Running) -> None:
    page = context.new_page()
    page.goto("/console?kind=call")
    page.get_by_role("link", name=re.compile("Porto Claro.*5,120.00.*Rafael", re.DOTALL)).click()
    expect(page.get_by_role("heading", name="Call: Porto Claro Logística Ltda.")).to_be_visible()
    expect(page.get_by_label("They pay on")).to_be_hidden()
    page.get_by_label("They promised a date").check()
    page.get_by_label("They pay on").fill("2027-04-01")
    page.get_by_role("button", name="Save the outcome").click()
    expect(page.get_by_role("status")).to_contain_text("The outcome is recorded")
    assert _stage(running, "POR-2027-004") == "promised"


def test_a_call_is_worked_by_keyboard_alone(context: BrowserContext, running: Running) -> None:
    page = context.new_page()
    page.goto("/console?kind=call")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    _tab_to(page, "Estudio Ribera")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Call: Estudio Ribera y Asociados, S.L.")).to_be_visible()
    _tab_to(page, name="outcome")
    page.keyboard.press("ArrowDown")  # from "they say it is paid" to the promise
    expect(page.get_by_label("They promised a date")).to_be_checked()
    _tab_to(page, name="promise.date")
    page.keyboard.type("04012027")
    _tab_to(page, "Save the outcome")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The outcome is recorded")
    assert _stage(running, "RIB-2027-031") == "promised"


def _tab_to(page: Page, text: str = "", name: str = "") -> None:
    """Press Tab until what has this text, or the field of this name, has the focus; it has to be seen there."""
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const e = document.activeElement, b = e.getBoundingClientRect(); "
            "return [e.textContent || '', e.getAttribute('name') || '', b.bottom > 0 && b.top < innerHeight] }"
        )
        if (text and text in found[0] and found[0].strip().startswith(text)) or (name and found[1] == name):
            assert found[2], "the focus is outside of what is seen"
            return
    raise AssertionError(f"Tab never comes to {text or name}")


def test_without_javascript_the_same_forms_work(browser: Browser, running: Running) -> None:
    context = browser.new_context(base_url=running.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/console/cases")
    page.get_by_label("Customer, number or amount", exact=True).fill("HAN/2027/113")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="HAN/2027/113").click()
    page.locator("summary", has_text="Pause").click()
    form = page.locator("form[action$='/pause']")
    form.get_by_role("button").click()
    expect(form.get_by_text("Is missing", exact=True)).to_be_visible()
    form.get_by_label("Reason").fill("hardship")
    form.get_by_role("button").click()
    expect(page.get_by_role("status").first).to_contain_text("Done: the case has it")
    assert _stage(running, "HAN-2027-113") == "paused"
    context.close()


def test_a_statement_is_booked_by_keyboard_and_fits_a_narrow_screen(context: BrowserContext) -> None:
    """Some seconds: axe runs twice, on the preview of a damaged file and on what came of it."""
    page = context.new_page()
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto("/console/statements")
    content = camt(camt_entry("1.23", "hello", day="2026-03-02"), camt_entry("7x", day="2026-03-02"))
    page.get_by_label("File").set_input_files({"name": "march.xml", "mimeType": "text/xml", "buffer": content})
    _tab_to(page, "Show what it would bring")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What is wrong")).to_be_visible()
    assert _broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    _tab_to(page, name="accept_partial")
    page.keyboard.press("Space")
    _tab_to(page, "Book it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What came of it")).to_be_visible()
    assert _broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_the_list_follows_what_is_typed(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/console/cases")
    with page.expect_response(re.compile("q=lindenhof")) as answer:
        page.get_by_label("Customer, number or amount", exact=True).press_sequentially("lindenhof", delay=10)
    assert answer.value.request.headers["hx-request"] == "true"
    expect(page.get_by_role("status")).to_contain_text("3 cases found")


def test_a_preview_is_shown_beside_the_ladder(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/console/cases/LIN-2027-007")
    page.get_by_role("link", name="Preview of hand-over").click()
    expect(page.get_by_role("heading", name="hand-over, as it would leave now")).to_be_visible()
    assert page.url.endswith("/console/cases/LIN-2027-007")


def test_a_screen_reader_hears_the_case_in_its_order(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/console/cases/LIN-2027-007")
    heads = page.locator("main :is(h1, h2)").all_inner_texts()
    assert heads[:4] == ["Invoice LIN/2027/007", "What comes next", "The ladder", "Timeline"]
    assert page.get_by_role("img", name=re.compile("The steps of the ladder: .* done")).count() == 1
    assert page.get_by_role("table", name=re.compile("The steps of the ladder")).count() == 1


def _stage(running: Running, invoice_id: str) -> str:
    with running.site.database.reading() as session:
        row = cases.get_row(session, invoice_id)
    assert row is not None
    return row.stage.value
