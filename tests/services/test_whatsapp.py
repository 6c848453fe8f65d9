"""WhatsApp beside the other channels: consent, approved texts, the day after an answer, STOP, and proof."""

from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.terms import Role
from dunwell.gateways.twilio.whatsapp import WhatsAppGateway
from dunwell.services.event_inbox import Inbox
from dunwell.store import addresses, conversations, outbox, replies
from dunwell.store.database import Database
from dunwell.texts.approved import ApprovedTexts
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps
from tests.gateways.fakes import PATIENT, Answer, FakeTwilio
from tests.services.conftest import ServiceHarness

PHONE = "+525512345678"
OLD_PHONE = "+5215512345678"  # the same number as WhatsApp may report it
AGREED = "2027-01-15 order form"
FIRST = "2027-03-02 10:00"
SID = "HX" + "1" * 32

LADDER = a_ladder("""
name = "chatting"
version = 1

[[step]]
id = "first"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["whatsapp", "sms", "email"]
message = "reminder-first"
""")


def a_person(**changes: Any) -> Contact:
    return a_contact(Role.ACCOUNTS_PAYABLE, **{"phone": PHONE, "whatsapp_opt_in": AGREED} | changes)


def begin(harness: ServiceHarness, contact: Contact, **facts: Any) -> None:
    customer = a_customer(contacts=(contact,), language="es", **facts)
    harness.open(an_invoice(customer=customer, payment_url="https://pay.example/1"), ladder=LADDER)


def by_whatsapp(provider: FakeTwilio, approved: ApprovedTexts) -> WhatsAppGateway:
    return WhatsAppGateway("AC1", "token", "+14155238886", provider.url, approved=approved, timeout=PATIENT)


def usual_text(harness: ServiceHarness) -> ApprovedTexts:
    """The text of the first reminder, as the command prints it, is approved."""
    from dunwell.commands.approval import submissions
    from dunwell.settings import Settings

    found = submissions(harness.deps.catalogue, ["es"], ApprovedTexts({}), Settings())
    one = next(one for one in found if one.message == "reminder-first" and not one.when)
    return ApprovedTexts({("reminder-first", "es", one.text.words): SID})


def harnesses(database: Database, twilio: FakeTwilio, *, approved: bool = True) -> ServiceHarness:
    harness = ServiceHarness(sample_deps(database))
    texts = usual_text(harness) if approved else ApprovedTexts({})
    twilio.contents = {sid: words for (_, _, words), sid in texts.ids.items()}
    return ServiceHarness(sample_deps(database, whatsapp=by_whatsapp(twilio, texts)))


def test_who_agreed_is_written_to_by_whatsapp(harness: ServiceHarness) -> None:
    begin(harness, a_person())
    harness.carry_out("first", FIRST)
    assert harness.states() == {"accounts_payable whatsapp": "delivered"}


def test_nothing_is_sent_without_consent_and_the_timeline_says_why(harness: ServiceHarness) -> None:
    begin(harness, a_person(whatsapp_opt_in=None))
    harness.carry_out("first", FIRST)
    assert harness.states() == {"accounts_payable sms": "delivered"}
    assert [entry.reason for entry in harness.entries("withheld")] == [
        "acme.accounts_payable.1 is not written to by whatsapp: no consent of theirs is known"
    ]


def test_outside_of_the_window_the_approved_text_leaves(file_database: Database, twilio: FakeTwilio) -> None:
    harness = harnesses(file_database, twilio)
    begin(harness, a_person())
    harness.carry_out("first", FIRST)
    form = twilio.requests[-1].form
    assert (form["ContentSid"], form["To"]) == (SID, f"whatsapp:{PHONE}") and "Body" not in form
    (row,) = harness.messages()
    assert row.body == twilio.messages[0]["body"]
    assert "2027-001" in row.body and "https://pay.example/1" in row.body and "{{" not in row.body


def test_what_is_not_approved_goes_by_the_next_channel(file_database: Database, twilio: FakeTwilio) -> None:
    harness = harnesses(file_database, twilio, approved=False)
    begin(harness, a_person())
    harness.carry_out("first", FIRST)
    assert (harness.states(), twilio.requests) == ({"accounts_payable sms": "delivered"}, [])
    (entry,) = harness.entries("withheld")
    assert entry.reason == (
        "acme.accounts_payable.1 is not written to by whatsapp: reminder-first has no approved text in es for this "
        "case, and they have not written by WhatsApp within a day"
    )


@pytest.mark.parametrize(("hours_ago", "free"), [(1, True), (23, True), (24, False)])
def test_an_answer_opens_the_window_for_a_day(
    file_database: Database, twilio: FakeTwilio, hours_ago: int, free: bool
) -> None:
    harness = harnesses(file_database, twilio)
    begin(harness, a_person())
    with file_database.writing() as session:
        heard = at(FIRST).replace(hour=10) - at(FIRST).resolution * 3600 * 10**6 * hours_ago
        conversations.record_inbound(session, Channel.WHATSAPP, PHONE, heard)
    harness.carry_out("first", FIRST)
    assert ("Body" in twilio.requests[-1].form, "ContentSid" in twilio.requests[-1].form) == (free, not free)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.WHATSAPP])
def test_stop_by_either_closes_both_and_start_opens_both(file_database: Database, channel: Channel) -> None:
    with file_database.writing() as session:
        addresses.close(session, channel, PHONE, "stopped", at(FIRST))
        both = {one: addresses.why_closed(session, one, PHONE) for one in (Channel.SMS, Channel.WHATSAPP)}
        assert both == {Channel.SMS: "stopped", Channel.WHATSAPP: "stopped"}
        assert addresses.why_closed(session, Channel.CALL, PHONE) is None
        assert addresses.reopen(session, channel, PHONE)
        assert not any(addresses.why_closed(session, one, PHONE) for one in both)


def test_a_number_that_is_not_on_whatsapp_stays_open_for_sms(file_database: Database, twilio: FakeTwilio) -> None:
    harness = harnesses(file_database, twilio)
    twilio.next(Answer(400, 63003))
    begin(harness, a_person())
    harness.carry_out("first", FIRST)
    assert harness.states() == {"accounts_payable whatsapp": "failed", "accounts_payable sms": "delivered"}


def test_what_was_delivered_proves_a_warning(harness: ServiceHarness) -> None:
    begin(harness, a_person())
    harness.carry_out("first", FIRST)
    with harness.deps.database.reading() as session:
        assert [row.channel for _, row in outbox.delivered_warnings(session, "inv-1")] == ["whatsapp"]


def test_an_answer_is_kept_read_and_opens_the_window(database: Database, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from dunwell.gateways.twilio.webhook import read_inbound

    harness = ServiceHarness(sample_deps(database))
    begin(harness, a_person())
    now = datetime.now(UTC)
    event = read_inbound({"MessageSid": "SM7", "From": f"whatsapp:{OLD_PHONE}", "Body": "Ya pagué"})
    assert event is not None
    Inbox(database).take("twilio", [event], now)
    with database.reading() as session:
        assert conversations.is_free(session, Channel.WHATSAPP, PHONE, now)
        assert [(one.channel, one.text) for one in replies.open_for(session, "acme")] == [("whatsapp", "Ya pagué")]
