"""The HTTP API against a case that lives on the time-skipping server."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from dunwell.client.cases import Cases
from dunwell.client.server import Patience, describe
from dunwell.domain.standstill import decision
from dunwell.domain.terms import Level
from dunwell.services import standstill
from dunwell.services.idempotency import Idempotency, Request
from dunwell.store import accounts, credits, outbox, tasks
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from dunwell.web.service import Keys
from tests.builders import an_invoice
from tests.web.conftest import CUSTOMER, PHONE, TOKEN, Site, a_key, an_event, browse, keys_for, serve
from tests.web.described import check_described
from tests.workflows.conftest import harness, time_skipping  # noqa: F401
from tests.workflows.harness import CaseHarness
from workflows.options import AMOUNT_DUE

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Open:
    """The service beside a case that a worker runs."""

    harness: CaseHarness
    site: Site

    @property
    def http(self) -> httpx.AsyncClient:
        return self.site.http

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.http.post(f"/api{path}", content=raw, headers=BEARER | headers)
        check_described(answer)
        return answer

    async def get(self, path: str) -> httpx.Response:
        answer = await self.http.get(f"/api{path}", headers=BEARER)
        check_described(answer)
        return answer


@pytest.fixture
def database(file_database: Database) -> Database:
    """The rules of HTTP do not care which database keeps the case."""
    return file_database


@pytest.fixture
async def api(harness: CaseHarness) -> AsyncIterator[Open]:  # noqa: F811
    key = a_key()
    client = harness.env.client
    service = serve(client, harness.deps.database, keys_for(key), Patience(answer=timedelta(seconds=5)))
    async with browse(service) as http:
        yield Open(harness, Site(service, http, None, key))  # type: ignore[arg-type]


def written(invoice_id: str = "inv-1", **changes: Any) -> dict[str, Any]:
    """An invoice as the billing system writes it, due in a month."""
    today = datetime.now(UTC).date()
    return {
        "invoice_id": invoice_id,
        "number": "2027-001",
        "customer": {
            "id": "acme",
            "name": "Acme GmbH",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "language": "en",
            "contacts": [{"role": "accounts_payable", "name": "Ada", "email": "ada@acme.example"}],
        },
        "amount": "1200.00",
        "currency": "EUR",
        "issued_on": today.isoformat(),
        "due_on": (today + timedelta(days=30)).isoformat(),
    } | changes


# Who may come in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": b"Bearer \xff\xfe"}, 401),
        (BEARER, 404),  # let in; there is no such customer
        ({"Authorization": f"bearer  {TOKEN}"}, 404),
    ],
)
async def test_the_token(site: Site, headers: dict[str, str], status: int) -> None:
    answer = await site.http.get("/api/accounts/nobody/access", headers=headers)
    assert answer.status_code == status
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    ("path", "named"),
    [("sendgrid", "SENDGRID_WEBHOOK_PUBLIC_KEY"), ("twilio/status", "TWILIO_AUTH_TOKEN")],
)
async def test_a_webhook_without_its_key_says_what_to_set(site: Site, path: str, named: str) -> None:
    async with browse(serve(site.client, site.database, Keys(hosts=frozenset({"inside.example"})))) as http:
        answer = await http.post(f"/webhooks/{path}", content=b"[]")
    assert (answer.status_code, named in answer.json()["reason"]) == (503, True)


# Starting ------------------------------------------------------------------------------------------------


async def test_a14_an_invoice_that_comes_wholly_paid_says_so(api: Open) -> None:
    answer = await api.post("/invoices", written(paid="1200.00"))
    assert (answer.status_code, answer.json()["items"][0]["result"]) == (200, "wholly paid before")
    case = (await api.get("/cases/inv-1")).json()
    assert (case["stage"], case["amount_due"]) == ("paid", "0.00")


async def test_invoices_are_started_once_and_each_is_answered(api: Open) -> None:
    one = await api.post("/invoices", written())
    assert (one.status_code, one.json()) == (
        200,
        {"items": [{"item": 1, "invoice_id": "inv-1", "result": "started"}]},
    )
    batch = [written(), written("inv-2"), written("inv-2"), written("inv-3", amount="-1"), 7]
    mixed = await api.post("/invoices", batch)
    assert mixed.status_code == 207
    assert [(item["invoice_id"], item["result"]) for item in mixed.json()["items"]] == [
        ("inv-1", "already running"),
        ("inv-2", "refused"),
        ("inv-2", "refused"),
        ("inv-3", "refused"),
        (None, "refused"),
    ]
    assert mixed.json()["items"][3]["problems"][0]["field"] == "amount"
    changed = await api.post("/invoices", written(amount="1300.00"))
    assert (changed.status_code, changed.json()["items"][0]["problems"][0]["field"]) == (422, "amount")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="cut off"),
        pytest.param(b"\xff", 400, id="no UTF-8"),
        pytest.param(b"[" * 100_000, 400, id="nested"),
        pytest.param(b'{"amount": NaN}', 400, id="NaN"),
        pytest.param(b"[]", 422, id="an empty list"),
        pytest.param(b"7", 422, id="a number"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b'{"invoice_id": "a", "invoice_id": "b"}', 422, id="a key twice"),
        pytest.param(b'{"invoice_id": "\\u0000\\ud800"}', 422, id="broken text"),
        pytest.param(b"[" + b"1," * 500 + b"1]", 413, id="too many"),
        pytest.param(b" " * (1024 * 1024 + 1), 413, id="too long"),
    ],
)
async def test_a_body_that_holds_no_invoice(site: Site, body: bytes, status: int) -> None:
    answer = await site.http.post("/api/invoices", content=body, headers=BEARER)
    assert answer.status_code == status
    assert answer.json()


# Telling -------------------------------------------------------------------------------------------------


async def test_a_payment_its_refusal_and_its_repetition(api: Open) -> None:
    await api.post("/invoices", written())
    part = {"payment_id": "p1", "amount": "200.00", "currency": "EUR"}
    for _ in range(2):
        paid = await api.post("/cases/inv-1/payment_received", part)
        assert (paid.status_code, paid.json()["amount_due"]) == (200, "1000.00")
    wrong = await api.post("/cases/inv-1/payment_received", part | {"payment_id": "p2", "currency": "USD"})
    assert wrong.status_code == 422
    assert (wrong.json()["field"], "EUR" in wrong.json()["reason"]) == ("currency", True)
    status = await api.get("/cases/inv-1")
    assert (status.status_code, status.json()["amount_due"], status.json()["stage"]) == (200, "1000.00", "scheduled")


async def test_a9_a_case_that_runs_is_not_begun_again_and_hears_the_news(api: Open) -> None:
    """Whoever finds a case without a run may be slower than another one who found it, too."""
    await api.post("/invoices", written())
    client = api.harness.env.client
    handle, talk = client.get_workflow_handle("invoice-inv-1"), Cases(client, api.site.database)
    first = (await handle.describe()).run_id
    await talk.begin_again("inv-1")
    await talk.begin_again("inv-1", ("payment_received", paid()))
    assert (await handle.describe()).run_id == first
    assert (await api.get("/cases/inv-1")).json()["amount_due"] == "1190.00"
    await handle.terminate("a slip")
    await talk.begin_again("inv-1")
    assert (await handle.describe()).run_id != first


async def test_money_for_a_case_that_ended_still_counts(api: Open) -> None:
    await api.post("/invoices", written())
    payment = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    assert (await api.post("/cases/inv-1/payment_received", payment)).json()["stage"] == "paid"
    paused = await api.post("/cases/inv-1/pause", {"reason": "hardship", "by": "agent"})
    assert (paused.status_code, paused.json()["field"]) == (422, "stage")
    back = await api.post("/cases/inv-1/payment_reversed", {"payment_id": "p1", "reason": "chargeback"})
    assert back.status_code in {200, 202}
    assert (await api.get("/cases/inv-1")).json()["amount_due"] == "1200.00"


async def test_the_claim_of_an_invoice_on_a_day(api: Open) -> None:
    await api.post("/invoices", written(interest="10", jurisdiction="DE"))
    claim = (await api.get("/invoices/inv-1/claim?as_of=2027-03-31")).json()
    assert (claim["as_of"], claim["currency"], claim["principal"]) == ("2027-03-31", "EUR", "1200.00")
    assert claim["total"] == str(Decimal(claim["principal"]) + Decimal(claim["interest"]))
    names = ["from", "to", "days", "balance", "base", "margin", "rate", "amount"]
    assert all(list(period) == names and period["rate"] == "10" for period in claim["periods"])
    status = (await api.get("/cases/inv-1")).json()
    assert (status["claim"]["jurisdiction"], status["no_claim"]) == ("DE", None)
    assert (await api.get("/invoices/inv-1/claim?as_of=soon")).status_code == 422
    assert (await api.get("/invoices/inv-9/claim")).status_code == 404


async def test_a_part_of_a_payment_is_taken_back(api: Open) -> None:
    await api.post("/invoices", written())
    payment = {"payment_id": "p1", "amount": "200.00", "currency": "EUR", "designation": "principal"}
    assert (await api.post("/cases/inv-1/payment_received", payment)).status_code == 200
    part = {"payment_id": "p1", "reason": "chargeback", "amount": "50.00", "reversal_id": "r1"}
    for _ in range(2):
        answer = await api.post("/cases/inv-1/payment_reversed", part)
        assert answer.json()["payments"] == [
            {"payment_id": "p1", "amount": "150.00", "reversed": "50.00", "designation": "principal"}
        ]
    refused = await api.post("/cases/inv-1/payment_reversed", part | {"amount": "150.01", "reversal_id": "r2"})
    assert (refused.status_code, refused.json()["field"]) == (422, "amount")
    refused = await api.post("/cases/inv-1/payment_received", payment | {"payment_id": "p2", "designation": "fees"})
    assert (refused.status_code, refused.json()["field"]) == (422, "designation")


async def test_free_words_stay_in_the_database(api: Open) -> None:
    await api.post("/invoices", written())
    day = (datetime.now(UTC).date() + timedelta(days=5)).isoformat()
    content = {"date": day, "promised_by": "accounts_payable", "note": "Ada said: on Friday \x00"}
    answer = await api.post("/cases/inv-1/promise_to_pay", content, **{"Idempotency-Key": "r1"})
    again = await api.post("/cases/inv-1/promise_to_pay", content, **{"Idempotency-Key": "r1"})
    assert (answer.status_code, again.status_code) == (200, 200)
    assert [note.text for note in api.site.notes()] == ["Ada said: on Friday"]
    assert [promise["ref"] for promise in answer.json()["promises"]] == [note.note_id for note in api.site.notes()]
    assert "Friday" not in answer.text


def paid(payment_id: str = "p1", amount: str = "10.00") -> dict[str, str]:
    return {"payment_id": payment_id, "amount": amount, "currency": "EUR"}


async def test_a12_money_for_a_cancelled_invoice_is_credit_and_nothing_is_open(api: Open) -> None:
    await api.post("/invoices", written())
    await api.post("/cases/inv-1/payment_received", paid("p1", "200.00"))
    cancelled = (await api.post("/cases/inv-1/cancel", {"reason": "wrong", "by": "billing"})).json()
    assert (cancelled["amount_due"], cancelled["credit"]) == ("0.00", "200.00")
    later = (await api.post("/cases/inv-1/payment_received", paid("p2", "300.00"))).json()
    assert (later["stage"], later["amount_due"], later["credit"]) == ("cancelled", "0.00", "500.00")
    assert (await api.get("/cases/inv-1")).json()["amount_due"] == "0.00"
    described = await describe(api.harness.env.client, "invoice-inv-1")
    shown = described.workflow_execution_info.search_attributes.indexed_fields[AMOUNT_DUE.name]
    assert json.loads(shown.data) == 0
    with api.site.database.reading() as session:
        (kept,) = credits.of_customer(session, "acme")
    assert (kept.invoice_id, kept.amount) == ("inv-1", Decimal("500.00"))


async def test_a11_credit_of_one_invoice_pays_another(api: Open) -> None:
    await api.post("/invoices", [written("A"), written("B", amount="300.00"), written("C", amount="300.00")])
    over = (await api.post("/cases/A/payment_received", paid("p1", "1500.00"))).json()
    assert (over["stage"], over["credit"]) == ("paid", "300.00")
    account = (await api.get("/accounts/acme")).json()
    (credit,) = account["credits"]
    assert (account["access"], credit["invoice_id"], credit["amount"]) == ("full", "A", "300.00")
    assert (await api.get("/cases/B")).json()["credits_beside"] == account["credits"]

    body = {"credit_id": "c1", "from_invoice": "A", "amount": "300.00", "currency": "EUR", "by": "agent-7"}
    for _ in range(2):
        answer = await api.post("/cases/B/credit_applied", body)
        assert (answer.status_code, answer.json()["stage"], answer.json()["amount_due"]) == (200, "paid", "0.00")
    for again in (body, body | {"credit_id": "c2"}):
        refused = await api.post("/cases/C/credit_applied", again)
        assert refused.status_code == 422, refused.text
    assert (await api.get("/cases/A")).json()["credit"] == "0.00"
    assert (await api.get("/accounts/acme")).json()["credits"] == []
    assert (await api.get("/cases/C")).json()["amount_due"] == "300.00"

    back = await api.post("/cases/B/payment_reversed", {"payment_id": "c1", "reason": "credit-withdrawn"})
    assert back.json()["amount_due"] == "300.00"
    assert (await api.get("/cases/A")).json()["credit"] == "300.00"


async def test_a11_credit_that_was_paid_back(api: Open) -> None:
    await api.post("/invoices", written("A"))
    await api.post("/cases/A/payment_received", paid("p1", "1500.00"))
    body = {"credit_id": "r1", "amount": "300.00", "currency": "EUR", "by": "agent-7"}
    for _ in range(2):
        answer = await api.post("/cases/A/credit_returned", body)
        assert (answer.status_code, answer.json()["credit"]) == (200, "0.00")
    more = await api.post("/cases/A/credit_returned", body | {"credit_id": "r2"})
    assert (more.status_code, more.json()["field"]) == (422, "from_invoice")
    bad = await api.post("/cases/A/credit_returned", {"amount": "300.00"})
    assert (bad.status_code, bad.json()["field"]) == (422, "credit_id")


async def test_a17_a_payment_from_the_future_is_refused_by_the_api(api: Open) -> None:
    await api.post("/invoices", written())
    moment = (datetime.now(UTC) + timedelta(days=4)).isoformat()
    refused = await api.post("/cases/inv-1/payment_received", paid() | {"received_at": moment})
    assert (refused.status_code, refused.json()["field"]) == (422, "received_at")
    await api.post("/cases/inv-1/cancel", {"reason": "wrong", "by": "billing"})
    after = await api.post("/cases/inv-1/payment_received", paid() | {"received_at": moment})
    assert (after.status_code, after.json()["field"]) == (422, "received_at")
    assert (await api.get("/cases/inv-1")).json()["credit"] == "0.00"


async def test_a18_the_answer_to_a_payment_says_what_access_will_be(api: Open) -> None:
    await api.post("/invoices", written(policy="gentle-saas"))
    await api.harness.pass_time(days=150)
    before = (await api.get("/cases/inv-1")).json()
    assert (before["stage"], before["access"], before["holds"]) == ("handed_over", "restricted", ["restricted"])
    for answer in (
        await api.post("/cases/inv-1/payment_received", paid("p1", "1200.00")),
        await api.get("/cases/inv-1"),
    ):
        facts = answer.json()
        assert (facts["stage"], facts["access"], facts["holds"]) == ("paid", "full", [])
    account = (await api.get("/accounts/acme/access")).json()
    assert account["access"] == "full"


async def test_a1_a_key_used_for_another_request_is_refused(api: Open) -> None:
    """The second payment must not vanish behind the answer to the first."""
    await api.post("/invoices", written())
    key = {"Idempotency-Key": "k"}
    assert (await api.post("/cases/inv-1/payment_received", paid(), **key)).status_code == 200
    for event, body in (
        ("payment_received", paid("p2", "50.00")),
        ("payment_reversed", {"payment_id": "p1", "reason": "R01"}),
    ):
        other = await api.post(f"/cases/inv-1/{event}", body, **key)
        assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
        assert "payment_received" in other.json()["reason"]
    assert (await api.get("/cases/inv-1")).json()["amount_due"] == "1190.00"


async def test_a1_a_key_belongs_to_its_invoice(api: Open) -> None:
    await api.post("/invoices", [written(), written("inv-2")])
    key = {"Idempotency-Key": "k"}
    for invoice in ("inv-1", "inv-2"):
        answer = await api.post(f"/cases/{invoice}/payment_received", paid(), **key)
        assert (answer.status_code, answer.json()["amount_due"]) == (200, "1190.00")


@pytest.mark.parametrize("lived", ["in the same run", "after it continued as new", "after it ended"])
async def test_a1_the_same_request_again_is_answered_as_the_first_time(api: Open, lived: str) -> None:
    await api.harness.start(an_invoice(customer=CUSTOMER), history_limit=40)
    path, key = "/cases/inv-1/pause", {"Idempotency-Key": "k"}
    pause = {"reason": "hardship", "by": "agent-7"}
    first = await api.post(path, pause, **key)
    assert (first.status_code, first.json()["stage"]) == (200, "paused")
    await api.post("/cases/inv-1/resume", {"by": "agent-7"})
    begun = (await api.harness.case.describe()).run_id
    if lived == "after it continued as new":
        for number in range(12):
            await api.post("/cases/inv-1/payment_received", paid(f"p{number}", "1.00"))
        newest = api.harness.env.client.get_workflow_handle("invoice-inv-1")
        assert (await newest.describe()).run_id != begun
    if lived == "after it ended":
        await api.post("/cases/inv-1/payment_received", paid("all", "1200.00"))
    again = await api.post(path, pause, **key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await api.get("/cases/inv-1")).json()["stage"] != "paused"  # it was not carried out once more


async def test_a1_a_refused_request_leaves_its_key_free(api: Open) -> None:
    await api.post("/invoices", written())
    key = {"Idempotency-Key": "k"}
    assert (await api.post("/cases/inv-1/resume", {"by": "a"}, **key)).status_code == 422
    assert (await api.post("/cases/inv-1/pause", {"reason": "r", "by": "a"}, **key)).status_code == 200


async def test_a1_while_the_first_request_runs_its_repetition_waits(site: Site) -> None:
    site.case()
    first = Request.of(
        principal="administrator",
        invoice_id="inv-1",
        event="resume",
        key="k",
        content={"by": "a"},
        note=None,
    )
    Idempotency(site.database).begin(first, "acme")
    answer = await site.http.post(
        "/api/cases/inv-1/resume", json={"by": "a"}, headers=BEARER | {"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["field"]) == (409, "Idempotency-Key")
    assert 1 <= int(answer.headers["Retry-After"]) <= 15
    assert f"in {answer.headers['Retry-After']} s" in answer.json()["reason"]


async def test_a2_a_note_belongs_to_its_case(api: Open) -> None:
    """The same key on two invoices: a refusal of one request must not take the other one's note away."""
    await api.post("/invoices", [written(), written("inv-2")])
    key = {"Idempotency-Key": "k"}
    for invoice in ("inv-1", "inv-2"):
        pause = {"reason": "r", "by": "a", "note": f"about {invoice}"}
        assert (await api.post(f"/cases/{invoice}/pause", pause, **key)).status_code == 200
        assert [note.text for note in api.site.notes(invoice)] == [f"about {invoice}"]
    dispute = {"reason": "r", "opened_by": "a", "amount": "9999.00", "note": "too much"}
    refused = await api.post("/cases/inv-2/dispute_opened", dispute, **{"Idempotency-Key": "k2"})
    assert refused.status_code == 422
    misused = await api.post("/cases/inv-1/resume", {"by": "a", "note": "another"}, **key)
    assert misused.status_code == 422
    assert [note.text for note in (*api.site.notes(), *api.site.notes("inv-2"))] == ["about inv-1", "about inv-2"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/cases/nobody/pause", {"reason": "r", "by": "a"}, 404),
        ("/cases/no%20body%00/pause", {"reason": "r", "by": "a"}, 404),
        ("/cases/inv-1/explode", {}, 404),
        ("/cases/inv-1/delivery_report", {}, 404),  # providers tell that, and they sign it
        ("/cases/inv-1/pause", [], 422),
        ("/cases/inv-1/pause", {"reason": "r"}, 422),
        ("/cases/inv-1/pause", b'{"reason": "r", "by": "a", "by": "b"}', 422),
        ("/cases/inv-1/pause", {"reason": "ada@acme.example", "by": "a"}, 422),
        ("/cases/inv-1/pause", {"reason": "r", "by": "a", "note": 7}, 422),
        ("/cases/inv-1/pause", {"reason": "r", "by": "a", "note": "x" * 5_000}, 422),
        ("/cases/inv-1/pause", b"{", 400),
        ("/cases/inv-1/payment_received", b'{"payment_id": "p", "amount": 1e400, "currency": "EUR"}', 422),
    ],
)
async def test_what_makes_no_sense(site: Site, path: str, body: object, status: int) -> None:
    site.case()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await site.http.post(f"/api{path}", content=raw, headers=BEARER)
    assert answer.status_code == status
    assert answer.json()["reason"]
    assert "ada@" not in answer.text


@pytest.mark.parametrize("path", ["/cases/nobody", "/accounts/nobody/access", "/accounts/%00/access", "/nothing"])
async def test_what_is_not_there(api: Open, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, bool(answer.json()["reason"])) == (404, True)


async def test_the_access_of_an_account_with_its_holds(site: Site) -> None:
    site.case()
    path = "/api/accounts/acme/access"
    free = (await site.http.get(path, headers=BEARER)).json()
    assert free == {"customer_id": "acme", "access": "full", "work_on_hold": False, "holds": []}
    since = datetime(2027, 3, 20, 9, tzinfo=UTC)
    with site.database.writing("acme") as session:
        accounts.place_hold(session, "acme", "inv-1", Level.RESTRICTED, "invoice inv-1: step restrict", since)
        accounts.place_hold(session, "acme", "inv-1", Level.WORK, "a stage of the work", since)
    held = (await site.http.get(path, headers=BEARER)).json()
    assert (held["access"], held["work_on_hold"]) == ("restricted", True)
    assert held["holds"][0] == {
        "invoice_id": "inv-1",
        "level": "restricted",
        "reason": "invoice inv-1: step restrict",
        "since": "2027-03-20T09:00:00Z",
    }


async def test_while_the_server_is_away(site: Site) -> None:
    site.case()
    site.temporal.away = True
    for path, body in (("invoices", written()), ("cases/inv-1/pause", {"reason": "r", "by": "a"})):
        answer = await site.http.post(f"/api/{path}", json=body, headers=BEARER)
        assert (answer.status_code, "TEMPORAL_ADDRESS" in answer.json()["reason"]) == (503, True)
    status = await site.http.get("/api/cases/inv-1", headers=BEARER)
    assert (status.status_code, status.json()["copied"]) == (200, "the server did not answer")
    assert (await site.http.get("/api/cases/nobody", headers=BEARER)).status_code == 404


# From the provider to the case ---------------------------------------------------------------------------


async def test_a_bounce_makes_the_case_reach_further(api: Open) -> None:
    lived = api.harness
    await lived.start(an_invoice(customer=CUSTOMER))
    await lived.pass_time(days=9)
    mail = next(m for m in lived.messages() if m["contact"] == "rehearsal.acme.accounts_payable.1")
    assert (mail["channel"], mail["state"]) == ("email", "delivered")
    with api.site.database.reading() as session:
        rows = outbox.of_invoice(session, "inv-1", mail["step"])
        message_id = next(row.message_id for row in rows if row.contact_id == mail["contact"])
    await api.site.sendgrid([an_event("bounce", message_id=message_id, status="5.1.1")])
    assert await api.site.bring() == 1
    await lived.pass_time(days=1)
    sent = {(m["contact"], m["channel"], m["state"]) for m in lived.messages()}
    assert ("rehearsal.acme.accounts_payable.1", "email", "bounced") in sent
    assert ("rehearsal.acme.accounts_payable.1", "sms", "delivered") in sent
    assert PHONE not in str(lived.timeline())


async def test_the_work_for_people(api: Open) -> None:
    await api.post("/invoices", written())
    with api.harness.deps.database.writing() as session:
        facts = {"invoice_id": "inv-1", "step": "s", "reason": "why", "script": "Good day", "contact_id": None}
        for kind in ("call", "decision"):
            tasks.add(session, TaskRow(task_id=kind, kind=kind, due_at=datetime(2027, 3, 1, tzinfo=UTC), **facts))
    (task,) = (await api.get("/tasks?kind=call&due_by=2027-03-02T00:00:00Z")).json()
    assert (task["task_id"], task["amount"]) == ("call", "1200.00")
    assert (task["to_find"], task["script"]) == ("phone", "")  # nobody can be called yet, so there is nothing to say
    assert (await api.get("/tasks?due_by=2027-02-01T00:00:00Z")).json() == []
    assert (await api.get("/tasks?due_by=tomorrow")).status_code == 422
    assert (await api.http.get("/api/tasks")).status_code == 401


async def test_g13_the_status_says_that_everything_stands_still(api: Open) -> None:
    await api.post("/invoices", written())
    assert (await api.get("/cases/inv-1")).json()["standstill"] is None
    moment = datetime(2027, 3, 1, 9, tzinfo=UTC)
    standstill.begin(api.harness.deps.database, decision("ops", "restore"), moment)
    status = (await api.get("/cases/inv-1")).json()
    assert status["standstill"] == {"since": "2027-03-01T09:00:00Z", "by": "ops", "reason": "restore"}
    assert "standstill" in [line["kind"] for line in status["timeline"]]
