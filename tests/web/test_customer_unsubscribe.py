"""The link by which readers stop our e-mails: who may use it, what a click does, and what looking does not do."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import for_rehearsal
from dunwell.domain.terms import Role
from dunwell.store import addresses
from tests.builders import a_contact, a_customer, an_invoice
from tests.web.conftest import CUSTOMER, LINKS, PHONE, PUBLIC_URL, Site, an_event

MAIL_ID = "ab" * 16
PATH = LINKS.link(MAIL_ID).removeprefix(PUBLIC_URL)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # the body that RFC 8058 asks for


def seen(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.partition("<body>")[2])).split())


@pytest.fixture
def told(site: Site) -> Site:
    """A mail has reached the first contact."""
    site.case()
    site.message(MAIL_ID)
    return site


async def test_looking_changes_nothing(told: Site) -> None:
    """Scanners open every link before the reader does."""
    answers = [await told.http.get(PATH) for _ in range(3)] + [await told.http.head(PATH)]
    assert [one.status_code for one in answers] == [200, 200, 200, 405]
    assert (told.closed(), told.events(), told.kinds()) == (None, [], [])
    page = answers[0]
    assert '<form method="post">' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"


async def test_the_page_says_what_stopping_means_and_shows_nobodys_address(told: Site) -> None:
    page = await told.http.get(PATH)
    words = seen(page.text)
    assert "The invoice stays open" in words
    assert "ana@dunwell.example" in words
    assert str(CUSTOMER.contacts[0].email) not in page.text
    assert MAIL_ID not in page.text


async def test_a_click_closes_the_address_at_once_for_every_invoice(each_site: Site) -> None:
    site = each_site
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    site.message(MAIL_ID)
    answer = await site.http.post(PATH, data=ONE_CLICK)
    assert answer.status_code == 200
    assert "Done" in seen(answer.text)
    assert "<form" not in answer.text
    assert site.closed() == "stopped"
    assert site.closed(Channel.SMS, PHONE) is None
    said = (
        "opted_out",
        "acme.accounts_payable.1 wants no more messages by email (by the unsubscribe link of an e-mail)",
    )
    assert (site.entries("inv-1"), site.entries("inv-2")) == ([said], [said])


async def test_b5_a_click_closes_the_address_in_every_spelling(each_site: Site) -> None:
    site = each_site
    site.case()
    shouting = str(CUSTOMER.contacts[0].email).upper()
    person = a_contact(contact_id="other.accounts_payable.1", email=shouting)
    other = a_customer(customer_id="other", contacts=(person,))
    site.case(an_invoice(invoice_id="inv-2", customer=other))
    site.message(MAIL_ID)
    await site.http.post(PATH, data=ONE_CLICK)
    assert (site.closed(), site.closed(address=shouting)) == ("stopped", "stopped")
    assert site.kinds("inv-2") == ["opted_out"]
    await site.sendgrid([an_event("group_resubscribe", message_id=None, email=shouting.title())])
    assert (site.closed(), site.closed(address=shouting)) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data": ONE_CLICK}, id="a form"),
        pytest.param({"files": {"List-Unsubscribe": (None, "One-Click")}}, id="multipart, as RFC 8058 allows"),
        pytest.param({}, id="the button, which sends nothing"),
    ],
)
async def test_every_kind_of_click_counts(told: Site, body: dict[str, object]) -> None:
    assert (await told.http.post(PATH, **body)).status_code == 200  # type: ignore[arg-type]
    assert told.closed() == "stopped"


async def test_clicking_again_is_harmless(told: Site) -> None:
    for _ in range(3):
        assert (await told.http.post(PATH)).status_code == 200
    assert (told.closed(), told.kinds(), len(told.events())) == ("stopped", ["opted_out"], 1)
    assert "Done" in seen((await told.http.get(PATH)).text)


async def test_a_stop_outranks_a_bounce(told: Site) -> None:
    await told.sendgrid([an_event("bounce", message_id=MAIL_ID)])
    await told.http.post(PATH)
    assert told.closed() == "stopped"


async def test_whoever_came_back_may_leave_by_the_same_link(told: Site) -> None:
    opt_outs, token = told.service.opt_outs, PATH.rpartition("/")[2]
    await told.http.post(PATH)
    await told.sendgrid([an_event("group_resubscribe", message_id=None)])
    assert told.closed() is None
    reader = opt_outs.recipient(token)
    assert reader is not None
    opt_outs.stop(reader, datetime.now(UTC) + timedelta(days=1))
    assert (told.closed(), told.kinds()) == ("stopped", ["opted_out", "opted_in", "opted_out"])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(PATH[:-1], id="cut off"),
        pytest.param(PATH[:-1] + ("0" if PATH[-1] != "0" else "1"), id="another signature"),
        pytest.param("/unsubscribe/" + "cd" * 16 + PATH[-65:], id="another message"),
        pytest.param(LINKS.link("ef" * 16).removeprefix(PUBLIC_URL), id="a mail nobody knows any more"),
        pytest.param("/unsubscribe/<script>alert(1)</script>", id="a script"),
        pytest.param("/unsubscribe/%00%ff%0d%0aSet-Cookie:x", id="bytes"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_any_other_link_is_answered_404_without_an_echo(told: Site, method: str, path: str) -> None:
    answer = await told.http.request(method, path)
    assert answer.status_code == 404
    sent = path.rpartition("/")[2]
    assert sent not in answer.text
    assert "alert" not in answer.text
    assert "set-cookie" not in answer.headers
    assert (told.closed(), told.events()) == (None, [])


@pytest.mark.parametrize(
    ("language", "shown", "says"),
    [
        ("en", "en", "Stop e-mails to this address"),
        ("es", "es", "factura"),
        ("es-MX", "es-MX", "factura"),
        ("fr-BE", "fr-BE", "Ne plus recevoir d'e-mails à cette adresse"),
        ("fr-CA", "fr-CA", "Ne plus recevoir de courriels à cette adresse"),
        ("de-AT", "de-AT", "E-Mails an diese Adresse abbestellen"),
        ("en-ZZ", "en-US", "Stop e-mails to this address"),  # there is no such region
        ("hu", "en", "Stop e-mails to this address"),  # nobody has written Hungarian yet
    ],
)
async def test_the_page_speaks_the_debtors_language(site: Site, language: str, shown: str, says: str) -> None:
    site.case(an_invoice(customer=CUSTOMER.model_copy(update={"language": language})))
    site.message(MAIL_ID)
    for method in ("GET", "POST"):
        page = await site.http.request(method, PATH)
        assert f'<html lang="{shown}"' in page.text
        assert says in seen(page.text)


async def test_what_a_rehearsal_stops_counts_for_rehearsals_only(site: Site) -> None:
    real = an_invoice(customer=a_customer(contacts=(a_contact(),)))
    rehearsed = for_rehearsal(real.model_copy(update={"invoice_id": "inv-1"}))
    site.case(real.model_copy(update={"invoice_id": "inv-real"}))
    site.case(rehearsed, rehearsal=True)
    site.message(
        MAIL_ID, customer_id=rehearsed.customer.customer_id, contact_id=rehearsed.customer.contacts[0].contact_id
    )
    assert (await site.http.post(PATH)).status_code == 200
    address = str(a_contact(Role.ACCOUNTS_PAYABLE).email)
    with site.database.reading() as session:
        assert addresses.why_closed(session, Channel.EMAIL, address) is None
        assert addresses.why_closed(session, Channel.EMAIL, address, rehearsal=True) == "stopped"
    assert (site.kinds("inv-1"), site.kinds("inv-real")) == (["opted_out"], [])
