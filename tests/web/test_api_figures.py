"""Figures over HTTP, as the command prints them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.figures.period import AsOf
from dunwell.views.figure_table import HEADS, write_csv
from dunwell.views.figures import figures
from tests.web.conftest import TOKEN, Site
from tests.web.described import check_described

BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def test_figures_are_those_of_the_command_and_as_described(site: Site) -> None:
    site.case()
    answer = await site.http.get("/api/figures", params={"as_of": "2026-11-01"}, headers=BEARER)
    check_described(answer)
    with site.database.reading() as session:
        as_of = AsOf.read("2026-11-01", datetime.now(UTC))
        assert answer.json() == figures(session, as_of)
    (found,) = answer.json()["figures"]
    assert found["currency"] == "EUR"


async def test_without_any_invoice_there_are_no_figures(site: Site) -> None:
    answer = await site.http.get("/api/figures", headers=BEARER)
    assert (answer.status_code, answer.json()["figures"]) == (200, [])
    check_described(answer)


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("as_of=yesterday", "as_of", "is neither a day nor a time"),
        ("as_of=2027-02-30", "as_of", "is neither a day nor a time"),
        ("as_of=2026-03-01T10:00", "as_of", "is neither a day nor a time"),
        ("as_of=9999-12-31", "as_of", "lies ahead"),
        ("as_of=0001-01-01", "as_of", "is too early"),
        ("currency=XXX", "currency", "known are: EUR"),
        ("currency=eur", "currency", "known are: EUR"),
        ("until=2026-01-01", "until", "is no parameter here"),
    ],
)
async def test_what_cannot_be_is_refused(site: Site, query: str, field: str, reason: str) -> None:
    site.case()
    answer = await site.http.get(f"/api/figures?{query}", headers=BEARER)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert reason in answer.json()["reason"]
    check_described(answer)


async def test_a_time_that_has_not_come_is_refused_and_today_is_not(site: Site) -> None:
    now = datetime.now(UTC)
    for text, status in ((now.date().isoformat(), 200), ((now + timedelta(minutes=5)).isoformat(), 422)):
        answer = await site.http.get("/api/figures", params={"as_of": text}, headers=BEARER)
        assert answer.status_code == status


def test_the_file_has_every_number_of_the_figures(site_figures: dict[str, Any]) -> None:
    file = io.StringIO()
    write_csv(file, site_figures)
    rows = list(csv.reader(io.StringIO(file.getvalue())))
    assert tuple(rows[0]) == HEADS
    names = {tuple(row[2:5]) for row in rows[1:]}
    assert len(names) == len(rows) - 1, "two rows have one name"
    assert {
        ("", "", "dso"),
        ("ageing", ">90", "open"),
        ("promises", "", "kept_share"),
        ("calls", "call paid", "number"),
    } <= names
    assert ("trend", "2027-03-31", "ageing 1-30") in names
    assert ("at_risk", "2027-03-01 2027-03-31", "billed") in names


@pytest.fixture
def site_figures() -> dict[str, Any]:
    return {
        "as_of": "2027-03-31T23:59:59.999999+00:00",
        "day": "2027-03-31",
        "figures": [
            {
                "currency": "EUR",
                "dso": None,
                "ageing": [{"bucket": ">90", "open": "1.00", "share": "5.0"}],
                "at_risk": {"share": "1.0", "months": [{"from": "2027-03-01", "to": "2027-03-31", "billed": "1.00"}]},
                "promises": {"kept_share": None},
                "calls": [{"kind": "call", "result": "paid", "number": 1}],
                "trend": [{"day": "2027-03-31", "open": "1.00", "ageing": {"1-30": "1.00"}}],
            }
        ],
    }
