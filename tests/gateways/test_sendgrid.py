import logging
from datetime import UTC, datetime

import pytest

from dunwell.domain.terms import MessageState
from dunwell.gateways import retry
from dunwell.gateways.base import DeliveryError, Receipt
from dunwell.gateways.sendgrid.client import SendGridGateway
from tests.gateways.fakes import HASTY, PATIENT, Answer, FakeSendGrid, an_envelope

KEY = "key-that-must-stay-secret"
SENDER = ("billing@dunwell.example", "Dunwell Billing")


def a_gateway(url: str, timeout: float = PATIENT) -> SendGridGateway:
    return SendGridGateway(KEY, SENDER, url, timeout=timeout)


def refused(gateway: SendGridGateway) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        gateway.send(an_envelope())
    return caught.value


def test_an_accepted_mail(sendgrid: FakeSendGrid) -> None:
    receipt = a_gateway(sendgrid.url).send(an_envelope())
    assert receipt == Receipt("sendgrid", "sg-1", MessageState.ACCEPTED)


def test_the_mail_as_sendgrid_gets_it(sendgrid: FakeSendGrid) -> None:
    envelope = an_envelope(
        html="<p>Invoice 7</p>",
        headers={"List-Unsubscribe": "<https://pay.example/u/1>", "Message-ID": "<1@dunwell.example>"},
    )
    a_gateway(sendgrid.url + "/").send(envelope)
    assert sendgrid.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert sendgrid.mails == [
        {
            "personalizations": [
                {
                    "to": [{"email": "ada@debtor.example", "name": "Ada Debtor"}],
                    "custom_args": {"message_id": "INV-7/first-reminder/c1/email"},
                }
            ],
            "from": {"email": "billing@dunwell.example", "name": "Dunwell Billing"},
            "subject": "Invoice 7 is open",
            "content": [  # SendGrid wants the plain text first
                {"type": "text/plain", "value": "Invoice 7 over 120.00 EUR is open."},
                {"type": "text/html", "value": "<p>Invoice 7</p>"},
            ],
            "headers": {"List-Unsubscribe": "<https://pay.example/u/1>", "Message-ID": "<1@dunwell.example>"},
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
            },
        }
    ]


def test_a_mail_of_text_alone_to_an_address_alone(sendgrid: FakeSendGrid) -> None:
    a_gateway(sendgrid.url).send(an_envelope(to_name=""))
    mail = sendgrid.mails[0]
    assert mail["personalizations"][0]["to"] == [{"email": "ada@debtor.example"}]
    assert [part["type"] for part in mail["content"]] == ["text/plain"]
    assert "headers" not in mail


@pytest.mark.parametrize(
    ("answer", "permanent", "maybe_sent", "closes"),
    [
        # This mail, or this address, is wrong: another try ends the same.
        (Answer(400, wrong="personalizations.0.to.0.email"), True, False, "bounced"),
        (Answer(400, wrong="subject"), True, False, None),
        (Answer(400, body=b"<html>"), True, False, None),
        (Answer(400, body=b'{"errors": ["?"]}'), True, False, None),
        (Answer(413), True, False, None),
        (Answer(422), True, False, None),  # a 4xx nobody told us about
        # Our own account, sender or address of the API: the debtor's address is innocent.
        (Answer(400, wrong="from.email"), False, False, None),
        (Answer(401), False, False, None),
        (Answer(403), False, False, None),
        (Answer(404), False, False, None),
        (Answer(405), False, False, None),
        (Answer(406), False, False, None),
        (Answer(415), False, False, None),
        (Answer(451), False, False, None),
        (Answer(302, headers={"Location": "/elsewhere"}), False, False, None),
        # Surely not taken, later perhaps.
        (Answer(408), False, False, None),
        (Answer(429), False, False, None),
        (Answer(500), False, False, None),
        (Answer(503), False, False, None),
        # Nobody knows.
        (Answer(502), False, True, None),
        (Answer(504, accepts=True), False, True, None),
        (Answer(524), False, True, None),
        (Answer(delay=60, accepts=True), False, True, None),
        (Answer(drop=True, accepts=True), False, True, None),
        (Answer(200, body=b"{}"), False, True, None),
    ],
    ids=lambda value: f"{value.status or ('drop' if value.drop else 'slow')}" if isinstance(value, Answer) else "",
)
def test_what_a_refusal_means(
    sendgrid: FakeSendGrid, answer: Answer, permanent: bool, maybe_sent: bool, closes: str | None
) -> None:
    sendgrid.next(answer)
    error = refused(a_gateway(sendgrid.url, HASTY if answer.delay else PATIENT))
    assert (error.permanent, error.maybe_sent, error.closes_address) == (permanent, maybe_sent, closes)
    assert len(sendgrid.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_broken_configuration_says_what_to_mend(sendgrid: FakeSendGrid, status: int) -> None:
    sendgrid.next(Answer(status))
    error = refused(a_gateway(sendgrid.url))
    assert error.code == str(status)
    assert any(name in error.reason for name in ("SENDGRID_API_KEY", "MAIL_FROM", "SENDGRID_API_URL"))


def test_nobody_listens(closed_url: str) -> None:
    error = refused(a_gateway(closed_url))
    assert not error.permanent
    assert not error.maybe_sent
    assert "ConnectionRefusedError" in error.reason


def test_a_redirect_does_not_carry_the_key_elsewhere(sendgrid: FakeSendGrid) -> None:
    with FakeSendGrid() as elsewhere:
        sendgrid.next(Answer(302, headers={"Location": elsewhere.url}))
        refused(a_gateway(sendgrid.url))
        assert elsewhere.requests == []


def test_a_proxy_is_not_asked_for_a_loopback_host(
    sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    monkeypatch.setenv("http_proxy", closed_url)
    assert a_gateway(sendgrid.url).send(an_envelope()).state is MessageState.ACCEPTED


@pytest.mark.parametrize("answer", [Answer(400, message="ada@debtor.example"), Answer(401), Answer(drop=True)])
def test_errors_and_logs_hold_neither_the_key_nor_the_debtor(
    sendgrid: FakeSendGrid, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    sendgrid.next(answer)
    error = refused(a_gateway(sendgrid.url, HASTY if answer.delay else PATIENT))
    assert error.__cause__ is None
    for secret in (KEY, "ada@debtor.example", "Ada Debtor"):
        assert secret not in f"{error!r} {error} {caplog.text}"


def test_a_lost_mail_is_not_claimed_to_be_nowhere(sendgrid: FakeSendGrid) -> None:
    gateway = a_gateway(sendgrid.url)
    assert not gateway.can_find
    with pytest.raises(DeliveryError) as caught:
        gateway.find(an_envelope(), datetime(2026, 3, 2, tzinfo=UTC))
    assert not caught.value.permanent
    assert not caught.value.maybe_sent


@pytest.mark.parametrize(
    ("key", "sender", "host", "named"),
    [
        (" ", SENDER, None, "SENDGRID_API_KEY"),
        (KEY, ("billing", ""), None, "MAIL_FROM"),
        (KEY, SENDER, "api.sendgrid.com", "SENDGRID_API_URL"),
    ],
)
def test_unusable_settings_are_named(key: str, sender: tuple[str, str], host: str | None, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SendGridGateway(key, sender, host)


# Addresses that SendGrid does not write to any more ------------------------------------------------------


def test_g13_the_suppression_lists_are_read_whole(sendgrid: FakeSendGrid) -> None:
    many = [f"gone{number}@x.example" for number in range(1001)]
    sendgrid.suppressed = {"bounces": many, "unsubscribes": ["stop@x.example"], "spam_reports": ["spam@x.example"]}
    found = dict(a_gateway(sendgrid.url).suppressed())
    assert found == dict.fromkeys(many, "bounced") | {"stop@x.example": "stopped", "spam@x.example": "complained"}


@pytest.fixture
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0))


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "SendGrid does not accept SENDGRID_API_KEY: check it"),
        (403, "give SENDGRID_API_KEY read access to suppressions"),
        (404, "check SENDGRID_API_URL"),
        (418, "check SENDGRID_API_URL"),
    ],
)
def test_g13_a_suppression_list_that_is_refused_is_no_empty_one(
    sendgrid: FakeSendGrid, status: int, remedy: str
) -> None:
    sendgrid.next(Answer(status))
    with pytest.raises(DeliveryError, match=rf"list of bounces cannot be read \(status {status}\): .*{remedy}"):
        list(a_gateway(sendgrid.url).suppressed())
    assert len(sendgrid.requests) == 1


@pytest.mark.usefixtures("brief_pauses")
@pytest.mark.parametrize("failure", [Answer(500), Answer(503), Answer(429), Answer(drop=True), Answer(502)])
def test_g13_a_suppression_list_that_fails_for_now_is_asked_for_again(
    sendgrid: FakeSendGrid, failure: Answer
) -> None:
    many = [f"gone{number}@x.example" for number in range(501)]
    sendgrid.suppressed = {"bounces": many}
    sendgrid.next(failure, Answer(), failure, failure)  # its second page fails twice
    assert [address for address, _ in a_gateway(sendgrid.url).suppressed()] == many


@pytest.mark.usefixtures("brief_pauses")
@pytest.mark.parametrize("failure", [Answer(503), Answer(drop=True)])
def test_g13_a_suppression_list_that_goes_on_failing_says_which_and_what_to_do(
    sendgrid: FakeSendGrid, failure: Answer
) -> None:
    sendgrid.next(Answer(), failure, failure, failure)
    with pytest.raises(
        DeliveryError, match=r"list of invalid_emails cannot be read \(.+\): .*repeat the command later"
    ):
        list(a_gateway(sendgrid.url).suppressed())
    assert len(sendgrid.requests) == 4


@pytest.mark.usefixtures("brief_pauses")
def test_g13_a_suppression_list_behind_a_wall_is_no_empty_one(closed_url: str) -> None:
    with pytest.raises(DeliveryError, match=r"list of bounces cannot be read \(ConnectionRefusedError\)"):
        list(a_gateway(closed_url).suppressed())
