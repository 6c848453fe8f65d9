"""Takes the pictures of docs/console.md from the running console: `python -m tests.web.console.pictures`.

The console runs over the town of the tests, at its time, so that the pictures change only when the pages do.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.browser import launch, serving
from tests.builders import sample_deps
from tests.web.console.conftest import site_on, sitting
from tests.web.console.town import settle

FOLDER = Path(__file__).parents[3] / "docs" / "console"
PICTURES = (
    ("today", "/console?kind=call", 1200, 760),
    ("case", "/console/cases/LIN-2027-007", 1200, 900),
    ("customer", "/console/customers/brightwater", 1200, 760),
    ("cases", "/console/cases?stage=open", 1200, 640),
    ("message", "/console/messages?channel=email", 1200, 760),
    ("audit", "/console/audit", 1200, 560),
    ("profile", "/console/profile", 1200, 560),
    ("policy", "/console/policies/gradual-pressure", 1200, 640),
    ("figures", "/console/figures", 1200, 1000),
)


@contextmanager
def running() -> Iterator[str]:
    """Run the console over a new town. Yields its address."""
    folder = Path(tempfile.mkdtemp(prefix="dunwell-pictures-"))
    database = Database(f"sqlite:///{folder}/town.sqlite")
    migrate(database)
    settle(sample_deps(database))
    site = site_on(database, folder)
    with sitting(), serving(site.app) as address:
        yield address
    database.close()
    shutil.rmtree(folder, ignore_errors=True)


def take(page: Page, name: str, address: str, width: int, height: int) -> None:
    """Write one picture into the folder."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address)
    if name == "message":  # its address is another in every town
        page.locator("tbody a[href*='/messages/']").first.click()
        page.frame_locator("iframe").locator("body").wait_for()
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    with running() as address, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(color_scheme="light", reduced_motion="reduce")
        for name, path, width, height in PICTURES:
            take(page, name, f"{address}{path}", width, height)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
