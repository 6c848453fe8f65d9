"""The page of figures: it answers by the day that is asked for, and its charts have a table beside them."""

import re

import httpx

from dunwell.domain.principals import Role
from tests.web.console.conftest import Site


async def test_the_page_shows_figures_formulas_and_a_table_beside_each_chart(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console/figures")).text
    for title in ("What is late", "Is it getting better", "What promises are worth", "After which step money came"):
        assert f">{title}</h2>" in text
    assert "Sales are the invoices known here" in text and "open receivables ÷ sales of the period" in text
    assert "no proof that the step caused it" in text
    assert text.count("<svg class=") == 4
    assert len(re.findall(r"<table", text)) >= 6
    opened = dict(
        re.findall(r"<th scope=\"row\">(not due|1-30|31-60|61-90|&gt;90)</th><td class=\"amount\">([\d.,]+)", text)
    )
    assert set(opened) == {"not due", "1-30", "31-60", "61-90", "&gt;90"}


async def test_figures_of_a_past_day_are_those_of_that_day(http: httpx.AsyncClient) -> None:
    now, then = (await http.get("/console/figures")).text, (await http.get("/console/figures?as_of=2027-02-01")).text
    assert "Mon 1 Feb 2027" in then and "Mon 1 Feb 2027" not in now
    assert _open(then) != _open(now)


def _open(text: str) -> str:
    found = re.search(r"<dt>Open</dt><dd><b class=\"big\">([\d.,]+) EUR", text)
    assert found
    return found[1]


async def test_a_day_that_is_none_is_refused_beside_its_field(http: httpx.AsyncClient) -> None:
    answer = await http.get("/console/figures", params={"as_of": "<b>soon"})
    assert answer.status_code == 422
    assert "is neither a day nor a time" in answer.text and 'aria-invalid="true"' in answer.text
    assert "<b>soon" not in answer.text
    answer = await http.get("/console/figures.csv", params={"as_of": "2099-01-01"})
    assert answer.status_code == 422 and "lies ahead" in answer.text


async def test_the_file_is_named_by_its_day(http: httpx.AsyncClient) -> None:
    answer = await http.get("/console/figures.csv?as_of=2027-02-01")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="figures-2027-02-01.csv"'
    assert answer.text.startswith("as_of,currency,section,item,figure,value\r\n")


async def test_billing_sees_no_figures(http: httpx.AsyncClient, site: Site) -> None:
    site.role = Role.BILLING
    assert (await http.get("/console/figures")).status_code == 403
