"""Who did it: every way to change something leaves an entry with a real principal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.principals import Role
from dunwell.store import audit
from dunwell.store.database import Database
from dunwell.store.tables import ToldRow
from tests.web.conftest import Site
from tests.web.principals import OPERATOR, bearer
from tests.web.test_api import Open, api, written  # noqa: F401
from tests.workflows.conftest import harness, time_skipping  # noqa: F401

UNTIL = f"{datetime.now(UTC).date() + timedelta(days=7)}"


@pytest.fixture
def database(file_database: Database) -> Database:
    return file_database


def told_by(database: Database, about: str) -> list[tuple[str, str, str]]:
    """Action, kind and id of the principal of each entry about an object; checks its chain."""
    with database.reading() as session:
        assert not list(audit.verify(session))
        return [(one.action, one.kind, one.principal) for one in audit.read(session, about=about)]


async def test_who_told_a_case_its_events(api: Open) -> None:  # noqa: F811
    database, cases = api.harness.deps.database, api.site.service.cases
    billing = bearer(Role.BILLING)
    await api.http.post("/api/invoices", json=[written(), written("inv-2")], headers=billing)
    promise = {"date": UNTIL, "promised_by": "accounts_payable"}
    for _ in range(2):  # the same request again is written once
        answer = await api.http.post(
            "/api/cases/inv-1/promise_to_pay", json=promise, headers=bearer(Role.AGENT) | {"Idempotency-Key": "p"}
        )
        assert answer.status_code == 200
    handle = api.harness.env.client.get_workflow_handle("invoice-inv-1")
    await handle.signal("pause", {"reason": "hardship", "by": "agent-7"})
    await handle.query("status")
    await handle.execute_update("resume", {"by": "manager-1"})
    await cases.tell("inv-1", "pause", {"reason": "hardship", "by": "agent-7"}, principal=OPERATOR, wait=False)
    refused = await api.http.post("/api/cases/inv-1/pause", json={"by": "a"}, headers=bearer(Role.AGENT))
    assert refused.status_code == 422
    payment = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    await api.http.post("/api/cases/inv-1/payment_received", json=payment, headers=billing)
    assert told_by(database, "invoice/inv-1") == [
        ("registered", "key", "billing"),
        ("promise_to_pay", "key", "agent"),
        ("pause", "engine", "engine"),
        ("resume", "engine", "engine"),
        ("pause", "command", "operator"),
        ("payment_received", "key", "billing"),
    ]
    with database.reading() as session:
        entries = audit.read(session, about="invoice/inv-1")
        assert entries[1].details == promise and entries[1].credential == "key-agent"
        assert entries[2].reason == "hardship" and entries[2].role is None
        assert session.query(ToldRow).count() == 3  # a refused request is forgotten
    assert told_by(database, "invoice/inv-2") == [("registered", "key", "billing")]


@pytest.mark.parametrize(
    ("path", "body", "about", "action"),
    [
        ("customers/acme/set", {"name": "Acme Holding", "by": "x"}, "customer/acme", "corrected"),
        ("customers/acme/pause", {"reason": "illness", "by": "x", "until": UNTIL}, "customer/acme", "pause"),
        ("contacts/acme.user.1/close", {"reason": "left", "by": "x"}, "customer/acme", "corrected"),
    ],
)
async def test_who_changed_a_customer(site: Site, path: str, body: dict[str, Any], about: str, action: str) -> None:
    site.case()
    for _ in range(2):
        answer = await site.http.post(f"/api/{path}", json=body, headers=bearer(Role.AGENT))
        assert answer.status_code == 200, answer.text
    found = told_by(site.database, about)
    assert set(found) == {(action, "key", "agent")}
    assert len(found) == (2 if action == "pause" else 1)  # what changes nothing is not written
    with site.database.reading() as session:
        assert "Holding" not in str([one.details for one in audit.read(session)])
