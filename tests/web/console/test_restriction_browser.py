"""The page about a restricted account in a real browser: accessible by axe's rules, and usable by keyboard alone."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import serving
from tests.builders import at, sample_deps
from tests.databases import opened
from tests.web.conftest import CUSTOMER_LINKS
from tests.web.console.test_console_browser import _checked
from tests.web.test_restriction_page import ACME, SENDER, Firm


@dataclass
class Open:
    firm: Firm
    address: str
    page: Page

    def show(self, path: str = "") -> None:
        self.page.goto(f"{self.address}/r/{self.firm.token()}{path}")


@pytest.fixture
def site(blank_file: Path, tmp_path: Path, browser: Browser) -> Iterator[Open]:
    """A firm with two invoices that limit its account, in Spanish, on a port."""
    shutil.copy(blank_file, tmp_path / "firm.sqlite")
    database = opened(f"sqlite:///{tmp_path}/firm.sqlite")
    firm = Firm(replace(sample_deps(database), links=CUSTOMER_LINKS, sender=SENDER), at("2027-04-02 12:00"))
    spanish = ACME.model_copy(update={"language": "es"})
    firm.chase(customer=spanish)
    firm.chase("inv-2", customer=spanish, amount=Decimal("99.00"))
    with serving(firm.app) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(10_000)
        yield Open(firm, address, context.new_page())
        context.close()
    database.close()


def test_axe_finds_nothing_on_wide_and_narrow_screens_light_and_dark(site: Open) -> None:
    """Some seconds: axe runs often. With all details open, and with a refused date."""
    said: list[str] = []
    site.page.on("console", lambda message: said.append(message.text))
    site.show()
    site.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    _checked(site.page)
    site.page.evaluate("document.querySelectorAll('form').forEach(one => { one.noValidate = true })")
    site.page.get_by_role("button", name="Prometer este día").first.click()
    expect(site.page.get_by_text("Indique un día entre")).to_be_visible()
    _checked(site.page)
    assert [one for one in said if "422" not in one and "404" not in one] == []  # the refused form, and an icon


def test_a_day_is_promised_by_keyboard_alone(site: Open) -> None:
    page = site.page
    site.show()
    summary = page.locator("summary", has_text="Díganos cuándo").first
    for _ in range(20):
        page.keyboard.press("Tab")
        if summary.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("04/06/2027")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Esperamos")).to_be_visible()
    assert [content["date"] for _, _, content in site.firm.engine.told] == ["2027-04-06"]


def test_whoever_waits_sees_by_themselves_that_access_is_back(site: Open) -> None:
    """Two seconds: the page looks each second, which is what was asked for."""
    site.show()
    site.page.get_by_role("link", name="Ya he pagado").click()
    expect(site.page.get_by_role("heading", name="Estamos esperando el pago")).to_be_visible()
    for invoice_id, amount in (("inv-1", "1200.00"), ("inv-2", "99.00")):
        site.firm.harnesses[invoice_id].pay("2027-04-02 12:30", amount)
    expect(site.page.get_by_role("heading", name="El acceso completo está restablecido")).to_be_visible()
    _checked(site.page)


def test_the_page_that_has_stopped_looking_is_accessible(site: Open) -> None:
    site.show(f"/waiting?since={int(site.firm.now.timestamp()) - 1000}")
    expect(site.page.get_by_role("link", name="Mirar otra vez")).to_be_visible()
    _checked(site.page)
