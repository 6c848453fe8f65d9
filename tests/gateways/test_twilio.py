import logging
from datetime import UTC, datetime, timedelta

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.twilio.client import TwilioGateway, closing
from tests.gateways.fakes import HASTY, PATIENT, Answer, FakeTwilio, an_envelope

ACCOUNT = "AC" + "a" * 32
TOKEN = "token-that-must-stay-secret"
TO = "+15551230001"
TEXT = "Invoice 7 over 120.00 EUR is open."
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_gateway(url: str, sender: str = "+15005550006", timeout: float = PATIENT) -> TwilioGateway:
    return TwilioGateway(ACCOUNT, TOKEN, sender, url, timeout=timeout)


def an_sms(**changes: str) -> Envelope:
    return an_envelope(Channel.SMS, **changes)


def refused(gateway: TwilioGateway) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        gateway.send(an_sms())
    return caught.value


@pytest.mark.parametrize(
    ("sender", "field"),
    [("+15005550006", "From"), ("12345", "From"), ("MG" + "b" * 32, "MessagingServiceSid")],
)
def test_an_accepted_sms(twilio: FakeTwilio, sender: str, field: str) -> None:
    receipt = a_gateway(twilio.url + "/", sender).send(an_sms())
    assert receipt == Receipt("twilio", twilio.messages[0]["sid"], MessageState.ACCEPTED)
    request = twilio.requests[0]
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert request.form == {"To": TO, "Body": TEXT, "SmartEncoded": "false", field: sender}


@pytest.mark.parametrize(
    ("status", "code", "state", "closes"),
    [
        ("accepted", None, MessageState.ACCEPTED, None),
        ("queued", None, MessageState.ACCEPTED, None),
        ("sending", None, MessageState.ACCEPTED, None),
        ("sent", None, MessageState.ACCEPTED, None),
        ("delivered", None, MessageState.DELIVERED, None),
        ("undelivered", 30003, MessageState.FAILED, None),
        ("undelivered", 30006, MessageState.FAILED, "bounced"),
        ("failed", 21610, MessageState.FAILED, "stopped"),
        ("failed", None, MessageState.FAILED, None),
        ("a-word-of-next-year", None, MessageState.ACCEPTED, None),  # taken, whatever it means
    ],
)
def test_twilios_words_in_ours(
    twilio: FakeTwilio, status: str, code: int | None, state: MessageState, closes: str | None
) -> None:
    twilio.status, twilio.error_code = status, code
    receipt = a_gateway(twilio.url).send(an_sms())
    assert (receipt.state, receipt.code, receipt.closes_address) == (state, code and str(code), closes)


@pytest.mark.parametrize(
    ("answer", "permanent", "maybe_sent", "closes"),
    [
        # The recipient said STOP.
        (Answer(400, 21610), True, False, "stopped"),
        # The number can never take an SMS.
        (Answer(400, 21211), True, False, "bounced"),
        (Answer(400, 21614), True, False, "bounced"),
        (Answer(400, 21635), True, False, "bounced"),
        (Answer(400, 30006), True, False, "bounced"),
        # Not this time or not from us; the number stays open.
        (Answer(400, 21612), True, False, None),
        (Answer(403, 21408), True, False, None),
        (Answer(400, 21608), True, False, None),
        (Answer(400, 30003), True, False, None),
        (Answer(400, 30005), True, False, None),
        (Answer(400, 21617), True, False, None),
        (Answer(400, 29999), True, False, None),  # unknown: safe default
        (Answer(400, body=b"<html>"), True, False, None),
        # Our own configuration.
        (Answer(401, 20003), False, False, None),
        (Answer(401), False, False, None),
        (Answer(403, 20005), False, False, None),
        (Answer(404, 20404), False, False, None),
        (Answer(400, 21606), False, False, None),
        (Answer(307, headers={"Location": "/elsewhere"}), False, False, None),
        # Surely not taken, later perhaps.
        (Answer(429, 20429), False, False, None),
        (Answer(429), False, False, None),
        (Answer(400, 21611), False, False, None),
        (Answer(500), False, False, None),
        (Answer(503, 20503), False, False, None),
        # Nobody knows.
        (Answer(502), False, True, None),
        (Answer(504, accepts=True), False, True, None),
        (Answer(delay=60, accepts=True), False, True, None),
        (Answer(drop=True, accepts=True), False, True, None),
        (Answer(201, body=b"{broken", accepts=True), False, True, None),
    ],
    ids=lambda v: f"{v.status or ('drop' if v.drop else 'slow')}-{v.code}" if isinstance(v, Answer) else "",
)
def test_what_a_refusal_means(
    twilio: FakeTwilio, answer: Answer, permanent: bool, maybe_sent: bool, closes: str | None
) -> None:
    twilio.next(answer)
    error = refused(a_gateway(twilio.url, timeout=HASTY if answer.delay else PATIENT))
    assert (error.permanent, error.maybe_sent, error.closes_address) == (permanent, maybe_sent, closes)
    assert len(twilio.requests) == 1


def test_an_error_in_the_newer_form_is_read_alike(twilio: FakeTwilio) -> None:
    problem = b'{"type": "https://x", "title": "Stopped", "status": 400, "code": 21610}'
    twilio.next(Answer(400, body=problem))
    error = refused(a_gateway(twilio.url))
    assert (error.code, error.closes_address) == ("21610", "stopped")


def test_nobody_listens(closed_url: str) -> None:
    error = refused(a_gateway(closed_url))
    assert not error.permanent
    assert not error.maybe_sent


@pytest.mark.parametrize("answer", [Answer(400, 21211, f"'To' {TO}"), Answer(401, 20003), Answer(drop=True)])
def test_errors_and_logs_hold_neither_the_token_nor_the_number(
    twilio: FakeTwilio, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.next(answer)
    error = refused(a_gateway(twilio.url, timeout=HASTY if answer.delay else PATIENT))
    assert error.__cause__ is None
    for secret in (TOKEN, TO, TO.removeprefix("+"), TEXT):
        assert secret not in f"{error!r} {error} {caplog.text}"


def test_a_region_of_the_process_environment_changes_nothing(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    assert a_gateway(twilio.url).send(an_sms()).state is MessageState.ACCEPTED


@pytest.mark.parametrize("lost", [Answer(delay=60, accepts=True), Answer(drop=True, accepts=True)])
def test_a_send_without_an_answer_is_found(twilio: FakeTwilio, lost: Answer) -> None:
    gateway = a_gateway(twilio.url, timeout=HASTY if lost.delay else PATIENT)
    since = datetime.now(UTC)
    twilio.next(lost)
    assert refused(gateway).maybe_sent
    assert gateway.find(an_sms(), since) == Receipt("twilio", twilio.messages[0]["sid"], MessageState.ACCEPTED)


def test_a_send_that_was_lost_on_the_way_is_not_there(twilio: FakeTwilio) -> None:
    gateway = a_gateway(twilio.url)
    twilio.next(Answer(drop=True))
    refused(gateway)
    assert gateway.find(an_sms(), NOON) is None


@pytest.mark.parametrize(
    ("to", "text", "created", "sent", "found"),
    [
        (TO, TEXT, NOON, NOON, True),
        (TO, TEXT, NOON, None, True),  # still queued: date_sent is null and the date filter hides it
        (TO, TEXT, NOON + timedelta(days=3), NOON + timedelta(days=3), True),
        (TO, TEXT, NOON - timedelta(seconds=1), NOON, True),  # whole seconds of another clock
        (TO, TEXT, NOON - timedelta(hours=1), NOON - timedelta(hours=1), False),  # the same day, but before
        (TO, TEXT, NOON - timedelta(days=30), None, False),
        (TO, "Invoice 8 is open.", NOON, NOON, False),
        (TO, TEXT + " Sorry.", NOON, NOON, False),
        ("+15551239999", TEXT, NOON, NOON, False),
        (TO, "Sent from your Twilio trial account - " + TEXT, NOON, NOON, True),
        (TO, TEXT + "\r\n", NOON, NOON, True),
    ],
)
def test_which_message_is_ours(
    twilio: FakeTwilio, *, to: str, text: str, created: datetime, sent: datetime | None, found: bool
) -> None:
    kept = twilio.keep(to, text, created, sent, "delivered")
    receipt = a_gateway(twilio.url).find(an_sms(), NOON)
    assert receipt == (Receipt("twilio", kept["sid"], MessageState.DELIVERED) if found else None)


def test_every_page_is_read_before_not_there_is_said(twilio: FakeTwilio) -> None:
    twilio.page_size = 2
    kept = twilio.keep(TO, TEXT, NOON, None)
    for number in range(5):
        twilio.keep(TO, f"Another message {number}", NOON, NOON)
    receipt = a_gateway(twilio.url).find(an_sms(), NOON)
    assert receipt is not None
    assert receipt.provider_id == kept["sid"]


def test_a_list_that_points_at_itself_comes_to_an_end(twilio: FakeTwilio) -> None:
    page = b'{"messages": [], "next_page_uri": "/2010-04-01/Accounts/AC1/Messages.json?Page=1"}'
    twilio.next(*[Answer(200, body=page)] * 9)
    assert a_gateway(twilio.url).find(an_sms(), NOON) is None


@pytest.mark.parametrize(
    "answer",
    [Answer(500), Answer(401, 20003), Answer(400, 21211), Answer(drop=True), Answer(200, body=b"{broken")],
)
def test_a_lookup_without_an_answer_never_says_not_there(
    twilio: FakeTwilio, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.next(answer)
    with pytest.raises(DeliveryError) as caught:
        a_gateway(twilio.url).find(an_sms(), NOON)
    error = caught.value
    assert not error.permanent
    assert not error.maybe_sent
    assert error.__cause__ is None
    assert TO.removeprefix("+") not in f"{error!r} {error} {caplog.text}"


def test_a_lookup_among_redacted_messages_cannot_tell(twilio: FakeTwilio) -> None:
    twilio.keep(TO, "", NOON, NOON)
    with pytest.raises(DeliveryError, match="turn off message redaction"):
        a_gateway(twilio.url).find(an_sms(), NOON)


@pytest.mark.parametrize(
    ("code", "closes"),
    [("21610", "stopped"), ("30006", "bounced"), ("30003", None), ("1", None), (None, None)],
)
def test_which_codes_close_a_number(code: str | None, closes: str | None) -> None:
    assert closing(code) == closes


@pytest.mark.parametrize(
    ("sid", "token", "sender", "url", "named"),
    [
        ("", TOKEN, "+1", None, "TWILIO_ACCOUNT_SID"),
        (ACCOUNT, "", "+1", None, "TWILIO_AUTH_TOKEN"),
        (ACCOUNT, TOKEN, " ", None, "TWILIO_FROM"),
        (ACCOUNT, TOKEN, "+1", "api.twilio.com", "TWILIO_API_URL"),
    ],
)
def test_unusable_settings_are_named(sid: str, token: str, sender: str, url: str | None, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        TwilioGateway(sid, token, sender, url)
