"""Nobody approves their own request, by whatever way they come."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dunwell.domain.principals import ApprovalDecision, NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services.approvals import Approvals
from dunwell.services.users import Users
from dunwell.store import audit
from dunwell.store.database import Database
from tests.web.conftest import Site
from tests.web.described import check_described
from tests.web.principals import OPERATOR, bearer
from tests.web.test_api import Open, api, written  # noqa: F401
from tests.workflows.conftest import house, time_skipping  # noqa: F401

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)
ADA = Principal(PrincipalKind.PERSON, id="user-7", name="Ada", role=Role.MANAGER, credential="session-1")


@pytest.fixture
def database(file_database: Database) -> Database:
    return file_database


def asked(site: Site, by: Principal = ADA) -> tuple[Approvals, str]:
    site.case()
    approvals = Approvals(site.database)
    return approvals, approvals.request("inv-1", "write_off", {"reason": "insolvent"}, by, NOW)


async def test_an_agent_asks_and_a_manager_has_it_done(api: Open) -> None:  # noqa: F811
    await api.post("/invoices", written())
    body = {"invoice_id": "inv-1", "event": "write_off", "reason": "insolvent"}

    async def post(path: str, role: Role, json: Any = None) -> tuple[int, Any]:
        answer = await api.http.post(f"/api/{path}", json=json, headers=bearer(role))
        check_described(answer)
        return answer.status_code, answer.json()

    direct, _ = await post("cases/inv-1/write_off", Role.AGENT, {"reason": "insolvent", "by": "x"})
    assert direct == 403
    status, made = await post("approvals", Role.AGENT, body)
    assert status == 201
    assert (await post("approvals", Role.AGENT, body))[0] == 422  # it waits already
    (waiting,) = (await api.get("/approvals")).json()
    assert (waiting["approval_id"], waiting["requested_by"]) == (made["approval_id"], "agent")
    path = f"approvals/{made['approval_id']}/approve"
    assert (await post(path, Role.AGENT))[0] == 403
    for _ in range(2):  # safe to repeat
        assert await post(path, Role.MANAGER) == (200, made | {"invoice_id": "inv-1", "result": "done"})
    assert (await post(path, Role.ADMINISTRATOR))[0] == 422  # decided before
    assert (await api.get("/cases/inv-1")).json()["stage"] == "written_off"
    with api.house.deps.database.reading() as session:
        found = [(one.action, one.principal) for one in audit.read(session, about="invoice/inv-1")]
    assert found[1:] == [
        ("write_off_requested", "agent"),
        ("write_off_approved", "manager"),
        ("write_off", "manager"),
    ]


@pytest.mark.parametrize("decision", ApprovalDecision)
@pytest.mark.parametrize(
    "same",
    [
        ADA,
        replace(ADA, credential="session-2", role=Role.ADMINISTRATOR),
        Principal(PrincipalKind.COMMAND, id="user-7", name="Ada", role=Role.ADMINISTRATOR, credential="ada"),
    ],
)
def test_nobody_decides_their_own_request(site: Site, decision: ApprovalDecision, same: Principal) -> None:
    approvals, approval_id = asked(site)
    with pytest.raises(NotAllowed, match="Nobody approves their own request"):
        approvals.decide(approval_id, decision, same, NOW)
    assert len(approvals.waiting()) == 1
    Users(site.database).allow_own_approval(OPERATOR, NOW, on=True)
    assert approvals.decide(approval_id, decision, same, NOW).decision is decision
    assert not approvals.waiting()


def test_what_cannot_be_asked_for(site: Site) -> None:
    approvals, approval_id = asked(site)
    for event, content, invoice_id in (
        ("pause", {"reason": "x"}, "inv-1"),
        ("write_off", {}, "inv-1"),
        ("write_off", {"reason": "x"}, "nobody"),
        ("write_off", {"reason": "x"}, "inv-1"),
    ):
        with pytest.raises(Refused):
            approvals.request(invoice_id, event, content, OPERATOR, NOW)
    approvals.decide(approval_id, ApprovalDecision.DECLINED, OPERATOR, NOW)
    with pytest.raises(Refused, match="was declined before"):
        approvals.decide(approval_id, ApprovalDecision.APPROVED, OPERATOR, NOW)
    with pytest.raises(Refused, match="is not known"):
        approvals.decide("approval-\0", ApprovalDecision.APPROVED, OPERATOR, NOW)
    assert approvals.request("inv-1", "write_off", {"reason": "x"}, ADA, NOW) != approval_id
