"""Links of customers over HTTP and in the console: listed, revoked, shown again, and revoked by themselves."""

import pytest
from sqlalchemy import select

from dunwell.domain.links import LinkKind
from dunwell.domain.principals import Role
from dunwell.store.tables import AuditRow, LinkRow
from tests.web.conftest import CUSTOMER, Site
from tests.web.principals import bearer, from_our_page, sign_in
from tests.web.test_customer_page_links import issue, opened

CONTACT = CUSTOMER.contacts[0].contact_id
AGENT = bearer(Role.AGENT)
WHY = {"reason": "forwarded", "by": "agent-7"}


def prepare(site: Site) -> str:
    site.case()
    site.message()
    return issue(site)


def rows(site: Site) -> list[LinkRow]:
    with site.database.reading() as session:
        return list(session.scalars(select(LinkRow).order_by(LinkRow.made_at)))


def audited(site: Site, action: str) -> list[AuditRow]:
    with site.database.reading() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action)))


async def test_links_are_listed_without_their_addresses(site: Site) -> None:
    token = prepare(site)
    answer = await site.http.get(f"/api/customers/{CUSTOMER.customer_id}/links", headers=AGENT)
    (one,) = answer.json()
    assert (one["kind"], one["contact"], one["message_id"], one["invoices"]) == ("page", CONTACT, "m1", ["inv-1"])
    assert one["until"] is None and one["revoked_at"] is None and token not in answer.text


@pytest.mark.parametrize("what", ["link", "contact", "customer"])
async def test_revoked_links_open_nothing_and_later_messages_have_new_ones(site: Site, what: str) -> None:
    token = prepare(site)
    path = {
        "link": f"links/{rows(site)[0].link_id}",
        "contact": f"contacts/{CONTACT}/links",
        "customer": f"customers/{CUSTOMER.customer_id}/links",
    }[what]
    assert (await opened(site, token)).status_code == 200
    answer = await site.http.post(f"/api/{path}/revoke", json=WHY, headers=AGENT)
    assert (answer.status_code, answer.json()["done"]) == (200, ["1 link of acme revoked"])
    assert (await opened(site, token)).status_code == 404
    again = await site.http.post(f"/api/{path}/revoke", json=WHY, headers=AGENT)
    assert again.json()["done"] == ["0 links of acme revoked"]
    (entry,) = audited(site, "links_revoked")
    assert (entry.object, entry.reason, entry.details) == (
        "customer/acme",
        "forwarded",
        {"links": 1, "contacts": [CONTACT]},
    )
    site.message("m2", step="other")
    assert (await opened(site, issue(site, "m2"))).status_code == 200


async def test_an_address_is_shown_again_and_that_is_audited(site: Site) -> None:
    token = prepare(site)
    (row,) = rows(site)
    refused = await site.http.post(f"/api/links/{row.link_id}/show", headers=bearer(Role.AUDITOR))
    assert refused.status_code == 403 and audited(site, "link_shown") == []
    answer = await site.http.post(f"/api/links/{row.link_id}/show", headers=AGENT)
    assert answer.json() == {"address": f"https://dunning.example/i/{token}"}
    (entry,) = audited(site, "link_shown")
    assert entry.details == {"link": row.link_id} and token not in str(entry.details)


async def test_what_opens_nothing_is_not_shown(site: Site) -> None:
    prepare(site)
    issue(site, kind=LinkKind.REPLY)
    page, reply = (
        next(row.link_id for row in rows(site) if row.kind is kind) for kind in (LinkKind.PAGE, LinkKind.REPLY)
    )
    await site.http.post(f"/api/links/{page}/revoke", json=WHY, headers=AGENT)
    for link_id, status in ((page, 422), (reply, 422), ("nobody", 404)):
        assert (await site.http.post(f"/api/links/{link_id}/show", headers=AGENT)).status_code == status


async def test_a_closed_contact_has_no_links_any_more(site: Site) -> None:
    token = prepare(site)
    site.message("m2", step="other", contact_id=CUSTOMER.contacts[1].contact_id)
    with site.database.writing() as session:
        site.service.deps.links.issue(  # type: ignore[union-attr]
            session,
            LinkKind.PAGE,
            CUSTOMER.customer_id,
            rows(site)[0].made_at,
            contact_id=CUSTOMER.contacts[1].contact_id,
            message_id="m2",
        )
    await site.http.post(f"/api/contacts/{CONTACT}/close", json={"reason": "wrong-person", "by": "a"}, headers=AGENT)
    assert (await opened(site, token)).status_code == 404
    assert {row.contact_id: row.revoked_why for row in rows(site)} == {
        CONTACT: "contact closed",
        CUSTOMER.contacts[1].contact_id: None,
    }


async def test_the_console_revokes_links_by_its_forms(site: Site) -> None:
    token = prepare(site)
    headers = from_our_page(sign_in(site.database, Role.AGENT))
    page = await site.http.get(f"/console/customers/{CUSTOMER.customer_id}", headers=headers)
    assert page.text.count("Revoke the links of this customer") == 1 and "Revoke their links" in page.text
    form = {"reason": "forwarded", "form_id": "f" * 32}
    done = await site.http.post(f"/console/contacts/{CONTACT}/revoke-links", data=form, headers=headers)
    assert done.status_code == 303 and (await opened(site, token)).status_code == 404
    (row,) = rows(site)
    assert row.revoked_why == "forwarded"
    page = await site.http.get(f"/console/customers/{CUSTOMER.customer_id}", headers=headers)
    assert "Revoke the links" not in page.text
