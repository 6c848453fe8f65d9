"""Clerks' answers leave by the same claim as every message: to whoever wrote, once, never against the customer."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from dunwell.client.customers import Customers
from dunwell.domain.channels import Channel
from dunwell.domain.clerk_answer import ClerkAnswer, Phrase
from dunwell.domain.contact import Contact
from dunwell.domain.reply_terms import ReplyChannel, ReplyKind
from dunwell.domain.terms import Role
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.services.message_preview import preview_messages
from dunwell.services.request_models import StepAnswer
from dunwell.store import addresses, answers, conversations, invoice_documents
from dunwell.store.database import Database
from dunwell.store.tables import ReplyRow
from dunwell.texts.approved import ApprovedTexts
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps
from tests.gateways.fakes import FakeSendGrid, FakeTwilio
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid
from tests.services.test_whatsapp import by_whatsapp

WRITER = "acme.accounts_payable.1"
PHONE = "+34600123456"
WHEN, LATER = "2027-03-03 10:00", "2027-03-03 10:05"
NIGHT = "2027-03-03 03:00"
PDF = b"%PDF-1.7\n%%EOF"


def people(**changes: Any) -> tuple[Contact, ...]:
    return (
        a_contact(**{"phone": PHONE, "whatsapp_opt_in": "2027-01-15 order form"} | changes),
        a_contact(Role.USER, email="eve@acme.example"),
    )


def begin(
    harness: ServiceHarness,
    channel: Channel = Channel.EMAIL,
    contacts: tuple[Contact, ...] | None = None,
    **facts: Any,
) -> ClerkAnswer:
    """A case that owes an answer to one of its people."""
    harness.open(an_invoice(customer=a_customer(contacts=contacts or people(), language="es")))
    known: dict[str, Any] = {"answer_id": "answer-a", "reply_id": "r1", "invoice_id": "inv-1", "contact_id": WRITER}
    known |= {"channel": channel, "phrases": (Phrase.THANKS, Phrase.LOOK), "words": "Hasta pronto.", "asks": False}
    answer = ClerkAnswer.model_validate(known | facts)
    with harness.deps.database.writing("acme") as session:
        answers.add(session, answer, "acme", "user-a", at(WHEN))
    harness.case.outstanding.owed.append(answer.step)
    return answer


def a_reply(reply_id: str, received_at: datetime) -> ReplyRow:
    return ReplyRow(
        reply_id=reply_id,
        customer_id="acme",
        forwarded=False,
        channel=ReplyChannel.EMAIL,
        kind=ReplyKind.PERSON,
        why="its address is a contact's",
        verdicts={},
        proposals=[],
        received_at=received_at,
        **dict.fromkeys(("sender", "sender_key", "sender_name", "subject", "text", "whole"), ""),
    )


def send(harness: ServiceHarness, answer: ClerkAnswer, when: str = WHEN) -> StepAnswer:
    return harness.carry_out(answer.step, when)


def status(answer: StepAnswer) -> str:
    assert answer.outcome is not None
    return answer.outcome.status


def why_unsent(harness: ServiceHarness) -> str:
    """What the one task says, that tells a clerk of it."""
    (task,) = harness.tasks()
    assert task.outlives_case and task.contact_id == WRITER
    before, mark, after = task.reason.partition("did not reach them: ")
    assert (before, mark) == ("answer answer-a to reply r1 ", "did not reach them: ")
    return after.removesuffix(". Find another way")


def test_it_goes_to_whoever_wrote_in_their_thread(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.deps = replace(harness.deps, opt_out=OptOutLinks("https://dunning.example", ["a secret of some length"]))
    answer = begin(harness, subject="AW: RE: Factura", mail_id="<b@acme.example>", message_id="a")
    assert status(send(harness, answer)) == "done"
    (mail,) = sendgrid.mails
    assert [to["email"] for to in mail["personalizations"][0]["to"]] == ["accounts_payable1@acme.example"]
    assert mail["subject"] == "Re: Factura"
    assert mail["headers"]["In-Reply-To"] == "<b@acme.example>"
    assert mail["headers"]["References"] == "<a@dunwell.example> <b@acme.example>"
    assert "List-Unsubscribe" in mail["headers"]
    text = mail["content"][0]["value"]
    assert "Gracias por su mensaje sobre la factura 2027-001." in text and "Hasta pronto." in text
    (row,) = harness.messages(answer.step)
    assert (row.state, row.asks, row.contact_id) == ("accepted", False, WRITER)
    assert harness.case.outstanding.owed == []


def test_the_page_of_the_case_previews_it_to_its_writer(harness: ServiceHarness) -> None:
    answer = begin(harness)
    with harness.deps.database.reading() as session:
        (shown,) = preview_messages(session, harness.deps, harness.case, answer.step, at(WHEN), rehearsal=False)
    assert (shown.contact.contact_id, shown.channel) == (WRITER, Channel.EMAIL)
    assert "Hasta pronto." in shown.body


def test_no_header_is_made_of_what_is_no_id_of_a_mail(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    send(harness, begin(harness, mail_id="<b>\r\nBcc: eve@evil.example"))
    assert not {"In-Reply-To", "References", "Bcc"} & set(sendgrid.mails[0]["headers"])


def test_it_is_sent_once(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    answer = begin(harness)
    send(harness, answer)
    send(harness, answer, LATER)
    assert len(sendgrid.mails) == 1


@pytest.mark.parametrize(("asks", "states"), [(True, {}), (False, {"accounts_payable email": "delivered"})])
def test_what_asks_is_not_sent_once_the_money_came(
    harness: ServiceHarness, asks: bool, states: dict[str, str]
) -> None:
    answer = begin(harness, asks=asks)
    harness.pay("2027-03-03 09:30")
    harness.case.outstanding.owed.append(answer.step)
    send(harness, answer)
    assert harness.states(answer.step) == states
    if asks:
        assert why_unsent(harness).startswith("the money came meanwhile")


def test_who_opted_out_is_not_written_to_and_the_clerk_is_told(harness: ServiceHarness) -> None:
    answer = begin(harness)
    with harness.deps.database.writing("acme") as session:
        addresses.close(session, Channel.EMAIL, "accounts_payable1@acme.example", "opted out", at(WHEN))
    assert status(send(harness, answer)) == "done"
    assert harness.states(answer.step) == {}
    assert why_unsent(harness) == "their address for e-mail opted out"


def test_nobody_else_gets_it_when_the_writer_left(harness: ServiceHarness) -> None:
    answer = begin(harness, contact_id="acme.manager.9")
    send(harness, answer)
    assert harness.messages(answer.step) == []
    (task,) = harness.tasks()
    assert "acme.manager.9 is not written to any more" in task.reason


def test_by_sms_it_is_one_short_text(harness: ServiceHarness) -> None:
    answer = begin(harness, Channel.SMS)
    send(harness, answer)
    (row,) = harness.messages(answer.step)
    assert row.address == PHONE
    assert row.body.startswith("Dunwell Example Ltd: Gracias por su mensaje") and row.body.endswith(
        "Baja: responda STOP"
    )
    assert "\n" not in row.body


@pytest.mark.parametrize(("hours_ago", "sent"), [(2, True), (30, False)])
def test_whatsapp_takes_it_within_a_day_of_their_message(
    file_database: Database, twilio: FakeTwilio, hours_ago: int, sent: bool
) -> None:
    harness = ServiceHarness(sample_deps(file_database, whatsapp=by_whatsapp(twilio, ApprovedTexts({}))))
    answer = begin(harness, Channel.WHATSAPP)
    wrote = at(WHEN).replace(day=3 if sent else 2, hour=4)
    with file_database.writing("acme") as session:
        conversations.record_inbound(session, Channel.WHATSAPP, PHONE, wrote)
    send(harness, answer)
    if sent:
        assert "Gracias por su mensaje" in twilio.requests[-1].form["Body"]
    else:
        assert twilio.requests == []
        assert "takes no free text now" in why_unsent(harness)


def test_it_waits_for_decent_hours(harness: ServiceHarness) -> None:
    answer = begin(harness)
    told = send(harness, answer, NIGHT)
    assert status(told) == "delayed" and harness.messages(answer.step) == []
    assert told.next_action is not None and told.next_action.step == answer.step
    send(harness, answer, WHEN)
    assert harness.states(answer.step) == {"accounts_payable email": "delivered"}


def test_a_pause_holds_up_reminders_and_not_what_a_clerk_writes(harness: ServiceHarness) -> None:
    answer = begin(harness)
    told = harness.record("pause", "2027-03-03 09:30", reason="hardship", by="user-a")
    assert told.next_action is not None and told.next_action.step == answer.step
    assert status(send(harness, answer)) == "done"
    assert harness.states(answer.step) == {"accounts_payable email": "delivered"}
    assert harness.case.next_action is None


def test_so_does_a_pause_of_the_whole_customer(harness: ServiceHarness) -> None:
    answer = begin(harness)
    Customers(harness.deps).pause("acme", "hardship", "user-a")
    told = harness.record("pause", "2027-03-03 09:30", reason="hardship", by="user-a", scope="customer")
    assert told.next_action is not None and told.next_action.step == answer.step
    assert status(send(harness, answer)) == "done"
    assert harness.states(answer.step) == {"accounts_payable email": "delivered"}


def test_it_waits_while_another_reply_lies_unhandled(harness: ServiceHarness) -> None:
    """Whoever wrote it may not know what the customer has written since."""
    answer = begin(harness)
    with harness.deps.database.writing("acme") as session:
        session.add(a_reply("r2", at("2027-03-03 09:55")))
    told = send(harness, answer)
    assert status(told) == "delayed" and harness.messages(answer.step) == []
    with harness.deps.database.writing("acme") as session:
        session.get_one(ReplyRow, "r2").handled_at = at(LATER)
    send(harness, answer, LATER)
    assert harness.states(answer.step) == {"accounts_payable email": "delivered"}


def test_a_copy_of_the_invoice_goes_with_it(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    answer = begin(harness, phrases=(Phrase.COPY,))
    with harness.deps.database.writing("acme") as session:
        invoice_documents.put(session, "inv-1", "x.pdf", PDF)
    send(harness, answer)
    (mail,) = sendgrid.mails
    assert [one["filename"] for one in mail["attachments"]] == ["2027-001.pdf"]
    assert "Se adjunta la factura 2027-001" in mail["content"][0]["value"]


def test_what_came_back_is_told_to_the_clerk_and_sent_to_nobody_else(harness: ServiceHarness) -> None:
    answer = begin(harness, contacts=people(email="bounce@acme.example"))
    send(harness, answer)
    assert harness.states(answer.step) == {"accounts_payable email": "bounced"}
    assert why_unsent(harness).startswith("the message is bounced")


def test_what_comes_back_later_is_told_to_the_clerk(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    answer = begin(harness)
    send(harness, answer)
    (row,) = harness.messages(answer.step)
    for _ in range(2):
        harness.report(row, "bounced", LATER)
    assert why_unsent(harness) == "the message is bounced"
    assert harness.case.outstanding.again == [] and len(sendgrid.mails) == 1


def test_the_lost_row_of_an_answer_is_a_persons_work(harness: ServiceHarness) -> None:
    begin(harness)
    harness.case.outstanding.owed.append("@answer~gone")
    harness.attempt = 100
    told = harness.carry_out("@answer~gone", WHEN)
    assert status(told) == "failed"
    (task,) = harness.tasks()
    assert "answer 'gone' is not in the database" in task.reason


# After STOP ------------------------------------------------------------------------------------------------


def written(harness: ServiceHarness, when: str, channel: ReplyChannel = ReplyChannel.EMAIL) -> None:
    """What the answer answers came at that time."""
    row = a_reply("r1", at(when))
    row.channel, row.handled_at = channel, at(when)
    with harness.deps.database.writing("acme") as session:
        session.add(row)


def closed(harness: ServiceHarness, channel: Channel, address: str, why: str, when: str) -> None:
    with harness.deps.database.writing("acme") as session:
        addresses.close(session, channel, address, why, at(when))


MAILBOX = "accounts_payable1@acme.example"
BEFORE, AFTER = "2027-03-01 09:00", "2027-03-02 09:00"


@pytest.mark.parametrize(
    ("wrote", "why", "by", "leaves"),
    [
        pytest.param(AFTER, "stopped", ReplyChannel.EMAIL, True, id="a mail after the stop"),
        pytest.param(AFTER, "stopped", ReplyChannel.PAGE, True, id="typed on their page after the stop"),
        pytest.param("2027-03-01 18:00", "stopped", ReplyChannel.EMAIL, True, id="STOP and a question in one mail"),
        pytest.param(BEFORE, "stopped", ReplyChannel.EMAIL, False, id="before the stop"),
        pytest.param(AFTER, "stopped", ReplyChannel.SMS, False, id="by another channel"),
        pytest.param(AFTER, "complained", ReplyChannel.EMAIL, False, id="a complaint"),
        pytest.param(AFTER, "bounced", ReplyChannel.EMAIL, False, id="a bounce"),
    ],
)
def test_who_writes_after_they_stopped_our_mails_gets_an_answer(
    harness: ServiceHarness, wrote: str, why: str, by: ReplyChannel, leaves: bool
) -> None:
    answer = begin(harness)
    written(harness, wrote, by)
    closed(harness, Channel.EMAIL, MAILBOX, why, "2027-03-01 18:00")
    send(harness, answer)
    assert bool(harness.messages(answer.step)) == leaves
    if not leaves:
        assert why_unsent(harness) == f"their address for e-mail {why}"


def test_a_reminder_does_not_reach_who_got_an_answer_after_their_stop(harness: ServiceHarness) -> None:
    answer = begin(harness)
    written(harness, AFTER)
    closed(harness, Channel.EMAIL, MAILBOX, "stopped", BEFORE)
    send(harness, answer)
    harness.carry_out("first-reminder", "2027-03-10 10:00")
    assert [row.message for row in harness.messages() if row.address == MAILBOX] == ["clerk-answer"]


def test_after_stop_by_sms_nothing_leaves_there(harness: ServiceHarness) -> None:
    answer = begin(harness, Channel.SMS)
    written(harness, AFTER, ReplyChannel.SMS)
    closed(harness, Channel.SMS, PHONE, "stopped", BEFORE)
    send(harness, answer)
    assert harness.messages(answer.step) == []
    assert why_unsent(harness) == "their address for SMS stopped"
