"""Links of customers that lead nowhere: what their pages say, in which language, and what they do not tell."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.builders import the_catalogue
from tests.web.conftest import Site
from tests.web.test_customer_unsubscribe import MAIL_ID, PATH, seen

CATALOGUE = the_catalogue()
PAY, STOP = "/p/abcdefgh", PATH[:-1]
LABELS = {PAY: "bad_pay_link", STOP: "bad_stop_link"}


def says(language: str, *labels: str) -> list[str]:
    return [seen(f"<body>{CATALOGUE.labels(language)[one]}") for one in labels]


async def page(site: Site, path: str, language: str, method: str = "GET") -> Any:
    return await site.http.request(method, path, headers={"Accept-Language": language}, follow_redirects=False)


@pytest.mark.parametrize("language", CATALOGUE.languages)
@pytest.mark.parametrize("path", [PAY, STOP], ids=["pay", "unsubscribe"])
async def test_a_link_that_leads_nowhere_says_so_in_every_language(site: Site, path: str, language: str) -> None:
    answer = await page(site, path, f"tlh, {language};q=0.9, *;q=0.1")
    assert (answer.status_code, answer.headers["vary"]) == (404, "Accept-Language")
    assert f'<html lang="{language}"' in answer.text
    assert all(one in seen(answer.text) for one in says(language, "bad_link", LABELS[path]))
    assert path.rpartition("/")[2] not in answer.text and "<form" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
        ("en;q=0.4, fr;q=0.8", "fr"),
        ("hu, es;q=0.5", "es"),
        ("fr;q=0, it", "it"),
        ("hu", "en"),
        ("", "en"),
        ("*", "en"),
        (";;,,q=;de;q=x", "en"),
        ("x" * 5000, "en"),
    ],
)
async def test_it_speaks_what_the_browser_asks_for(site: Site, asked: str, spoken: str) -> None:
    answer = await page(site, PAY, asked)
    assert (answer.status_code, f'<html lang="{spoken}"' in answer.text) == (404, True)


@pytest.mark.parametrize("path", ["/p", "/p/", "/p/abcdefgh/", "/unsubscribe", "/unsubscribe/", f"{PATH}/more"])
async def test_a_link_that_was_cut_or_lengthened_gets_the_same_page(site: Site, path: str) -> None:
    site.case()
    site.message(MAIL_ID)
    label = LABELS[PAY if path.startswith("/p") else STOP]
    answer = await page(site, path, "de")
    assert answer.status_code == 404 and says("de", label)[0] in seen(answer.text)
    assert site.closed() is None


@pytest.mark.parametrize(
    ("method", "path"), [("GET", PAY), ("HEAD", PAY), ("GET", PATH), ("POST", PATH)], ids=lambda one: one[:6]
)
async def test_while_the_database_is_away_a_page_asks_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    def fail(*_: Any) -> Any:
        raise OperationalError("select secret", {}, Exception("gone"))

    site.case()
    site.message(MAIL_ID)
    monkeypatch.setattr(site.database, "reading", fail)
    answer = await page(site, path, "ru", method)
    assert answer.status_code == 503 and "secret" not in answer.text
    if method != "HEAD":
        assert all(one in seen(answer.text) for one in says("ru", "page_away", "page_away_means"))
