"""What the product asks before it lets a customer in: one read, and nothing sent again that did not change."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, event

from dunwell.domain.links import LinkKind
from dunwell.domain.principals import Role
from dunwell.domain.terms import Level
from dunwell.services import holds
from dunwell.services.attempt import Attempt
from dunwell.store import accounts, cases
from dunwell.store import links as link_store
from dunwell.store.tables import LinkRow
from tests.web.conftest import PUBLIC_URL, SENT, Site
from tests.web.described import check_described
from tests.web.principals import key_of
from tests.web.test_api import BEARER

_HOW = {"sqlite": "QUERY PLAN", "postgresql": ""}


async def access_of(site: Site, **headers: str) -> httpx.Response:
    answer = await site.http.get("/api/accounts/acme/access", headers=BEARER | headers)
    check_described(answer)
    return answer


def hold(site: Site) -> None:
    with site.database.writing("acme") as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        holds.place(session, site.service.deps, case, Level.RESTRICTED, "step restrict", SENT)


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
        assert "links USING INDEX links_of (customer_id=? AND kind=?)" in plan
        assert "SCAN" not in plan


async def test_the_product_learns_where_its_people_read_of_a_restriction(each_site: Site) -> None:
    site = each_site
    site.case()
    assert "page_url" not in (await access_of(site)).json()
    hold(site)
    first = (await access_of(site)).json()["page_url"]
    assert first.startswith(f"{PUBLIC_URL}/r/")
    assert (await site.http.get(first.removeprefix(PUBLIC_URL))).status_code == 200
    hold(site)
    assert (await access_of(site)).json()["page_url"] == first, "the product may keep the address"
    with site.database.writing("acme") as session:
        accounts.release_holds(session, "acme", "inv-1", "paid", SENT)
    assert "page_url" not in (await access_of(site)).json()
    assert (await site.http.get(first.removeprefix(PUBLIC_URL))).status_code == 200, "it says that access is back"


@pytest.mark.parametrize(
    ("role", "knows"),
    [
        (Role.PRODUCT, True),
        (Role.AGENT, True),
        (Role.MANAGER, True),
        (Role.ADMINISTRATOR, True),
        (Role.AUDITOR, False),
    ],
)
async def test_who_may_only_read_does_not_learn_of_a_page_that_acts(site: Site, role: Role, knows: bool) -> None:
    site.case()
    hold(site)
    answer = await access_of(site, Authorization=f"Bearer {key_of(role)}")
    assert ("page_url" in answer.json()) is knows
    assert answer.json()["access"] == "restricted"


async def test_a_revoked_page_is_named_no_more_and_within_the_hour_there_is_another(each_site: Site) -> None:
    site = each_site
    site.case()
    hold(site)
    first = (await access_of(site)).json()["page_url"]
    with site.database.writing("acme") as session:
        (link,) = link_store.of_customer(session, "acme")
        link_store.revoke(session, [link.link_id], "ada", "it was made public", SENT)
    assert "page_url" not in (await access_of(site)).json()
    assert [holds.renew_pages(site.service.deps, Attempt(SENT, 1)) for _ in range(2)] == [1, 0]
    second = (await access_of(site)).json()["page_url"]
    assert second != first
    with site.database.writing("acme") as session:  # an older link, of a secret that is set no more
        old = LinkRow(
            link_id="f" * 32,
            kind=LinkKind.RESTRICTION,
            hash="0" * 64,
            customer_id="acme",
            scopes=[],
            made_at=SENT - timedelta(days=1),
        )
        link_store.add(session, old)
    assert holds.renew_pages(site.service.deps, Attempt(SENT, 1)) == 0
    assert (await access_of(site)).json()["page_url"] == second
    assert (await site.http.get(first.removeprefix(PUBLIC_URL))).status_code == 404
