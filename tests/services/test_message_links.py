"""The link that each message carries: where it stands, what is stored of it, and that it survives crashes."""

import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from pydantic import SecretStr
from pypdf import PdfReader
from sqlalchemy import select

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Customer
from dunwell.domain.links import SAMPLE, LinkKind, Scope
from dunwell.domain.terms import Role
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services.failures import ProviderFailed
from dunwell.services.links import Links
from dunwell.services.message_preview import preview_messages
from dunwell.store import links as link_store
from dunwell.store.database import Database
from dunwell.store.tables import LinkRow
from dunwell.texts.approved import ApprovedTexts
from dunwell.texts.sms import sms_parts
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps
from tests.gateways.fakes import FakeTwilio
from tests.services.conftest import DyingWorker, ServiceHarness, WorkerDied, by_twilio
from tests.services.test_whatsapp import AGREED, LADDER, PHONE, SID, by_whatsapp

LINKS = Links("https://due.example", ["the secret of our customers' links"])
PAGE = re.compile(r"https://due\.example/i/([0-9A-Za-z]{22})\b")
FIRST, RETRY = "2027-03-02 09:00", "2027-03-02 09:02"
BY_MAIL = a_customer(contacts=(a_contact(),))
BY_SMS = a_customer(contacts=(a_contact(email=None, phone="+34600123456"),))
BY_POST = a_customer(contacts=(a_contact(email=None, post="Werkstraße 12\n10115 Berlin"),))
POSTING = a_ladder("""
name = "posting"
version = 1

[[step]]
id = "first-reminder"
when = "due + 1 business day at 09:00"
to = ["accounts_payable"]
by = ["letter"]
message = "reminder-first"
""")


class Postbox(OutboxGateway):
    """A gateway that keeps what it was handed."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.sent: list[Envelope] = []

    def send(self, envelope: Envelope) -> Receipt:
        self.sent.append(envelope)
        return super().send(envelope)


class Refusing(Postbox):
    """A gateway that refuses the first message for now."""

    def send(self, envelope: Envelope) -> Receipt:
        receipt = super().send(envelope)
        if len(self.sent) == 1:
            raise DeliveryError("busy")
        return receipt


def a_harness(database: Database, **gateways: OutboxGateway) -> ServiceHarness:
    deps = sample_deps(database, **gateways)  # type: ignore[arg-type]
    return ServiceHarness(replace(deps, links=LINKS, pay_links="https://due.example/p/"))


def begun(database: Database, customer: Customer, **gateways: OutboxGateway) -> ServiceHarness:
    harness = a_harness(database, **gateways)
    harness.open(an_invoice(customer=customer, payment_url="https://pay.example/1"))
    return harness


def the_link(database: Database) -> LinkRow:
    with database.reading() as session:
        return session.scalars(select(LinkRow)).one()


def test_an_email_has_it_as_a_second_button_and_in_its_text_and_the_outbox_has_the_sample(
    file_database: Database,
) -> None:
    postbox = Postbox(Channel.EMAIL)
    harness = begun(file_database, BY_MAIL, email=postbox)
    harness.carry_out("first-reminder", FIRST)
    (envelope,), (row,) = postbox.sent, harness.messages()
    assert envelope.html is not None and row.html is not None
    (token,) = set(PAGE.findall(envelope.text))
    assert token != SAMPLE and SAMPLE not in envelope.text + envelope.html
    assert f'<a href="https://due.example/i/{token}" style="' in envelope.html
    assert 'class="button second">Pay, name a date, or tell us what is wrong</a>' in envelope.html
    assert '<a href="https://pay.example/1" style="' in envelope.html
    assert token not in row.body + row.html and SAMPLE in row.body and SAMPLE in row.html
    link = the_link(file_database)
    assert (link.message_id, link.contact_id, link.customer_id) == (row.message_id, row.contact_id, row.customer_id)
    with file_database.reading() as session:
        found = LINKS.find(session, token, LinkKind.PAGE, at(FIRST))
    assert found is not None and found.invoice_ids == ("inv-1",) and found.scopes == set(Scope)


def test_an_sms_has_it_in_place_of_the_payment_link_and_its_length_is_that_of_the_real_one(
    file_database: Database,
) -> None:
    postbox = Postbox(Channel.SMS)
    harness = begun(file_database, BY_SMS, sms=postbox)
    harness.carry_out("first-reminder", FIRST)
    (envelope,), (row,) = postbox.sent, harness.messages()
    assert len(PAGE.findall(envelope.text)) == 1 and envelope.text.count("http") == 1
    assert len(envelope.text) == len(row.body) and sms_parts(envelope.text) == sms_parts(row.body)
    assert the_link(file_database).scopes == sorted(scope.value for scope in Scope if scope is not Scope.STOP)


def test_a_thanking_sms_has_it_only_where_it_costs_no_further_sms(file_database: Database) -> None:
    from tests.services.languages import CATALOGUE, facts

    known = facts(asked="0.00", open="0.00", paid="1200.00", page_url=LINKS.address(LinkKind.PAGE))
    short = CATALOGUE.compose("thank-you", "en", known).short
    assert SAMPLE in short and sms_parts(short) == 1
    long = known.model_copy(update={"number": "N" * 70})
    assert SAMPLE not in CATALOGUE.compose("thank-you", "en", long).short


def test_a_letter_has_it_printed_and_as_a_code(file_database: Database) -> None:
    postbox = Postbox(Channel.LETTER)
    harness = a_harness(file_database, letter=postbox)
    harness.open(an_invoice(customer=BY_POST), ladder=POSTING)
    harness.carry_out("first-reminder", FIRST)
    (envelope,), (row,) = postbox.sent, harness.messages()
    printed = "".join(page.extract_text() for page in PdfReader(BytesIO(envelope.attachments[0].content)).pages)
    (token,) = re.findall(PAGE.pattern.removesuffix(r"\b"), printed.replace("\n", ""))
    assert "Scan to pay online, name a date" in printed.replace("\n", " ")
    assert token not in row.body and SAMPLE in row.body
    with file_database.reading() as session:
        assert LINKS.find(session, token, LinkKind.PAGE, at(FIRST)) is not None


def test_an_approved_whatsapp_text_gets_it_as_a_value(file_database: Database, twilio: FakeTwilio) -> None:
    from dunwell.commands.approval import submissions
    from dunwell.settings import Settings

    harness = a_harness(file_database)
    set_up = Settings(public_url="https://due.example", link_secret=SecretStr("x" * 32))
    found = submissions(harness.deps.catalogue, ["es"], ApprovedTexts({}), set_up)
    words = next(one for one in found if one.message == "reminder-first" and not one.when).text.words
    twilio.contents = {SID: words}
    gateway = by_whatsapp(twilio, ApprovedTexts({("reminder-first", "es", words): SID}))
    harness = a_harness(file_database, whatsapp=gateway)  # type: ignore[arg-type]
    customer = a_customer(contacts=(a_contact(phone=PHONE, whatsapp_opt_in=AGREED),), language="es")
    harness.open(an_invoice(customer=customer, payment_url="https://pay.example/1"), ladder=LADDER)
    harness.carry_out("first", "2027-03-02 10:00")
    assert len(PAGE.findall(twilio.requests[-1].form["ContentVariables"])) == 1
    assert SAMPLE not in twilio.messages[0]["body"] and SAMPLE in harness.messages()[0].body


@pytest.mark.parametrize("after", [True, False], ids=["taken", "not taken"])
def test_a_crash_changes_no_link_and_the_message_is_found_by_its_real_text(
    file_database: Database, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr("dunwell.services.message_claims.CALL_PATIENCE", timedelta(0))
    gateway = DyingWorker(by_twilio(twilio), after=after)
    harness = begun(file_database, BY_SMS, sms=gateway)  # type: ignore[arg-type]
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    before = the_link(file_database).link_id
    if not after:
        with pytest.raises(ProviderFailed, match="never got"):
            harness.carry_out("first-reminder", RETRY)
    harness.carry_out("first-reminder", RETRY)
    assert len(twilio.messages) == 1 and harness.states() == {"accounts_payable sms": "accepted"}
    assert the_link(file_database).link_id == before
    (token,) = PAGE.findall(twilio.messages[0]["body"])
    assert token == LINKS.token(the_link(file_database))


def test_a_message_that_was_refused_leaves_later_with_the_same_link(file_database: Database) -> None:
    postbox = Refusing(Channel.EMAIL)
    harness = begun(file_database, BY_MAIL, email=postbox)
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    harness.carry_out("first-reminder", RETRY)
    first, second = (set(PAGE.findall(envelope.text)) for envelope in postbox.sent)
    assert first == second and len(first) == 1


def test_a_message_about_several_invoices_has_one_link_that_opens_them_all(file_database: Database) -> None:
    postbox = Postbox(Channel.EMAIL)
    first = begun(file_database, BY_MAIL, email=postbox)
    second = ServiceHarness(first.deps)
    second.open(an_invoice(invoice_id="inv-2", number="N2", customer=BY_MAIL))
    for one in (first, second):
        one.carry_out("first-reminder", FIRST)
    (envelope,) = postbox.sent
    (token,) = set(PAGE.findall(envelope.text))
    with file_database.reading() as session:
        found = LINKS.find(session, token, LinkKind.PAGE, at(FIRST))
    assert found is not None and found.invoice_ids == ("inv-1", "inv-2")


def test_a_rehearsal_and_a_preview_have_the_sample_and_make_no_link(file_database: Database) -> None:
    postbox = Postbox(Channel.EMAIL)
    harness = a_harness(file_database, email=postbox)
    harness.open(an_invoice(customer=BY_MAIL))
    with file_database.reading() as session:
        (shown,) = preview_messages(session, harness.deps, harness.case, "first-reminder", at(FIRST), rehearsal=False)
    assert set(PAGE.findall(shown.body)) == {SAMPLE}
    rehearsed = a_harness(file_database)
    rehearsed.open(an_invoice(invoice_id="trial-1", customer=BY_MAIL), rehearsal=True)
    rehearsed.carry_out("first-reminder", FIRST, rehearsal=True)
    assert set(PAGE.findall(rehearsed.messages()[0].body)) == {SAMPLE}
    with file_database.reading() as session:
        assert session.scalars(select(LinkRow)).all() == []


def test_whoever_reads_a_copy_may_look_and_nothing_else(file_database: Database) -> None:
    customer = a_customer(contacts=(a_contact(), a_contact(Role.ACCOUNT_MANAGER, email="us@dunwell.example")))
    harness = begun(file_database, customer)
    for step, when in (
        ("first-reminder", FIRST),
        ("second-reminder", "2027-03-16 09:00"),
        ("restrict", "2027-03-22 09:00"),
    ):
        harness.carry_out(step, when)
    with file_database.reading() as session:
        rows = link_store.of_customer(session, customer.customer_id)
        scopes = {str(row.contact_id).split(".")[1]: set(row.scopes) for row in rows if row.contact_id}
    assert scopes["account_manager"] == {"see"} and scopes["accounts_payable"] > {"see", "pay", "dispute"}


def test_without_a_secret_a_message_is_as_before(file_database: Database) -> None:
    harness = ServiceHarness(sample_deps(file_database))
    harness.open(an_invoice(customer=BY_MAIL, payment_url="https://pay.example/1"))
    harness.carry_out("first-reminder", FIRST)
    (row,) = harness.messages()
    assert "/i/" not in row.body and "name a date" not in row.body and 'class="button second"' not in str(row.html)
