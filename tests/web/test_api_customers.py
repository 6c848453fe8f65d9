"""Customers and their people over HTTP: what the command line can, with the same answers."""

import json
from typing import Any

import pytest

from dunwell.domain.events import parse_event
from dunwell.domain.invoice import for_rehearsal
from dunwell.store import tasks
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice, at
from tests.web.conftest import CUSTOMER, Site
from tests.web.test_api import BEARER

ADA = CUSTOMER.contacts[0].contact_id
NAME = CUSTOMER.customer_id


async def post(site: Site, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await site.http.post(f"/api{path}", content=json.dumps(body), headers=BEARER)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown(site: Site) -> dict[str, Any]:
    answer = await site.http.get(f"/api/customers/{NAME}", headers=BEARER)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_b1_a_customer_is_shown_whole(site: Site) -> None:
    site.case()
    site.message()
    customer = await shown(site)
    assert (customer["name"], customer["rehearsal"]) == (CUSTOMER.name, False)
    assert [one["contact_id"] for one in customer["contacts"]] == [one.contact_id for one in CUSTOMER.contacts]
    assert [one["message_id"] for one in customer["messages"]] == ["m1"]
    assert [one["invoice_id"] for one in customer["invoices"]] == ["inv-1"]


async def test_b6_contacts_and_customers_are_corrected_closed_and_opened(site: Site) -> None:
    site.case()
    done = await post(site, f"/contacts/{ADA}/set", {"email": "new@acme.example", "by": "agent-7"})
    assert "e-mail changed from" in done["done"][0]
    await post(site, f"/customers/{NAME}/set", {"language": "es", "by": "agent-7"})
    added = {"role": "user", "name": "Uma", "email": "uma@acme.example", "by": "agent-7"}
    await post(site, f"/customers/{NAME}/contacts", added)
    await post(site, f"/contacts/{ADA}/close", {"reason": "left", "by": "agent-7"})
    customer = await shown(site)
    state = {one["contact_id"]: (one["state"], one["email"]) for one in customer["contacts"]}
    assert (customer["language"], state[ADA]) == ("es", ("closed", "new@acme.example"))
    assert ("current", "uma@acme.example") in state.values()
    await post(site, f"/contacts/{ADA}/open", {"by": "agent-7"})
    assert {one["state"] for one in (await shown(site))["contacts"]} == {"current"}


async def test_b11_a_customer_rests_and_each_open_case_hears_of_it(site: Site) -> None:
    site.case()
    done = await post(site, f"/customers/{NAME}/pause", {"reason": "illness", "by": "agent-7", "until": "2099-01-01"})
    assert (done["invoices"], done["untold"]) == (["inv-1"], 0)
    ((case, name, content),) = site.temporal.signals
    event = parse_event(name, [content])
    assert (case, name, event.model_dump()["scope"]) == ("invoice-inv-1", "pause", "customer")
    assert (await shown(site))["pause"]["until"] == "2099-01-01"
    await post(site, f"/customers/{NAME}/resume", {"by": "agent-7"})
    assert (await shown(site))["pause"] is None


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/customers/nobody/set", {"language": "es", "by": "a"}, 404, "customer"),
        ("/contacts/nobody/close", {"reason": "left", "by": "a"}, 404, "contact"),
        (f"/customers/{NAME}/set", {"language": "es"}, 422, "by"),
        (f"/customers/{NAME}/set", {"colour": "red", "by": "a"}, 422, "colour"),
        (f"/customers/{NAME}/set", {"\ud800": "red", "by": "a"}, 422, "\\ud800"),  # half of a character
        (f"/customers/{NAME}/set", {"contact": "x", "by": "a"}, 422, "contact"),
        (f"/customers/{NAME}/set", {"language": 7, "by": "a"}, 422, "language"),
        (f"/contacts/{ADA}/set", {"email": "nowhere", "by": "a"}, 422, "email"),
        (f"/contacts/{ADA}/close", {"reason": "left", "by": "a", "until": "x"}, 422, "until"),
        (f"/contacts/{ADA}/close", {"by": "a"}, 422, "reason"),
        (f"/customers/{NAME}/pause", {"reason": "illness", "by": "a", "until": "soon"}, 422, "until"),
        (f"/customers/{NAME}/resume", {"by": "a"}, 422, "pause"),
    ],
)
async def test_b6_what_cannot_be_is_refused(
    site: Site, path: str, body: dict[str, Any], status: int, field: str
) -> None:
    site.case()
    found = await site.http.post(f"/api{path}", content=json.dumps(body), headers=BEARER)
    assert (found.status_code, found.json().get("field")) == (status, field), found.text


async def test_b7_tasks_of_rehearsals_come_only_when_asked_for(site: Site) -> None:

    site.case()
    played = for_rehearsal(an_invoice(invoice_id="played", customer=CUSTOMER))
    site.case(played, rehearsal=True)
    with site.database.writing() as session:
        for invoice_id in ("inv-1", "played"):
            facts = {"task_id": f"{invoice_id}.x", "invoice_id": invoice_id, "step": "x", "kind": "call"}
            tasks.add(session, TaskRow(**facts, due_at=at("2027-03-01 09:00"), reason="r", script=""))
    plain = (await site.http.get("/api/tasks", headers=BEARER)).json()
    assert [one["invoice_id"] for one in plain] == ["inv-1"]
    every = (await site.http.get("/api/tasks?rehearsals=true", headers=BEARER)).json()
    assert {one["invoice_id"]: one["rehearsal"] for one in every} == {"inv-1": False, "played": True}


async def test_consent_to_whatsapp_is_set_shown_and_taken_back(each_site: Site) -> None:
    site, path = each_site, f"/contacts/{ADA}/set"
    site.case()
    agreed = {"on": "2027-01-15", "source": "order form"}
    done = await post(site, path, {"whatsapp_opt_in": agreed, "by": "agent-7"})
    assert "consent to WhatsApp changed from none to 2027-01-15 order form" in done["done"][0]
    known = {one["contact_id"]: one["whatsapp_opt_in"] for one in (await shown(site))["contacts"]}
    assert known[ADA] == agreed
    assert (await post(site, path, {"whatsapp_opt_in": "yes", "by": "a"}, 422))["field"] == "whatsapp_opt_in"
    await post(site, path, {"whatsapp_opt_in": "", "by": "agent-7"})
    assert {one["whatsapp_opt_in"] for one in (await shown(site))["contacts"]} == {None}
