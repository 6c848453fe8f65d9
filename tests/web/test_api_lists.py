"""Lists over HTTP: page by page, with the filters and the items of the commands."""

import base64
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx
import pytest
from pydantic_core import to_jsonable_python

from dunwell.domain.invoice import for_rehearsal
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.domain.terms import Stage
from dunwell.store import audit, tasks
from dunwell.store.tables import TaskRow
from dunwell.views.audit import audit_facts
from dunwell.views.case_list import listed
from dunwell.views.outbox import messages
from dunwell.views.work_list import open_work
from dunwell.web.api.paging import MOST, cursor
from tests.builders import an_invoice, at
from tests.web.conftest import CUSTOMER, SENT, Site
from tests.web.described import check_described
from tests.web.test_api import BEARER

ADMIN = Principal(PrincipalKind.COMMAND, id="ops", name="ops", role=Role.ADMINISTRATOR)
LISTS = {"/api/cases": "invoice_id", "/api/outbox": "message_id", "/api/tasks": "task_id", "/api/audit": "entry_id"}


async def get(site: Site, path: str) -> httpx.Response:
    answer = await site.http.get(path, headers=BEARER)
    check_described(answer)
    return answer


async def pages(site: Site, path: str) -> list[list[dict[str, Any]]]:
    found = []
    while path:
        answer = await get(site, path)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    return found


def add_case(site: Site, invoice_id: str) -> None:
    site.case(an_invoice(invoice_id=invoice_id, customer=CUSTOMER))


def add_task(site: Site, invoice_id: str, task_id: str, **changes: Any) -> None:
    facts = {"step": "x", "kind": "call", "due_at": at("2027-03-01 09:00"), "reason": "r", "script": ""} | changes
    with site.database.writing("acme") as session:
        tasks.add(session, TaskRow(task_id=task_id, invoice_id=invoice_id, **facts))


def fill(site: Site, count: int = 5) -> None:
    """As many cases, messages, tasks and audit entries; all messages were claimed at the same moment."""
    for number in range(count):
        add_case(site, f"inv-{number}")
    for number in range(count):
        site.message(f"m{number}", step=f"step-{number}", claimed_at=SENT)
        add_task(site, f"inv-{number}", f"inv-{number}.x", amount=Decimal(number), currency="EUR")
        with site.database.writing() as session:
            audit.append(session, ADMIN, f"invoice/inv-{number}", "pause", SENT, key=f"k{number}")


@pytest.mark.parametrize("path", LISTS)
async def test_the_pages_of_a_list_are_the_list(site: Site, path: str) -> None:
    fill(site)
    (whole,) = await pages(site, path)
    assert len({one[LISTS[path]] for one in whole}) == 5
    for limit in (1, 2, 5, 6):
        found = await pages(site, f"{path}?limit={limit}")
        assert [len(page) for page in found] == ([limit] * (5 // limit) + ([5 % limit] if 5 % limit else []))
        assert [one for page in found for one in page] == whole


@pytest.mark.parametrize("path", LISTS)
async def test_what_is_written_between_two_pages_moves_no_other_item(each_site: Site, path: str) -> None:
    site = each_site
    fill(site)
    before = [one[LISTS[path]] for page in await pages(site, path) for one in page]
    first = await get(site, f"{path}?limit=2")
    add_case(site, "a-first")
    site.message("a-first", step="a", claimed_at=at("2027-01-01 09:00"))
    add_task(site, "inv-1", "a-first", escalated_at=SENT)
    with site.database.writing() as session:
        tasks.withdraw(session, [row] if (row := tasks.get(session, "inv-4.x")) else [], "gone", SENT)
        audit.append(session, ADMIN, "invoice/inv-1", "resume", SENT, key="later")
    rest = [one for page in await pages(site, first.links["next"]["url"]) for one in page]
    seen = [one[LISTS[path]] for one in (*first.json(), *rest)]
    assert len(seen) == len(set(seen))
    gone = {"inv-4.x"} if path == "/api/tasks" and "inv-4.x" not in seen else set()
    assert [name for name in before if name not in gone] == [name for name in seen if name in before]


async def test_items_are_those_of_the_commands(site: Site) -> None:
    fill(site)
    with site.database.reading() as session:
        printed = {
            "/api/cases": sorted(
                (one | {"standstill": None} for one in listed(session)), key=lambda one: one["invoice_id"]
            ),
            "/api/outbox": messages(session),
            "/api/tasks": open_work(session),
            "/api/audit": audit_facts(session),
        }
    for path, items in printed.items():
        assert (await get(site, path)).json() == to_jsonable_python(items), path


async def test_filters_narrow_and_stay_in_the_address_of_the_next_page(site: Site) -> None:
    fill(site)
    assert await pages(site, f"/api/cases?stage={Stage.PAID}") == [[]]
    answer = await get(site, f"/api/cases?stage={Stage.SCHEDULED}&limit=2")
    assert "stage=scheduled" in answer.links["next"]["url"]
    assert len((await get(site, "/api/outbox?invoice_id=inv-1")).json()) == 5
    assert (await get(site, "/api/outbox?invoice_id=inv-2")).json() == []
    assert (await get(site, "/api/tasks?kind=visit")).json() == []
    assert [one["task_id"] for one in (await get(site, "/api/tasks?invoice_id=inv-3")).json()] == ["inv-3.x"]
    assert (await get(site, "/api/tasks?due_by=2027-02-01T00:00Z")).json() == []
    assert [one["object"] for one in (await get(site, "/api/audit?object=invoice/inv-2")).json()] == ["invoice/inv-2"]
    assert (await get(site, "/api/audit?who=nobody")).json() == []
    assert (await get(site, "/api/audit?since=2099-01-01T00:00Z")).json() == []


async def test_tasks_are_by_urgency_whatever_the_page(site: Site) -> None:
    fill(site, 3)
    add_task(site, "inv-0", "late", due_at=at("2027-03-01 08:00"))
    add_task(site, "inv-1", "told", due_at=at("2027-04-01 08:00"), escalated_at=SENT)
    site.case(for_rehearsal(an_invoice(invoice_id="played", customer=CUSTOMER)), rehearsal=True)
    add_task(site, "played", "played.x")
    found = [one["task_id"] for page in await pages(site, "/api/tasks?limit=1") for one in page]
    assert found == ["told", "late", "inv-2.x", "inv-1.x", "inv-0.x"]
    assert "played.x" in [one["task_id"] for one in (await get(site, "/api/tasks?rehearsals=true")).json()]


REFUSED = (
    ("limit=0", "limit"),
    (f"limit={MOST + 1}", "limit"),
    ("limit=many", "limit"),
    ("limit=1&limit=2", "limit"),
    ("colour=red", "colour"),
    ("after=", "after"),
    ("after=%00", "after"),
    ("after=süd", "after"),
    ("after=abc", "after"),
    (f"after={'A' * 2000}", "after"),
    (f"after={cursor([])}", "after"),
    (f"after={cursor([1, 2, 3, 4])}", "after"),
    (f"after={cursor([{}])}", "after"),
    (f"after={cursor([True, '2027-03-01T09:00Z', 'NaN', 'x'])}", "after"),
    (f"after={cursor(['2027-03-01', None])}", "after"),
    (f"after={cursor(['0001-01-01T00:00:00+14:00', 'x'])}", "after"),
    (f"after={cursor(['x' + chr(0)])}", "after"),
)
"""Parameters that no list takes, and the one that is named."""


@pytest.mark.parametrize("path", LISTS)
async def test_a_parameter_that_cannot_be_is_refused(site: Site, path: str) -> None:
    for parameters, field in REFUSED:
        answer = await get(site, f"{path}?{parameters}")
        assert (answer.status_code, answer.json()["field"]) == (422, field), parameters
        assert answer.json()["reason"]


async def test_a_filter_that_cannot_be_is_refused(site: Site) -> None:
    for path, status, field in (
        ("/api/cases?stage=gone", 422, "stage"),
        ("/api/tasks?kind=stroll", 422, "kind"),
        ("/api/tasks?rehearsals=perhaps", 422, "rehearsals"),
        ("/api/audit?since=monday", 422, "since"),
        ("/api/outbox?invoice_id=nobody", 404, "invoice"),
    ):
        answer = await get(site, path)
        assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_the_reference_is_one_page_that_loads_nothing(site: Site) -> None:
    answer = await site.http.get("/api/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = answer.text
    assert "<script" not in page
    assert " src=" not in page
    assert "http://" not in page.replace("http://127.0.0.1", "")
    policy, style = answer.headers["content-security-policy"], page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    described = (await site.http.get("/api/openapi.json", headers=BEARER)).json()
    for path, operations in described["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}</code>" in page
    for name in described["components"]["schemas"]:
        assert f'id="{name}"' in page
    linked = {part.split('"')[0] for part in page.split('href="#')[1:]}
    assert not [name for name in linked if f'id="{name}"' not in page]
