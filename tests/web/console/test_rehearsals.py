"""Rehearsals in the console: listed by themselves, marked wherever they are shown, and never among real work."""

from datetime import date
from typing import Any

import httpx
import pytest

from dunwell.domain.agreements import Grace
from dunwell.domain.invoice import for_rehearsal
from dunwell.domain.terms import MessageState
from dunwell.store import cases
from tests.builders import a_customer, an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness
from tests.web.console.conftest import Site
from tests.web.console.town import NOW

_PLAYED = "trial-1"
_FIRST_LETTER = "2027-03-25 09:00"


@pytest.fixture(autouse=True)
def rehearsal(site: Site) -> None:
    """The case of a customer who is known from rehearsals only, with a message."""
    harness = ServiceHarness(sample_deps(site.database))
    customer = a_customer(name="Played Ltd")
    bill = an_invoice(invoice_id=_PLAYED, number="TRIAL/1", customer=customer, policy="gentle-saas")
    harness.open(for_rehearsal(bill), rehearsal=True)
    assert harness.case.next_action is not None
    harness.carry_out(harness.case.next_action.step, _FIRST_LETTER, rehearsal=True)
    assert {one.state for one in harness.messages()} == {MessageState.DELIVERED}


@pytest.mark.parametrize("query", ["", "?q=Played", "?stage=open"])
async def test_cases_of_rehearsals_are_listed_by_themselves(http: httpx.AsyncClient, query: str) -> None:
    assert "TRIAL/1" not in (await http.get(f"/console/cases{query}")).text
    only = (await http.get("/console/cases", params={"rehearsals": "only"} | dict(httpx.QueryParams(query)))).text
    assert "1 rehearsal found" in only and "TRIAL/1" in only and "LIN/2027/007" not in only


async def test_where_only_rehearsals_are_like_that_the_page_leads_to_them(http: httpx.AsyncClient) -> None:
    cases = (await http.get("/console/cases?q=TRIAL")).text
    assert 'href="/console/cases?q=TRIAL&amp;rehearsals=only">show 1 rehearsal</a>' in cases
    customers = (await http.get("/console/customers?q=Played")).text
    assert 'href="/console/customers?q=Played&amp;rehearsals=only">show 1 customer of rehearsals</a>' in customers


async def test_their_customers_are_listed_by_themselves(http: httpx.AsyncClient) -> None:
    assert "Played Ltd" not in (await http.get("/console/customers")).text
    text = (await http.get("/console/customers?rehearsals=only")).text
    assert "1 customer of rehearsals" in text and "Played Ltd" in text and "Lindenhof" not in text


async def test_the_file_of_rehearsals_holds_them_alone_and_says_so_in_its_name(http: httpx.AsyncClient) -> None:
    real, only = await http.get("/console/cases.csv"), await http.get("/console/cases.csv?rehearsals=only")
    assert "TRIAL/1" not in real.text and 'filename="cases-' in real.headers["Content-Disposition"]
    assert [line.split(",")[1] for line in only.text.splitlines()] == ["number", "TRIAL/1"]
    assert 'filename="rehearsals-' in only.headers["Content-Disposition"]


async def test_their_messages_are_marked(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console/messages")).text
    rows = text.split("<tr>")
    marked = [one for one in rows if '<span class="mark">rehearsal</span>' in one]
    assert marked and marked == [one for one in rows if "Played Ltd" in one]
    path = marked[0].split('href="')[1].split('"')[0]
    assert "This message is of a rehearsal" in (await http.get(path)).text


async def test_the_filter_can_be_saved(http: httpx.AsyncClient) -> None:
    answer = await http.post("/console/filters/cases", data={"name": "demo", "query": "rehearsals=only"})
    assert answer.headers["Location"] == "/console/cases?rehearsals=only"


def played_until(site: Site, moment: str, **agreed: Any) -> None:
    """Let the rehearsal's own clock show this time."""
    with site.database.writing() as session:
        case = cases.get(session, _PLAYED)
        assert case is not None
        for name, value in agreed.items():
            setattr(case.agreements, name, value)
        cases.put(session, case, rehearsal=True, now=at(moment))


async def test_the_page_of_a_case_goes_by_the_clock_of_the_case(http: httpx.AsyncClient, site: Site) -> None:
    running = Grace(number=1, until=date(2027, 9, 3), by="agent-7", since=at("2027-09-01 09:00"))
    played_until(site, "2027-09-01 12:00", grace=running)
    text = (await http.get(f"/console/cases/{_PLAYED}")).text
    assert "it is restricted again on Fri 3 Sep 2027 unless it is paid" in text
    assert text.count("Fri 3 Sep 2027") == 1 and "Grace until" not in text  # one day, however it is asked for


async def test_a_statement_of_a_rehearsal_may_be_of_the_days_that_it_has_played(
    http: httpx.AsyncClient, site: Site
) -> None:
    played_until(site, "2027-09-01 12:00")
    with site.database.reading() as session:
        row = cases.get_row(session, _PLAYED)
        assert row is not None
        customer_id = row.customer_id
        assert cases.time_of_customer(session, customer_id, NOW) == cases.time_of(row, NOW) == at("2027-09-01 12:00")
        assert cases.time_of_customer(session, "lindenhof", NOW) == NOW
    path = f"/console/customers/{customer_id}/statement"
    assert (await http.get(path, params={"as_of": "2027-08-31"})).status_code == 200
    assert (await http.get(path, params={"as_of": "2027-09-02"})).status_code == 422
