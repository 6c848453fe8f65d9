"""The links of messages at the door: what opens, what does not, and that nobody can tell why it does not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import event, update

from dunwell.domain.links import SAMPLE, LinkKind, Scope
from dunwell.domain.terms import Stage
from dunwell.domain.timeline import Entry
from dunwell.services.links import Links
from dunwell.store import links as link_store
from dunwell.store import timeline
from dunwell.store.database import Database
from dunwell.store.tables import LinkRow
from tests.builders import an_invoice, at, the_catalogue
from tests.web.conftest import CUSTOMER, CUSTOMER_LINKS, PUBLIC_URL, SENT, Site
from tests.web.test_customer_unsubscribe import seen

CATALOGUE = the_catalogue()


LONG_AGO = at("2020-03-02 09:00")


def issue(
    site: Site,
    message_id: str = "m1",
    kind: LinkKind = LinkKind.PAGE,
    links: Links = CUSTOMER_LINKS,
    made_at: datetime = SENT,
) -> str:
    with site.database.writing() as session:
        return links.issue(
            session,
            kind,
            CUSTOMER.customer_id,
            made_at,
            contact_id=CUSTOMER.contacts[0].contact_id,
            message_id=message_id,
        )


def settle(site: Site, at: datetime, invoice_id: str = "inv-1", stage: Stage = Stage.PAID) -> None:
    row = site.case_row(invoice_id)
    with site.database.writing() as session:
        session.execute(update(type(row)).where(type(row).invoice_id == invoice_id).values(stage=stage))
        timeline.write(session, invoice_id, [Entry(key=f"end.{at}", at=at, kind="ended", reason=stage.value)])


def revoke(site: Site) -> None:
    with site.database.writing() as session:
        ids = [row.link_id for row in link_store.of_customer(session, CUSTOMER.customer_id)]
        link_store.revoke(session, ids, "ada", "wrong person", SENT)


async def opened(site: Site, token: str, method: str = "GET", **headers: str) -> httpx.Response:
    return await site.http.request(method, f"/i/{token}", headers=headers, follow_redirects=False)


def without_form_id(text: str) -> str:
    return re.sub(r'name="form_id" value="[0-9a-f]+"', "", text)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that the database runs meanwhile."""
    run: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        run.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield run
    event.remove(database.engine, "before_cursor_execute", note)


async def test_a_link_opens_the_invoices_of_its_message_and_no_others(each_site: Site) -> None:
    site = each_site
    for number in (1, 2, 3):
        site.case(an_invoice(invoice_id=f"inv-{number}", number=f"R-{number}", customer=CUSTOMER))
    site.message(also=("inv-2",))
    site.message("m2", step="other")
    answer = await opened(site, issue(site))
    assert answer.status_code == 200
    assert [number in answer.text for number in ("R-1", "R-2", "R-3")] == [True, True, False]
    assert answer.headers["referrer-policy"] == "no-referrer" and "no-store" in answer.headers["cache-control"]
    assert "script-src" not in answer.headers["content-security-policy"]


async def test_a_later_message_does_not_end_an_earlier_link_and_a_message_has_one_link(site: Site) -> None:
    site.case()
    site.message()
    site.message("m2", step="other")
    first, second = issue(site), issue(site, "m2")
    assert first != second and issue(site) == first
    assert [(await opened(site, one)).status_code for one in (first, second)] == [200, 200]


async def test_the_token_is_stored_nowhere(site: Site) -> None:
    site.case()
    site.message()
    token = issue(site)
    with site.database.reading() as session:
        (row,) = session.query(LinkRow).all()
        kept = " ".join(str(getattr(row, column.name)) for column in LinkRow.__table__.columns)
    assert token not in kept and row.scopes == sorted(scope.value for scope in Scope)


async def test_a_link_lives_until_sixty_days_after_the_last_of_its_invoices_is_settled(site: Site) -> None:
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    site.message(also=("inv-2",))
    token, now = issue(site), SENT + timedelta(days=300)
    settle(site, now - timedelta(days=200))
    assert expired(site, token, now) is False
    settle(site, now - timedelta(days=59), "inv-2")
    assert expired(site, token, now) is False
    assert expired(site, token, now + timedelta(days=2)) is True


def expired(site: Site, token: str, now: datetime) -> bool:
    with site.database.reading() as session:
        link = CUSTOMER_LINKS.find(session, token, LinkKind.PAGE, now)
    assert link is not None
    return link.expired


async def test_links_made_with_a_former_secret_still_open(site: Site) -> None:
    site.case()
    site.message()
    token = issue(site, links=Links(PUBLIC_URL, ["the former secret, of some length"]))
    both = Links(PUBLIC_URL, ["the new secret, of some length", "the former secret, of some length"])
    with site.database.reading() as session:
        assert both.find(session, token, LinkKind.PAGE, SENT) is not None
        assert CUSTOMER_LINKS.find(session, token, LinkKind.PAGE, SENT) is None
    assert issue(site, links=both) == token
    assert issue(site) != token, "what no secret of today can make again is made anew"


async def test_unknown_torn_revoked_and_expired_links_are_one_page_after_the_same_work(site: Site) -> None:
    site.case()
    site.message()
    site.message("m2", step="other")
    expired_link, other_kind = issue(site, made_at=LONG_AGO), issue(site, "m2", LinkKind.RESTRICTION)
    settle(site, LONG_AGO)
    found = {}
    for name, token in {
        "expired": expired_link,
        "unknown": "A" * 22,
        "torn": expired_link[:-1],
        "lengthened": f"{expired_link}x",
        "another kind": other_kind,
        "the address of a form": f"{expired_link}/promise",
        "of a form, unknown": f"{'A' * 22}/language",
        "revoked": expired_link,
    }.items():
        if name == "revoked":
            revoke(site)
        with statements(site.database) as run:
            answer = await opened(site, token, **{"Accept-Language": "de"})
        headers = {key: value for key, value in answer.headers.items() if key not in {"date", "content-length"}}
        found[name] = (answer.status_code, without_form_id(answer.text), tuple(headers.items()), tuple(run))
    assert len(set(found.values())) == 1, {name: (one[0], len(one[1]), len(one[3])) for name, one in found.items()}
    status, text, _, ran = found["expired"]
    assert status == 404 and CATALOGUE.labels("de")["bad_page_link"] in text and len(ran) >= 2


@pytest.mark.parametrize("language", CATALOGUE.languages)
async def test_the_page_of_a_dead_link_speaks_the_readers_language(site: Site, language: str) -> None:
    answer = await opened(site, uuid4().hex[:22], **{"Accept-Language": language})
    assert answer.status_code == 404 and f'lang="{language}"' in answer.text


async def test_the_sample_says_what_it_is(site: Site) -> None:
    answer = await opened(site, SAMPLE, **{"Accept-Language": "es"})
    assert answer.status_code == 200 and CATALOGUE.labels("es")["sample_link"] in answer.text


async def test_everybody_who_asks_for_a_new_link_gets_the_same_answer_after_the_same_work(site: Site) -> None:
    site.case()
    site.message()
    site.message("m2", step="other")
    expired_link, living = issue(site, made_at=LONG_AGO), issue(site, "m2")
    settle(site, LONG_AGO)
    found = {}
    for name, token in {
        "expired": expired_link,
        "living": living,
        "unknown": "A" * 22,
        "torn": expired_link[:9],
        "revoked": expired_link,
    }.items():
        if name == "revoked":
            revoke(site)
        form = {"wanted": "yes", "form_id": uuid4().hex}
        with statements(site.database) as run:
            answer = await site.http.post(f"/i/{token}", data=form, headers={"Accept-Language": "fr"})
        found[name] = (answer.status_code, answer.text, tuple(run))
    assert len(set(found.values())) == 1, {name: (one[0], len(one[2])) for name, one in found.items()}
    status, text, ran = found["expired"]
    assert status == 200 and seen(CATALOGUE.labels("fr")["fresh_link_asked"]) in seen(text) and len(ran) >= 2
    with site.database.reading() as session:
        assert {row.message_id for row in link_store.asked_for(session, 9)} == {"m1", "m2"}, "looked at later"


async def test_a_new_link_is_asked_for_by_a_choice_and_once_a_form(site: Site) -> None:
    site.case()
    site.message()
    token = issue(site, made_at=LONG_AGO)
    settle(site, LONG_AGO)
    page = await opened(site, token)
    assert page.text.count("<form") == 1 and "required" in page.text and token not in page.text
    for form in ({}, {"form_id": "f" * 32}, {"wanted": "yes"}, {"wanted": "no", "form_id": "f" * 32}):
        refused = await site.http.post(f"/i/{token}", data=form)
        assert refused.status_code == 422 and "Please tick the box first." in refused.text
    with site.database.reading() as session:
        assert link_store.asked_for(session, 9) == []
    for _ in range(2):
        done = await site.http.post(f"/i/{token}", data={"wanted": "yes", "form_id": "f" * 32})
        assert done.status_code == 200
        with site.database.writing() as session:
            asked = link_store.asked_for(session, 9)
            for row in asked:
                link_store.answered(session, row.link_id)
    assert asked == [], "the same form again asks for nothing"


async def test_one_network_address_asks_sixty_times_an_hour_at_most(site: Site) -> None:
    codes = []
    for number in range(62):
        answer = await site.http.post(f"/i/{number}", data={"wanted": "yes", "form_id": uuid4().hex})
        codes.append(answer.status_code)
    assert codes[-1] == 429 and set(codes) == {200, 429}
