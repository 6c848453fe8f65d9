"""Twilio's callbacks, and what people write back."""

from datetime import date, timedelta
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import for_rehearsal
from tests.builders import a_contact, a_customer, an_invoice
from tests.web.conftest import CUSTOMER, PHONE, SENT, Site


def text_message(site: Site, **changes: Any) -> None:
    site.case()
    site.message(channel=Channel.SMS, provider_id="SM9", **changes)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("status", {"MessageSid": "SM9", "MessageStatus": "failed", "ErrorCode": "30006"}),
        ("inbound", {"MessageSid": "SM1", "From": PHONE, "Body": "STOP"}),
    ],
)
@pytest.mark.parametrize("how", [{"signed": False}, {"token": "another"}])
async def test_what_twilio_did_not_sign_is_refused(
    site: Site, path: str, fields: dict[str, str], how: dict[str, Any]
) -> None:
    text_message(site)
    answer = await site.twilio(path, fields, **how)
    assert answer.status_code == 403
    assert answer.json()["reason"]
    assert (site.events(), site.row().state, site.closed(Channel.SMS)) == ([], "accepted", None)


@pytest.mark.parametrize(
    ("fields", "state", "closed", "woken"),
    [
        ({"MessageStatus": "queued"}, "accepted", None, 0),
        ({"MessageStatus": "sent"}, "accepted", None, 0),
        ({"MessageStatus": "delivered"}, "delivered", None, 0),
        ({"MessageStatus": "undelivered", "ErrorCode": "30003"}, "failed", None, 1),  # the phone was off
        ({"MessageStatus": "undelivered", "ErrorCode": "30006"}, "failed", "bounced", 1),  # a landline
        ({"MessageStatus": "failed", "ErrorCode": "21610"}, "failed", "stopped", 1),  # said STOP
        ({"MessageStatus": "failed", "ErrorCode": "x; drop"}, "failed", None, 1),
        ({"MessageStatus": "failed"}, "failed", None, 1),
        ({"MessageStatus": "a-new-word"}, "accepted", None, 0),
        ({}, "accepted", None, 0),
        ({"MessageStatus": "delivered", "MessageSid": "SM404"}, "accepted", None, 0),
        ({"MessageStatus": "delivered", "MessageSid": "../../etc"}, "accepted", None, 0),
    ],
)
async def test_what_a_status_does(
    site: Site, fields: dict[str, str], state: str, closed: str | None, woken: int
) -> None:
    text_message(site)
    answer = await site.twilio("status", {"MessageSid": "SM9", "To": PHONE} | fields)
    assert answer.status_code == 204
    await site.bring()
    assert (site.row().state, site.closed(Channel.SMS)) == (state, closed)
    assert len(site.temporal.signals) == woken


async def test_a_status_that_overtakes_its_own_message_waits_for_it(each_site: Site) -> None:
    site = each_site
    text_message(site, state="claimed")
    await site.status("SM77", "undelivered", "30003")
    assert await site.bring() == 0
    assert site.events()[0].done_at is None
    with site.database.writing() as session:
        session.merge(site.row()).provider_id = "SM77"  # the sender has written down Twilio's answer
    assert await site.bring() == 1
    assert (site.row().state, len(site.temporal.signals)) == ("failed", 1)


async def test_a_status_of_somebody_elses_message_is_forgotten_after_a_day(site: Site) -> None:
    await site.status("SM404", "delivered")
    received = site.events()[0].received_at
    assert site.service.inbox.waiting(received + timedelta(hours=23)) == []
    assert site.events()[0].done_at is None
    assert site.service.inbox.waiting(received + timedelta(hours=25)) == []
    assert site.events()[0].done_at is not None


# What people write back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        *[
            (word, "stopped")
            for word in ("stop", "stopall", "quit", "end", "revoke", "optout", "cancel", "unsubscribe")
        ],
        ("STOP", "stopped"),
        ("Arrêt", "stopped"),
        ("ARRET", "stopped"),
        ("DÉSINSCRIPTION", "stopped"),
        (" Stop! ", "stopped"),
        ("'STOP'.", "stopped"),
        ("Opt-Out", "stopped"),
        ("Abmelden", "stopped"),  # every language of the messages has words, by every channel
        ("BAJA", "stopped"),
        ("Me desabonner", "stopped"),
        ("Disiscrizione", "stopped"),
        ("Descadastrar.", "stopped"),
        ("ОТПИСАТЬСЯ", "stopped"),
        ("отпишете ме", "stopped"),
        ("Berhenti", "stopped"),
        ("Abmelden kann ich mich nicht", None),
        ("baja el importe", None),
        ("opt  out", "stopped"),
        ("ＳＴＯＰ", "stopped"),  # a keyboard with wide letters
        ("stop it, I have paid", None),  # a sentence is for a person to read
        ("please", None),
        ("", None),
    ],
)
async def test_which_words_close_a_number(site: Site, text: str, closed: str | None) -> None:
    site.case()
    answer = await site.sms(text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.text.endswith("<Response></Response>")
    assert site.closed(Channel.SMS) == closed
    assert (site.kinds(), len(site.replies())) == ((["opted_out"], 0) if closed else ([], 1))


async def test_b7_a_reply_is_never_put_on_a_rehearsal(site: Site) -> None:
    site.case()
    played = for_rehearsal(an_invoice(invoice_id="played", customer=CUSTOMER, issued_on=date(2027, 2, 28)))
    site.case(played, rehearsal=True)
    await site.sms("I paid on Friday")
    await site.bring()
    assert [workflow for workflow, *_ in site.temporal.signals] == ["invoice-inv-1"]


async def test_stop_counts_for_every_invoice_and_every_customer_of_the_number(each_site: Site) -> None:
    site = each_site
    accountant = a_customer(
        customer_id="beta", contacts=(a_contact(contact_id="beta.accounts_payable.1", phone=PHONE),)
    )
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    site.case(an_invoice(invoice_id="inv-3", customer=accountant))
    await site.sms("STOP")
    assert [site.kinds(one) for one in ("inv-1", "inv-2", "inv-3")] == [["opted_out"]] * 3
    assert PHONE not in str(site.entries())
    assert site.temporal.signals == []  # the next step finds the number closed


@pytest.mark.parametrize("word", ["START", "unstop", "Yes!"])
async def test_start_opens_the_number_again(site: Site, word: str) -> None:
    site.case()
    await site.sms("STOP", "SM1")
    await site.sms(word, "SM2")
    await site.sms("STOP", "SM1")  # told again, late
    assert site.closed(Channel.SMS) is None
    assert site.kinds() == ["opted_out", "opted_in"]


async def test_yes_to_a_question_is_read_by_a_person(site: Site) -> None:
    site.case()
    await site.sms("Yes")
    assert [reply.text for reply in site.replies()] == ["Yes"]


async def test_twilios_own_judgement_counts(site: Site) -> None:
    site.case()
    await site.sms("ARRET", OptOutType="STOP")
    assert site.closed(Channel.SMS) == "stopped"


async def test_stop_outranks_a_landline_code(site: Site) -> None:
    text_message(site)
    await site.status("SM9", "undelivered", "30006")
    await site.sms("STOP")
    assert site.closed(Channel.SMS) == "stopped"


async def test_a_reply_is_kept_once_and_every_open_case_is_told(each_site: Site) -> None:
    site = each_site
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER, issued_on=an_invoice().due_on))
    site.case(an_invoice(invoice_id="inv-3", customer=CUSTOMER, issued_on=SENT.date()), ended="paid")
    await site.sms("We paid\r\nyesterday \x00 \U0001f642", "SM5")
    await site.sms("We paid\r\nyesterday \x00 \U0001f642", "SM5")
    (reply,) = site.replies()
    assert (reply.text, reply.contact_id, reply.channel, reply.kind, reply.found_by) == (
        "We paid\nyesterday  \U0001f642",
        "acme.accounts_payable.1",
        "sms",
        "person",
        "address",
    )
    assert (site.resting(), site.tasks(), site.notes("inv-2")) == ([reply.reply_id], [], [])
    assert await site.bring() == 1
    assert await site.bring() == 0
    told = {workflow: content for workflow, name, content in site.temporal.signals if name == "reply_received"}
    assert set(told) == {"invoice-inv-1", "invoice-inv-2"}
    assert {content["reply_id"] for content in told.values()} == {reply.reply_id}
    assert "yesterday" not in str(told) + str(site.events()[0].body)
    assert PHONE not in str(told) + str(site.events()[0].body)


async def test_a_photograph_without_a_word_is_a_reply(site: Site) -> None:
    site.case()
    await site.sms("", From=f"whatsapp:{PHONE}", NumMedia="1")
    assert [one.text for one in site.replies()] == ["[1 of their files are at Twilio: see its message log]"]
    assert len(site.resting()) == 1


async def test_a_reply_about_no_open_case_is_kept_and_shown(site: Site) -> None:
    site.case(ended="paid")
    await site.sms("Thank you")
    assert [(one.customer_id, one.kind) for one in site.replies()] == [("acme", "person")]
    assert await site.bring() == 0


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"From": "+15550001111", "Body": "hello"}, id="an unknown number"),
        pytest.param({"From": "anonymous", "Body": "STOP"}, id="no number"),
        pytest.param({"Body": "STOP"}, id="no sender"),
    ],
)
async def test_an_sms_from_nobody_harms_nothing(site: Site, fields: dict[str, str]) -> None:
    site.case()
    assert (await site.twilio("inbound", {"MessageSid": "SM1"} | fields)).status_code == 200
    assert (site.kinds(), site.tasks(), site.resting()) == ([], [], [])
    assert {one.kind for one in site.replies()} <= {"unknown"}


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join(b"a=1" for _ in range(600)), b"x" * 2_000_000])
async def test_a_body_that_is_no_form_is_refused(site: Site, body: bytes) -> None:
    for path in ("status", "inbound"):
        answer = await site.http.post(f"/webhooks/twilio/{path}", content=body)
        assert 400 <= answer.status_code < 500


# WhatsApp ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "state"), [("delivered", "delivered"), ("read", "delivered"), ("failed", "failed")])
async def test_what_became_of_a_whatsapp_message(each_site: Site, word: str, state: str) -> None:
    site = each_site
    site.case()
    site.message(channel=Channel.WHATSAPP, address=PHONE, provider_id="SM9")
    fields = {"MessageSid": "SM9", "MessageStatus": word, "To": f"whatsapp:{PHONE}", "ErrorCode": "63024"}
    assert (await site.twilio("status", fields)).status_code == 204
    assert site.row().state == state
    # A number that is not on WhatsApp is closed there, and open for SMS.
    closed = "bounced" if state == "failed" else None
    assert (site.closed(Channel.WHATSAPP, PHONE), site.closed(Channel.SMS, PHONE)) == (closed, None)


async def test_stop_by_whatsapp_closes_sms_too_and_start_opens_both(each_site: Site) -> None:
    site = each_site
    site.case()
    both = (Channel.WHATSAPP, Channel.SMS)
    await site.sms("STOP", "SM1", From=f"whatsapp:{PHONE}")
    assert [site.closed(channel, PHONE) for channel in both] == ["stopped", "stopped"]
    await site.sms("START", "SM2")
    assert [site.closed(channel, PHONE) for channel in both] == [None, None]
