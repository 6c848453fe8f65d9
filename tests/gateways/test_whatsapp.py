"""WhatsApp through Twilio: what is sent when, what is found again, and what its codes mean."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.twilio.client import closing
from dunwell.gateways.twilio.codes import MEANINGS
from dunwell.gateways.twilio.webhook import read_inbound, read_status
from dunwell.gateways.twilio.whatsapp import WhatsAppGateway
from dunwell.texts.approved import ApprovedTexts
from tests.gateways.fakes import PATIENT, Answer, FakeTwilio, an_envelope

TO = "+525512345678"
SID = "HX" + "a" * 32
WORDS = "Northwind: factura {{1}}, {{2}}. Baja: responda STOP"
TEXT = "Northwind: factura 7, $120.00. Baja: responda STOP"


def a_gateway(url: str, sender: str = "+14155238886", approved: ApprovedTexts | None = None) -> WhatsAppGateway:
    return WhatsAppGateway(
        "AC" + "a" * 32, "token", sender, url, approved=approved or ApprovedTexts({}), timeout=PATIENT
    )


def a_message(*, approved: bool = False) -> Envelope:
    more = {"approved_id": SID, "values": ("7", "$120.00")} if approved else {}
    return an_envelope(Channel.WHATSAPP, TO, text=TEXT, **more)


@pytest.mark.parametrize(
    ("sender", "field", "value"),
    [
        ("+14155238886", "From", "whatsapp:+14155238886"),
        ("whatsapp:+14155238886", "From", "whatsapp:+14155238886"),
        ("MG" + "b" * 32, "MessagingServiceSid", "MG" + "b" * 32),
    ],
)
def test_free_text_inside_the_window(twilio: FakeTwilio, sender: str, field: str, value: str) -> None:
    receipt = a_gateway(twilio.url, sender).send(a_message())
    assert receipt == Receipt("twilio", twilio.messages[0]["sid"], MessageState.ACCEPTED)
    assert twilio.requests[0].form == {"To": f"whatsapp:{TO}", "Body": TEXT, field: value}


def test_an_approved_text_outside_of_it(twilio: FakeTwilio) -> None:
    twilio.contents[SID] = WORDS
    a_gateway(twilio.url).send(a_message(approved=True))
    form = twilio.requests[0].form
    assert "Body" not in form
    assert form["ContentSid"] == SID
    assert json.loads(form["ContentVariables"]) == {"1": "7", "2": "$120.00"}
    assert twilio.messages[0]["body"] == TEXT


@pytest.mark.parametrize("approved", [False, True])
def test_a_message_whose_answer_got_lost_is_found_again(twilio: FakeTwilio, approved: bool) -> None:
    twilio.contents[SID] = WORDS
    gateway, before = a_gateway(twilio.url), datetime.now(UTC) - timedelta(minutes=1)
    twilio.next(Answer(drop=True, accepts=True))
    with pytest.raises(DeliveryError) as caught:
        gateway.send(a_message(approved=approved))
    assert caught.value.maybe_sent and "WhatsApp" in caught.value.reason
    found = gateway.find(a_message(approved=approved), before)
    assert found is not None and found.provider_id == twilio.messages[0]["sid"]
    assert gateway.find(an_envelope(Channel.WHATSAPP, TO, text="another"), before) is None


PERMANENT, RETRY = True, False


@pytest.mark.parametrize(
    ("code", "permanent", "closes"),
    [
        ("63003", PERMANENT, "bounced"),  # not on WhatsApp
        ("63024", PERMANENT, "bounced"),  # cannot receive
        ("63014", PERMANENT, "stopped"),  # blocked us
        ("21610", PERMANENT, "stopped"),  # said STOP
        ("63001", PERMANENT, None),
        ("63005", PERMANENT, None),
        ("63013", PERMANENT, None),
        ("63016", PERMANENT, None),  # outside the window
        ("63019", PERMANENT, None),
        ("63021", PERMANENT, None),
        ("63023", PERMANENT, None),
        ("63027", PERMANENT, None),  # templates
        ("63028", PERMANENT, None),
        ("63029", PERMANENT, None),
        ("63030", PERMANENT, None),
        ("63032", PERMANENT, None),
        ("63033", PERMANENT, None),
        ("63040", PERMANENT, None),
        ("63041", PERMANENT, None),
        ("63042", PERMANENT, None),
        ("63049", PERMANENT, None),
        ("63007", RETRY, None),  # our own sender and account
        ("63010", RETRY, None),
        ("63012", RETRY, None),
        ("63018", RETRY, None),
        ("63020", RETRY, None),
        ("63022", RETRY, None),
        ("63038", RETRY, None),
        ("63051", RETRY, None),
    ],
)
def test_what_a_code_means(twilio: FakeTwilio, code: str, permanent: bool, closes: str | None) -> None:
    twilio.next(Answer(400, int(code), message=f"{TO} is not good"))
    with pytest.raises(DeliveryError) as caught:
        a_gateway(twilio.url).send(a_message())
    error = caught.value
    assert (error.code, error.permanent, error.maybe_sent, error.closes_address) == (code, permanent, False, closes)
    assert TO not in error.reason and "WhatsApp" in error.reason
    assert closing(code) == closes


def test_every_code_of_whatsapp_is_in_the_table_above() -> None:
    marks = [mark for mark in test_what_a_code_means.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {code for code in MEANINGS if code.startswith("63")} <= {row[0] for row in marks[0].args[1]}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", MessageState.ACCEPTED),
        ("sent", MessageState.ACCEPTED),
        ("delivered", MessageState.DELIVERED),
        ("read", MessageState.DELIVERED),
        ("undelivered", MessageState.FAILED),
        ("failed", MessageState.FAILED),
    ],
)
def test_status_callbacks(word: str, state: MessageState) -> None:
    event = read_status({"MessageSid": "SM1", "MessageStatus": word, "To": f"whatsapp:{TO}", "ErrorCode": "63024"})
    assert event is not None
    assert (event.channel, event.address, event.state) == (Channel.WHATSAPP, TO, state)
    assert event.closes == ("bounced" if state is MessageState.FAILED else None)


@pytest.mark.parametrize(("text", "kind"), [("STOP", "stop"), ("start", "start"), ("Ya pagué", "reply")])
def test_what_people_write_back(text: str, kind: str) -> None:
    event = read_inbound({"MessageSid": "SM1", "From": f"whatsapp:{TO}", "Body": text})
    assert event is not None
    assert (event.channel, event.address, event.kind, event.text) == (Channel.WHATSAPP, TO, kind, text)


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("+5215512345678", "+525512345678"),  # Mexico, with the 1 of the older plan
        ("+525512345678", "+525512345678"),
        ("+551187654321", "+5511987654321"),  # Brazil, without the 9 of mobile numbers
        ("+5511987654321", "+5511987654321"),
        ("+551133334444", "+551133334444"),  # a landline
        ("+5491122223333", "+5491122223333"),
    ],
)
def test_people_are_known_by_the_number_of_today(sender: str, number: str) -> None:
    event = read_inbound({"MessageSid": "SM1", "From": f"whatsapp:{sender}", "Body": "STOP"})
    assert event is not None and event.address == number
    sms = read_inbound({"MessageSid": "SM1", "From": sender, "Body": "STOP"})
    assert sms is not None and sms.address == sender


def test_approved_texts_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "whatsapp.toml"
    assert ApprovedTexts.load(file).id_of("reminder-first", "es", WORDS) is None
    file.write_text(f'[[reminder-first.es]]\nsid = "{SID}"\ntext = "{WORDS}"\n', encoding="utf-8")
    gateway = a_gateway("http://127.0.0.1:1", approved=ApprovedTexts.load(file))
    assert gateway.approved_id("reminder-first", "es", WORDS.replace(" factura", "\u00a0factura")) == SID
    assert gateway.approved_id("reminder-first", "en", WORDS) is None
    assert gateway.approved_id("reminder-first", "es", WORDS + "!") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[[reminder-first.es]]\nsid = "HX..."\ntext = "x"', "reminder-first.es: 'HX...' is no ContentSid"),
        ('[[reminder-first.es]]\nsid = "HX1"', "reminder-first.es: each text has sid and text"),
        ('[reminder-first]\nes = "HX1"', "reminder-first: write [[reminder-first.es]]"),
        ("[[reminder-first.es]", "line 1"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "whatsapp.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        ApprovedTexts.load(file)
    assert said in str(caught.value)
