"""A bank statement over HTTP: previewed, booked once, and refused to whom it is none of their business."""

import asyncio
from typing import Any

import pytest

from dunwell.domain.principals import Role
from dunwell.store.database import Database
from tests.intake.statements import camt, camt_entry
from tests.web.described import check_described
from tests.web.principals import bearer
from tests.web.test_api import Open, api, written  # noqa: F401
from tests.workflows.conftest import harness, time_skipping  # noqa: F401

FILE = camt(camt_entry("1200.00", "INV-2027-001", day="2026-03-02"), camt_entry("7.00", "x", day="2026-03-02"))


@pytest.fixture
def database(file_database: Database) -> Database:
    return file_database


async def send(api: Open, content: bytes, role: Role = Role.BILLING, **query: str) -> tuple[int, Any]:  # noqa: F811
    answer = await api.http.post("/api/statements", content=content, params=query, headers=bearer(role))
    check_described(answer)
    return answer.status_code, answer.json()


async def test_a_statement_is_previewed_and_booked_once(api: Open) -> None:  # noqa: F811
    await api.post("/invoices", written(number="INV-2027-001"))
    status, found = await send(api, FILE, name="march.xml")
    assert (status, found["booked"], found["name"]) == (200, False, "march.xml")
    assert [line["verdict"] for line in found["lines"]] == ["book", "unmatched"]
    assert (await api.get("/cases/inv-1")).json()["amount_due"] == "1200.00"
    for verdict in ("book", "known"):
        status, found = await send(api, FILE, book="true")
        assert (status, found["booked"], found["lines"][0]["verdict"]) == (200, True, verdict)
    assert [line["verdict"] for line in found["lines"]] == ["known", "known"]
    for _ in range(100):  # the case takes it in by itself
        if (await api.get("/cases/inv-1")).json()["stage"] == "paid":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the case is not paid")


@pytest.mark.parametrize(
    ("content", "query", "said"),
    [
        (b"hello", {}, "none of camt"),
        (b"hello", {"layout": "nobody"}, "is not known"),
        (FILE.replace(b">7.00<", b">7,0<"), {"book": "true"}, "good in part only"),
    ],
)
async def test_what_is_no_good_statement_is_refused(
    api: Open,  # noqa: F811
    content: bytes,
    query: dict[str, str],
    said: str,
) -> None:
    status, problem = await send(api, content, Role.BILLING, **query)
    assert (status, said in problem["reason"]) == (422, True), problem


async def test_an_agents_key_books_no_statement(api: Open) -> None:  # noqa: F811
    assert (await send(api, FILE, Role.AGENT))[0] == 403
