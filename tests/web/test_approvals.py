"""Nobody approves their own request, by whatever way they come."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dunwell.commands.common import REFUSED, error_text
from dunwell.domain.principals import ApprovalDecision, NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Stage
from dunwell.services.approvals import Approvals, overtake
from dunwell.services.users import Users
from dunwell.store import audit, cases
from dunwell.store.database import Database
from tests.web.conftest import CUSTOMER, Site
from tests.web.described import check_described
from tests.web.principals import OPERATOR, bearer, from_our_page, sign_in
from tests.web.test_api import Open, api, written  # noqa: F401
from tests.workflows.conftest import harness, time_skipping  # noqa: F401

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)
ADA = Principal(PrincipalKind.PERSON, id="user-7", name="Ada", role=Role.MANAGER, credential="session-1")


@pytest.fixture
def database(file_database: Database) -> Database:
    return file_database


def asked(site: Site, by: Principal = ADA) -> tuple[Approvals, str]:
    site.case()
    approvals = Approvals(site.database)
    return approvals, approvals.request("inv-1", "write_off", {"reason": "insolvent"}, by, NOW)


@pytest.mark.parametrize(("event", "stage"), [("write_off", "written_off"), ("cancel", "cancelled")])
async def test_an_agent_asks_and_a_manager_has_it_done(api: Open, event: str, stage: str) -> None:  # noqa: F811
    await api.post("/invoices", written())
    body = {"invoice_id": "inv-1", "event": event, "reason": "insolvent"}

    async def post(path: str, role: Role, json: Any = None) -> tuple[int, Any]:
        answer = await api.http.post(f"/api/{path}", json=json, headers=bearer(role))
        check_described(answer)
        return answer.status_code, answer.json()

    direct, told = await post(f"cases/inv-1/{event}", Role.AGENT, {"reason": "insolvent", "by": "x"})
    assert (
        direct == 403
        and f"may not {event.replace('_', ' ')} an invoice without approval: ask a manager for it" in told["reason"]
    )
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
    assert (await api.get("/cases/inv-1")).json()["stage"] == stage
    with api.harness.deps.database.reading() as session:
        found = [(one.action, one.principal) for one in audit.read(session, about="invoice/inv-1")]
    assert found[1:] == [
        (f"{event}_requested", "agent"),
        (f"{event}_approved", "manager"),
        (event, "manager"),
    ]


@pytest.mark.parametrize(
    "same",
    [
        ADA,
        replace(ADA, credential="session-2", role=Role.ADMINISTRATOR),
        Principal(PrincipalKind.COMMAND, id="user-7", name="Ada", role=Role.ADMINISTRATOR, credential="ada"),
    ],
)
def test_nobody_approves_their_own_request(site: Site, same: Principal) -> None:
    (approvals, approval_id), decision = asked(site), ApprovalDecision.APPROVED
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


def test_the_command_line_says_who_may_not(site: Site) -> None:
    approvals, approval_id = asked(site)
    with pytest.raises(NotAllowed) as refused:
        approvals.decide(approval_id, ApprovalDecision.APPROVED, ADA, NOW)
    text, code = error_text(refused.value) or ("", 0)
    assert code == REFUSED and text.startswith("refused: Nobody approves their own request")


@pytest.mark.parametrize("role", [Role.AGENT, Role.MANAGER])
def test_whoever_asked_withdraws_the_request(site: Site, role: Role) -> None:
    approvals, approval_id = asked(site)
    for _ in range(2):  # safe to repeat
        row = approvals.decide(approval_id, ApprovalDecision.DECLINED, replace(ADA, role=role), NOW)
        assert (row.decision, row.decided_by) == (ApprovalDecision.WITHDRAWN, ADA.id)
    assert not approvals.waiting()
    with site.database.reading() as session:
        assert audit.read(session, about="invoice/inv-1")[-1].action == "write_off_withdrawn"
    with pytest.raises(Refused, match="was withdrawn before"):
        approvals.decide(approval_id, ApprovalDecision.APPROVED, replace(ADA, id="another", role=Role.MANAGER), NOW)


async def test_on_the_page_an_agent_asks_and_somebody_else_decides(site: Site) -> None:
    site.case()
    headers = {role: from_our_page(sign_in(site.database, role)) for role in (Role.AGENT, Role.MANAGER)}

    async def post(path: str, role: Role, **form: str) -> tuple[int, str]:
        answer = await site.http.post(f"/console/approvals{path}", data=form, headers=headers[role])
        return answer.status_code, answer.text

    wrong = await post("", Role.AGENT, event="write_off", invoice_id="no<b>dy", reason="insolvent")
    assert wrong[0] == 422 and "is not known" in wrong[1] and "no&lt;b&gt;dy" in wrong[1]
    for role, status in ((Role.AGENT, 303), (Role.MANAGER, 422)):  # the second asks for what is asked for already
        assert (await post("", role, event="write_off", invoice_id="inv-1", reason="insolvent"))[0] == status
    ((approval_id,),) = [[one["approval_id"] for one in site.service.approvals.waiting()]]
    shown = {role: (await site.http.get("/console/approvals", headers=headers[role])).text for role in headers}
    assert all("Asked for by Agent" in text for text in shown.values())
    assert ["/approve" in text for text in shown.values()] == [False, True]
    Users(site.database).set_role("agent@example.com", Role.MANAGER, OPERATOR, datetime.now(UTC))
    text = (await site.http.get("/console/approvals", headers=headers[Role.AGENT])).text
    assert ">Withdraw<" in text and "/approve" not in text and ">Decline<" not in text
    own = await post(f"/{approval_id}/approve", Role.AGENT)
    assert own[0] == 403 and "Nobody approves their own request" in own[1]
    assert (await post(f"/{approval_id}/decline", Role.MANAGER))[0] == 303
    assert not site.service.approvals.waiting()


@pytest.mark.parametrize(
    ("event", "content", "ended"),
    [
        ("write_off", {"reason": "small", "by": "x"}, "written off"),
        ("cancel", {"reason": "duplicate", "by": "x"}, "cancelled"),
        ("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}, "paid"),
    ],
)
async def test_a_request_closes_when_the_case_ends_otherwise_and_says_by_whom(
    api: Open,  # noqa: F811
    event: str,
    content: dict[str, Any],
    ended: str,
) -> None:
    await api.post("/invoices", written())
    approvals = api.site.service.approvals
    approval_id = approvals.request("inv-1", "write_off", {"reason": "insolvent"}, ADA, NOW)
    told = await api.http.post(f"/api/cases/inv-1/{event}", json=content, headers=bearer(Role.MANAGER))
    assert told.status_code == 200, told.text
    assert not approvals.waiting()
    (closed,) = approvals.last_decided()
    assert (closed["decision"], closed["decided_by"]) == (ApprovalDecision.OVERTAKEN, "manager")
    said = [one["reason"] for one in (await api.get("/cases/inv-1")).json()["timeline"]]
    assert f"the request of user-7 for a write-off is closed: the case is {ended}, by manager" in said
    with api.harness.deps.database.reading() as session:
        (entry,) = audit.read(session, about="invoice/inv-1", action="write_off_overtaken")
    assert entry.principal == "manager"
    with pytest.raises(Refused, match="was overtaken before"):
        approvals.decide(approval_id, ApprovalDecision.APPROVED, OPERATOR, NOW)


def test_a_request_that_its_ended_case_refuses_closes_too(site: Site) -> None:
    approvals, approval_id = asked(site)
    approvals.decide(approval_id, ApprovalDecision.APPROVED, OPERATOR, NOW)
    with site.database.writing(CUSTOMER.customer_id) as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        case.ended = Stage.PAID
        cases.put(session, case, rehearsal=False, now=NOW)
    approvals.take_back(approval_id, OPERATOR, "the case has ended", NOW)
    assert not approvals.waiting()


async def test_the_page_says_who_did_what_was_asked_for(site: Site) -> None:
    asked(site)
    with site.database.writing(CUSTOMER.customer_id) as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        case.ended = Stage.WRITTEN_OFF
        overtake(session, case, replace(ADA, id="manager-9"), NOW)
    text = (await site.http.get("/console/approvals", headers=sign_in(site.database, Role.AGENT))).text
    assert "Nothing waits for approval." in text
    assert "no longer needed, because manager-9 ended the case" in text
