"""The customer's page in a real browser: accessible by axe's rules, and usable by keyboard without script."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dunwell.store.database import Database
from tests.browser import serving
from tests.web.console.test_console_browser import _checked, _opened
from tests.web.customer.conftest import House, house_on, settled_file

__all__ = ["settled_file"]


@dataclass
class OpenHouse:
    house: House
    address: str

    def link(self, invoice_id: str) -> str:
        return f"{self.address}{self.house.link(invoice_id)}"


@pytest.fixture(scope="module")
def open_house(settled_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHouse]:
    """The customers of the tests, on a port."""
    file = tmp_path_factory.mktemp("open") / "house.sqlite"
    shutil.copy(settled_file, file)
    database = Database(f"sqlite:///{file}")
    house = house_on(database)
    with serving(house.app) as address:
        yield OpenHouse(house, address)
    database.close()


@pytest.mark.parametrize("invoice_id", ["RIB-1", "PET-1"], ids=["es", "bg"])
def test_axe_finds_nothing(browser: Browser, open_house: OpenHouse, invoice_id: str) -> None:
    """Some seconds: axe runs eight times, with every form open, and again where each was refused."""
    context = browser.new_context(base_url=open_house.address, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said = _opened(page, open_house.link(invoice_id))
    _checked(page)
    page.locator("#promise button").click()
    expect(page.locator("#promise-day-error")).to_be_visible()
    _checked(page)
    assert [one for one in said if "422" not in one] == []
    context.close()


def test_a_promise_by_keyboard_alone_without_script(browser: Browser, open_house: OpenHouse) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US", viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(open_house.link("RIB-3"))
    summary = page.locator("#promise summary")
    for _ in range(30):
        page.keyboard.press("Tab")
        if summary.and_(page.locator(":focus")).count():
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("04022027")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_have_text("Gracias. Hemos anotado su promesa.")
    expect(page.get_by_text("2 de abril de 2027").first).to_be_visible()
    context.close()
