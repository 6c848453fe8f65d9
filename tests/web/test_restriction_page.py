"""The page about a restricted account at the door: what it says in each state, what it can do, and what it keeps."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import update
from temporalio.client import Client

from dunwell.client.cases import Cases
from dunwell.domain.channels import WRITTEN
from dunwell.domain.invoice import Customer
from dunwell.domain.links import LinkKind
from dunwell.domain.policy import GraceRules, Policy
from dunwell.domain.terms import Role, Stage
from dunwell.services.dependencies import Dependencies
from dunwell.services.our_company import BankAccount, Sender
from dunwell.store import accounts, cases
from dunwell.store.database import Database
from dunwell.store.tables import RequestRow
from dunwell.web.app import make_app
from dunwell.web.service import Keys, make_service
from tests.builders import (
    a_contact,
    a_customer,
    an_invoice,
    another_customer,
    at,
    sample_deps,
    the_catalogue,
    the_ladders,
)
from tests.services.conftest import ServiceHarness
from tests.web.conftest import CUSTOMER_LINKS
from tests.web.console.engine import Engine
from tests.web.console.town import advance

RESTRICTED = at("2027-03-24 12:00")
PEOPLE = (
    a_contact(email="ada@acme.example", phone="+4915112345678"),
    a_contact(Role.USER, email="bob@acme.example"),
    a_contact(Role.ACCOUNT_MANAGER, email="manager@dunwell.example"),
)
ACME = a_customer(contacts=PEOPLE)
SENDER = Sender(
    "Ana Lopez", "Dunwell Example Ltd", "ana@dunwell.example", "+49 30 901820", BankAccount("DE89370400440532013000")
)


@dataclass
class Firm:
    """The page of one account over real services. `now` is the time of the page and of the case."""

    deps: Dependencies
    now: datetime = RESTRICTED
    harnesses: dict[str, ServiceHarness] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.deps, lambda: self.now)
        client = cast(Client, self.engine)
        told = Cases(client, self.deps.database)
        self.app = make_app(make_service(client, self.deps, the_ladders(), told, Keys()))
        self.app.state.clock = lambda: self.now

    def chase(
        self, invoice_id: str = "inv-1", customer: Customer = ACME, ladder: Policy | None = None, **facts: Any
    ) -> ServiceHarness:
        """Open a case and carry out what is due until now."""
        harness = self.harnesses[invoice_id] = ServiceHarness(self.deps)
        facts = {"number": invoice_id, "customer": customer} | facts
        harness.open(an_invoice(invoice_id=invoice_id, **facts), ladder=ladder)
        advance(harness, self.now)
        return harness

    def catch_up(self, invoice_id: str, until: datetime) -> None:
        """Carry out what is due until then, of the case as the page's acts left it."""
        self.now, harness = until, self.harnesses[invoice_id]
        with self.deps.database.reading() as session:
            stored = cases.get(session, invoice_id)
        assert stored is not None
        harness.case, harness.written = stored, stored.mark
        advance(harness, until)

    def token(self, customer_id: str = "acme") -> str:
        with self.deps.database.reading() as session:
            account = accounts.account(session, customer_id)
        assert account is not None
        assert account.page is not None
        token = CUSTOMER_LINKS.token(account.page)
        assert token is not None
        return token

    async def get(self, path: str = "", customer_id: str = "acme", **how: Any) -> httpx.Response:
        return await self._ask("GET", f"/r/{self.token(customer_id)}{path}", **how)

    async def post(self, path: str, customer_id: str = "acme", **typed: str) -> httpx.Response:
        return await self._ask("POST", f"/r/{self.token(customer_id)}{path}", data=typed)

    async def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.request(method, path, **how)


@pytest.fixture
def firm(file_database: Database) -> Firm:
    return Firm(replace(sample_deps(file_database), links=CUSTOMER_LINKS, sender=SENDER))


def text_of(answer: httpx.Response) -> str:
    """What a person reads of the page."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text.replace("<bdi>", "").replace("</bdi>", "")).split())


# What it says --------------------------------------------------------------------------------------------


async def test_it_says_what_is_limited_why_what_was_sent_and_how_it_ends(firm: Firm) -> None:
    firm.chase()
    answer = await firm.get()
    said = text_of(answer)
    assert answer.status_code == 200
    for expected in (
        "Some features have been limited since March 22, 2027.",
        "Account: Acme GmbH",
        "Access comes back by itself as soon as the payment of this invoice is booked.",
        "Invoice inv-1 of February 1, 2027",
        "March 2, 2027: e-mail to a•••@acme.example",
        "March 2, 2027: e-mail to b•••@acme.example",
        "March 16, 2027: e-mail to a•••@acme.example",
        "look in the spam folder",
        "€1,200.00",
        "DE89 3704 0044 0532 0130 00",
        "Ana Lopez at Dunwell Example Ltd is glad to help.",
        "E-mail: ana@dunwell.example",
    ):
        assert expected in said
    assert '<a class="button" href="https://pay.example/inv-1"' in answer.text


async def test_nobody_is_named_and_no_other_customer_is_shown(firm: Firm) -> None:
    """Whoever in the firm opens it reads no whole address of a colleague, and nothing of another firm."""
    firm.chase()
    firm.chase("inv-2", another_customer("borealis").model_copy(update={"name": "Borealis Oy"}))
    said = (await firm.get()).text
    for hidden in (
        *(contact.email for contact in PEOPLE),
        *(contact.name for contact in PEOPLE),
        "12345678",
        "inv-2",
        "borealis",
        "Borealis",
    ):
        assert hidden is not None
        assert hidden not in said
    assert "inv-2" in (await firm.get(customer_id="borealis")).text


async def test_it_runs_nothing_asks_nobody_and_is_kept_nowhere(firm: Firm) -> None:
    firm.chase()
    answer = await firm.get()
    assert "<script" not in answer.text
    assert "http-equiv" not in answer.text, "a page with forms that reloads would lose what somebody types"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize("language", sorted(path for path in the_catalogue().languages))
async def test_it_speaks_the_customers_language(firm: Firm, language: str) -> None:
    firm.chase(customer=ACME.model_copy(update={"language": language}))
    answer = await firm.get()
    assert answer.status_code == 200
    assert "{" not in text_of(answer)
    assert answer.text.startswith(
        f'<!doctype html>\n<html lang="{the_catalogue().locale(language)}'.replace("_", "-")
    )


def test_there_are_words_for_each_channel_that_carries_warnings() -> None:
    words = the_catalogue().pages("en")
    assert {f"restriction_by_{channel}" for channel in WRITTEN} <= words.keys()


async def test_several_invoices_hold_the_account_and_each_has_to_go(firm: Firm) -> None:
    firm.now = at("2027-04-02 12:00")
    first = firm.chase()
    firm.chase("inv-2", amount=Decimal("99.00"))
    both = text_of(await firm.get())
    assert "as soon as the payments of all these invoices are booked" in both
    assert both.count("Invoice inv-") == 2
    first.pay("2027-04-02 12:30")
    one = text_of(await firm.get())
    assert "Some features have been limited since" in one
    assert "Invoice inv-1" not in one
    assert "Invoice inv-2" in one


async def test_after_the_payment_it_says_back(firm: Firm) -> None:
    harness = firm.chase()
    harness.pay("2027-03-24 12:30")
    said = text_of(await firm.get())
    assert "Full access is back since March 24, 2027." in said
    assert "Invoice" not in said


async def test_a_dispute_over_a_part_is_shown_apart(firm: Firm) -> None:
    harness = firm.chase()
    harness.record("dispute_opened", "2027-03-24 12:10", reason="quality", opened_by="user", amount="300.00")
    said = text_of(await firm.get())
    assert "In dispute, not to be paid for now €300.00" in said


async def test_work_that_waits_is_no_restriction(firm: Firm) -> None:
    firm.now = at("2027-02-20 12:30")
    firm.chase(policy="freelance-milestones")
    said = text_of(await firm.get())
    assert "The next stage of the work has been waiting for a payment since February 20, 2027." in said
    assert "Some features" not in said


async def test_whoever_never_was_limited_reads_so(firm: Firm) -> None:
    firm.now = at("2027-02-20 12:30")
    firm.chase()
    with firm.deps.database.writing() as session:
        CUSTOMER_LINKS.issue(session, LinkKind.RESTRICTION, "acme", firm.now)
    assert "Nothing is limited: this account has full access." in text_of(await firm.get())


@pytest.mark.parametrize("path", ["", "/", "/x", "/x/waiting", "/x/promise"])
async def test_a_link_that_opens_nothing_says_so(firm: Firm, path: str) -> None:
    firm.chase()
    method = "POST" if path.endswith("promise") else "GET"
    answer = await firm._ask(method, f"/r{path}")
    assert answer.status_code == 404
    assert "<html" in answer.text


# While a payment is waited for ----------------------------------------------------------------------------


async def test_who_waits_for_their_payment_is_told_at_once(firm: Firm) -> None:
    harness = firm.chase()
    first = await firm.get("/waiting")
    assert first.status_code == 303
    waiting = await firm.get(first.headers["location"].partition(firm.token())[2])
    assert '<meta http-equiv="refresh" content="1">' in waiting.text
    assert "<form" not in waiting.text
    harness.pay("2027-03-24 12:30")
    back = await firm.get(first.headers["location"].partition(firm.token())[2])
    assert "Full access is back" in text_of(back)
    assert "http-equiv" not in back.text


async def test_the_page_stops_looking_after_a_quarter_of_an_hour(firm: Firm) -> None:
    firm.chase()
    path = (await firm.get("/waiting")).headers["location"].partition(firm.token())[2]
    firm.now += timedelta(minutes=16)
    over = await firm.get(path)
    assert "http-equiv" not in over.text
    assert "Look again" in over.text


@pytest.mark.parametrize("since", ["", "soon", "-1", "9" * 12, "9" * 40, "²"])
async def test_another_beginning_of_the_wait_is_now(firm: Firm, since: str) -> None:
    firm.chase()
    answer = await firm.get("/waiting", params={"since": since})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"since={int(firm.now.timestamp())}")


# A promise -------------------------------------------------------------------------------------------------


def a_promise(day: str = "2027-03-29", **changes: str) -> dict[str, str]:
    return {"form_id": "f1", "invoice": "inv-1", "day": day} | changes


async def test_a_promise_is_taken_shown_and_audited(firm: Firm) -> None:
    firm.chase()
    assert "Tell us when you will pay" in text_of(await firm.get())
    answer = await firm.post("/promise", **a_promise())
    assert (answer.status_code, answer.headers["location"]) == (303, f"/r/{firm.token()}")
    assert firm.engine.told == [
        ("inv-1", "promise_to_pay", {"date": "2027-03-29", "promised_by": "restriction page"})
    ]
    said = text_of(await firm.get())
    assert "We expect €1,200.00 by March 29, 2027." in said
    assert "Some features have been limited" in said, "a promise is no payment"
    assert "Tell us when you will pay" not in said


async def test_of_a_promise_only_what_is_left_is_expected(firm: Firm) -> None:
    firm.chase()
    await firm.post("/promise", **a_promise())
    firm.harnesses["inv-1"].pay("2027-03-24 12:30", "10.00")
    assert "We expect €1,190.00 by March 29, 2027." in text_of(await firm.get())


async def test_a_double_click_promises_once(firm: Firm) -> None:
    firm.chase()
    for _ in range(2):
        assert (await firm.post("/promise", **a_promise())).status_code == 303
    assert len(firm.engine.told) == 1
    assert (await firm.post("/promise", **a_promise("2027-03-30"))).status_code == 422, "other words"


@pytest.mark.parametrize("day", ["2027-03-23", "2027-04-08", "", "soon", "2027-02-30", "0001-01-01", "9999-12-31"])
async def test_a_day_that_cannot_be_is_refused_with_those_that_can(firm: Firm, day: str) -> None:
    firm.chase()
    answer = await firm.post("/promise", **a_promise(day))
    assert answer.status_code == 422
    assert "Please name a day from March 24, 2027 to April 7, 2027." in text_of(answer)
    assert f'value="{day}"' in answer.text
    assert firm.engine.told == []


@pytest.mark.parametrize("typed", [{}, {"invoice": "inv-2"}, {"invoice": "<b>"}, {"invoice": "inv-9", "day": "x"}])
async def test_an_invoice_that_does_not_hold_this_account_is_refused(firm: Firm, typed: dict[str, str]) -> None:
    firm.chase()
    firm.chase("inv-2", another_customer("borealis"))
    answer = await firm.post("/promise", **{"form_id": "f1", "day": "2027-03-29"} | typed)
    assert answer.status_code == 422
    assert "This is not possible any more." in text_of(answer)
    assert "<b>" not in answer.text
    assert firm.engine.told == []


async def test_where_no_promise_is_left_none_is_offered_and_an_old_page_is_refused(firm: Firm) -> None:
    harness = firm.chase()
    for number, day in enumerate(("2027-03-29", "2027-03-30")):
        harness.record("promise_to_pay", f"2027-03-24 12:0{number}", date=day, promised_by="user")
    harness.case.promise_due(at("2027-03-24 12:20"))
    assert "Tell us when you will pay" not in text_of(await firm.get())
    answer = await firm.post("/promise", **a_promise("2027-03-31"))
    assert answer.status_code == 422
    assert "This is not possible any more." in text_of(answer)


async def test_while_the_engine_is_away_nothing_is_lost_and_it_says_so(firm: Firm) -> None:
    firm.chase()
    firm.engine.away = True
    answer = await firm.post("/promise", **a_promise())
    assert answer.status_code == 503
    assert "Please try again in a few minutes." in text_of(answer)
    assert "Some features have been limited" in text_of(await firm.get()), "the page needs no engine"


async def test_a_promise_that_nobody_could_confirm_counts_when_it_is_sent_again_after_its_day(firm: Firm) -> None:
    firm.chase()
    firm.engine.slow = True
    assert (await firm.post("/promise", **a_promise("2027-03-29"))).status_code == 503
    firm.engine.slow = False
    firm.now = at("2027-03-30 12:00")
    assert (await firm.post("/promise", **a_promise("2027-03-29"))).status_code == 303
    assert len(firm.engine.told) == 1
    assert (await firm.post("/promise", **a_promise("2027-03-29", form_id="f2"))).status_code == 422


async def test_a_form_whose_case_has_not_answered_yet_is_not_refused_for_what_has_changed(firm: Firm) -> None:
    harness = firm.chase()
    firm.engine.slow = True
    assert (await firm.post("/promise", **a_promise("2027-03-29"))).status_code == 503
    harness.record("dispute_opened", "2027-03-24 12:01", reason="price", opened_by="agent-3")
    again = await firm.post("/promise", **a_promise("2027-03-29"))
    assert again.status_code == 503
    assert "Please try again in a few minutes." in text_of(again)
    with firm.deps.database.writing() as session:
        session.execute(update(RequestRow).values(taken_at=firm.now))
    assert (await firm.post("/promise", **a_promise("2027-03-29"))).status_code == 303


async def test_a_form_that_nobody_answered_is_offered_again_as_the_same_form(firm: Firm) -> None:
    firm.chase()
    firm.engine.slow = True
    answer = await firm.post("/promise", **a_promise("2027-03-29", form_id="f" * 32))
    assert answer.status_code == 503
    assert f'name="form_id" value="{"f" * 32}"' in answer.text


async def test_opening_every_address_changes_nothing(firm: Firm) -> None:
    """A scanner follows each link, and asks by HEAD first."""
    firm.chase()
    page = await firm.get()
    addresses = re.findall(r'(?:href|action)="(/r/[^"]+)"', page.text)
    assert len(addresses) == 3  # to wait, to promise, to ask for grace
    for path in addresses:
        for method in ("HEAD", "GET"):
            assert (await firm._ask(method, path.replace("&amp;", "&"))).status_code in {200, 303}
    assert firm.engine.told == []


async def test_the_page_lives_as_long_as_what_it_explains(firm: Firm) -> None:
    """A case that was handed over has ended, and its hold stays: the page would be needed most."""
    harness = firm.chase()
    firm.now = at("2027-05-20 12:00")
    advance(harness, firm.now)
    assert harness.case.stage is Stage.HANDED_OVER
    with firm.deps.database.reading() as session:
        found = [
            CUSTOMER_LINKS.find(session, firm.token(), LinkKind.RESTRICTION, at(f"{year}-01-01 09:00"))
            for year in (2028, 2030)
        ]
    assert [one is not None and not one.expired for one in found] == [True, True]
    said = text_of(await firm.get())
    assert "Some features have been limited" in said
    assert "Tell us when you will pay" not in said
    harness.pay("2027-05-20 12:30")
    with firm.deps.database.reading() as session:
        link = CUSTOMER_LINKS.find(session, firm.token(), LinkKind.RESTRICTION, at("2028-01-01 09:00"))
    assert link is not None
    assert link.expired


# Grace -----------------------------------------------------------------------------------------------------


def asking(page: httpx.Response, **changes: str) -> dict[str, str]:
    """What the form for grace on this page sends once its box is ticked."""
    form = re.search(r'action="[^"]+/grace">(.*?)</form>', page.text, re.DOTALL)
    assert form is not None
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1]))
    return hidden | {"agreed": "yes"} | changes


async def test_g6_g7_grace_gives_access_back_names_the_day_and_the_restriction_returns_on_it(firm: Firm) -> None:
    """Restricted, grace asked for on the page, open, restricted again on the day that was named, paid, back."""
    firm.now = at("2027-03-23 20:00")  # a Tuesday evening: the message that names the day leaves on Wednesday
    harness = firm.chase()
    page = await firm.get()
    named = "March 30, 2027"  # three days on it is Good Friday
    assert f"I know that access is limited again on {named}" in text_of(page)
    answer = await firm.post("/grace", **asking(page))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/r/{firm.token()}")
    assert [(name, content["by"]) for _, name, content in firm.engine.told] == [("grace_granted", "restriction page")]
    assert harness.access() == "full"
    said = text_of(await firm.get())
    assert "Nothing is limited" in said
    assert f"Access is back until {named}" in said
    assert "Access for a few more days" not in said

    firm.catch_up("inv-1", at("2027-03-29 23:00"))
    (confirmed, *_) = [row for row in harness.messages() if row.message == "grace-confirmed"]
    assert named in confirmed.body
    assert harness.access() == "full"
    firm.catch_up("inv-1", at("2027-03-30 20:00"))
    assert harness.access() == "restricted"
    said = text_of(await firm.get())
    assert f"Some features have been limited since {named}." in said
    assert "Access for a few more days" not in said, "the policy grants it once"
    assert "March 2, 2027: e-mail to a•••@acme.example" in said

    harness.pay("2027-03-31 12:00")
    assert "Full access is back since March 31, 2027." in text_of(await firm.get())


async def test_grace_needs_what_only_a_person_gives(firm: Firm) -> None:
    """A scanner that presses the button ticks no box."""
    firm.chase()
    typed = asking(await firm.get())
    del typed["agreed"]
    answer = await firm.post("/grace", **typed)
    assert answer.status_code == 422
    assert "Please tick the box first." in text_of(answer)
    assert firm.engine.told == []


async def test_a_double_click_and_an_old_page_grant_it_once(firm: Firm) -> None:
    """The second click finds that grace runs: by itself, so it is no refusal. Another page's form is refused."""
    firm.chase()
    page, old = await firm.get(), await firm.get()
    assert [(await firm.post("/grace", **asking(page))).status_code for _ in range(2)] == [303, 303]
    assert (await firm.post("/grace", **asking(old))).status_code == 422
    firm.now += timedelta(days=1)
    assert (await firm.post("/grace", **asking(old))).status_code == 422
    assert (await firm.post("/grace", **asking(page, until="2027-04-02"))).status_code == 422, "other words"
    assert len(firm.engine.told) == 1


async def test_a_double_click_on_the_last_promise_is_no_refusal(firm: Firm) -> None:
    harness = firm.chase()
    harness.record("promise_to_pay", "2027-03-24 12:00", date="2027-03-29", promised_by="user")
    assert [(await firm.post("/promise", **a_promise("2027-03-30"))).status_code for _ in range(2)] == [303, 303]
    assert (await firm.post("/promise", **a_promise("2027-03-31", form_id="f2"))).status_code == 422
    assert len(firm.engine.told) == 1


@pytest.mark.parametrize("until", ["2027-03-25", "2027-12-31", "", "soon"])
async def test_no_other_day_than_the_offered_one_can_be_asked_for(firm: Firm, until: str) -> None:
    firm.chase()
    answer = await firm.post("/grace", **asking(await firm.get(), until=until))
    assert answer.status_code == 422
    assert "This is not possible any more." in text_of(answer)
    assert firm.engine.told == []


async def test_grace_is_granted_for_all_that_reduces_access_or_is_not_offered(firm: Firm) -> None:
    """With grace for one of two invoices nothing would come back: the page would promise what does not happen."""
    firm.now = at("2027-04-02 12:00")
    first = firm.chase()
    firm.chase("inv-2", amount=Decimal("99.00"))
    page = await firm.get()
    assert text_of(page).count("Access for a few more days") == 1
    assert "unless invoice inv-1, inv-2 has been paid by then" in text_of(page)
    assert (await firm.post("/grace", **asking(page))).status_code == 303
    assert [(invoice_id, name) for invoice_id, name, _ in firm.engine.told] == [
        ("inv-1", "grace_granted"),
        ("inv-2", "grace_granted"),
    ]
    assert first.access() == "full"


async def test_where_one_invoice_has_no_grace_left_none_is_offered(firm: Firm) -> None:
    firm.now = at("2027-04-02 12:00")
    firm.chase()
    strict = {"name": "strict-saas", "grace": GraceRules()}
    firm.chase("inv-2", ladder=the_ladders()["gentle-saas"].model_copy(update=strict))
    said = text_of(await firm.get())
    assert said.count("Invoice inv-") == 2
    assert "Access for a few more days" not in said


async def test_a_ladder_that_grants_none_offers_none(firm: Firm) -> None:
    firm.chase(ladder=the_ladders()["gentle-saas"].model_copy(update={"grace": GraceRules()}))
    said = text_of(await firm.get())
    assert "Some features have been limited" in said
    assert "Access for a few more days" not in said
