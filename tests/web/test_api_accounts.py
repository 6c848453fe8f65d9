"""What the product asks before it lets a customer in: one read, and nothing sent again that did not change."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, event

from dunwell.domain.terms import Level
from dunwell.store import accounts
from tests.web.conftest import SENT, Site
from tests.web.described import check_described
from tests.web.test_api import BEARER

_HOW = {"sqlite": "QUERY PLAN", "postgresql": ""}


async def access_of(site: Site, **headers: str) -> httpx.Response:
    answer = await site.http.get("/api/accounts/acme/access", headers=BEARER | headers)
    check_described(answer)
    return answer


def hold(site: Site) -> None:
    with site.database.writing("acme") as session:
        accounts.place_hold(session, "acme", "inv-1", Level.RESTRICTED, "step restrict", SENT)


async def test_an_unchanged_answer_is_not_sent_again(each_site: Site) -> None:
    site = each_site
    site.case()
    first = await access_of(site)
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, max-age=30")
    for condition in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await access_of(site, **{"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (
            first.headers["etag"],
            "private, max-age=30",
        )
    hold(site)
    changed = await access_of(site, **{"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["access"]) == (200, "restricted")
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("condition", ["", '"', "none", '""', ",,,", "W/"])
async def test_another_condition_is_answered_whole(site: Site, condition: str) -> None:
    site.case()
    assert (await access_of(site, **{"If-None-Match": condition})).status_code == 200


async def test_access_is_one_indexed_read_without_the_engine(each_site: Site) -> None:
    site = each_site
    site.case()
    hold(site)
    site.temporal.away = True
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT") and " customers " in statement:
            plan = connection.exec_driver_sql(f"EXPLAIN {_HOW[connection.dialect.name]} {statement}", parameters)
            plans.append(" ".join(str(cell) for row in plan for cell in row))

    event.listen(site.database.engine, "before_cursor_execute", explain)
    answer = await access_of(site)
    assert (answer.status_code, [one["level"] for one in answer.json()["holds"]]) == (200, ["restricted"])
    (plan,) = plans
    if site.database.engine.dialect.name == "sqlite":  # PostgreSQL reads a table of two rows whole
        assert "USING INDEX holds_open" in plan
        assert "SCAN" not in plan
