"""Lob: what a letter is sent with, how addresses are read, what a refusal means; nothing is printed twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.gateways.base import Attachment, DeliveryError, Envelope
from dunwell.gateways.lob.client import LobGateway, address, refusal
from dunwell.gateways.lob.webhook import read
from tests.gateways.fakes import HASTY, PATIENT, Answer, FakeLob, an_envelope

SENDER = ("Looms Ltd", "4 Mill Lane", "Springfield, IL 62701")
POST = "1 Main St\nSuite 5\nSan Francisco, CA 94107"
NOW = datetime(2027, 3, 2, 9, tzinfo=UTC)


def a_letter(to: str = POST, **changes: Any) -> Envelope:
    file = Attachment("letter.pdf", "application/pdf", b"%PDF-1.7 a letter")
    usual = {"message_id": "m1", "company": "Acme Inc", "country": "US", "attachments": (file,)}
    return an_envelope(Channel.LETTER, to, **usual | changes)


def by_lob(lob: FakeLob, timeout: float = PATIENT) -> LobGateway:
    return LobGateway("test_key", SENDER, lob.url, timeout=timeout)


def test_a_letter_goes_with_both_addresses_and_its_pdf(lob: FakeLob) -> None:
    receipt = by_lob(lob).send(a_letter())
    (letter,) = lob.letters.values()
    assert (receipt.state, receipt.provider_id, letter["size"]) == ("accepted", "ltr_1", 17)
    assert letter["fields"] == {
        "to[name]": "Ada Debtor",
        "to[company]": "Acme Inc",
        "to[address_line1]": "1 Main St",
        "to[address_line2]": "Suite 5",
        "to[address_city]": "San Francisco",
        "to[address_state]": "CA",
        "to[address_zip]": "94107",
        "to[address_country]": "US",
        "from[name]": "Looms Ltd",
        "from[address_line1]": "4 Mill Lane",
        "from[address_city]": "Springfield",
        "from[address_state]": "IL",
        "from[address_zip]": "62701",
        "from[address_country]": "US",
        "metadata[message_id]": "m1",  # the only thing that names the message there
        "color": "false",
        "double_sided": "true",
        "address_placement": "top_first_page",
        "use_type": "operational",
    }
    (request,) = lob.requests
    assert request.headers["authorization"] == "Basic dGVzdF9rZXk6"
    assert request.headers["idempotency-key"] == "m1"


@pytest.mark.parametrize(
    ("lines", "country", "place"),
    [
        pytest.param(
            "1 Main St\nSpringfield IL 62701-1234", "US", ("1 Main St", "", "Springfield", "US"), id="no comma"
        ),
        pytest.param(
            "Ada\nAcme\n1 Main St\nSpringfield, il 62701",
            "US",
            ("1 Main St", "", "Springfield", "US"),
            id="names again",
        ),
        pytest.param(
            "1 Main St\nSpringfield, IL 62701\nUnited States",
            "US",
            ("1 Main St", "", "Springfield", "US"),
            id="country line",
        ),
        pytest.param("Werkstr. 12\n10115 Berlin", "DE", ("Werkstr. 12", "", "10115 Berlin", "DE"), id="abroad"),
        pytest.param(
            "Werkstr. 12\nHof 2\n10115 Berlin\nGermany",
            "DE",
            ("Werkstr. 12", "Hof 2", "10115 Berlin", "DE"),
            id="abroad, country line",
        ),
        pytest.param(
            "4 Mill Lane\nLeeds LS1 1AA\nUnited Kingdom",
            None,
            ("4 Mill Lane", "", "Leeds LS1 1AA", "GB"),
            id="ours, abroad",
        ),
        pytest.param(
            "4 Mill Lane\nSpringfield, IL 62701", None, ("4 Mill Lane", "", "Springfield", "US"), id="ours, at home"
        ),
    ],
)
def test_an_address_is_read_line_by_line(lines: str, country: str | None, place: tuple[str, ...]) -> None:
    found = address("Ada", "Acme", lines.splitlines(), country)
    keys = ("address_line1", "address_line2", "address_city", "address_country")
    assert tuple(found.get(key, "") for key in keys) == place


@pytest.mark.parametrize(
    ("lines", "country"),
    [
        ("1 Main St", "US"),
        ("1 Main St\nSpringfield", "US"),
        ("x" * 65 + "\nSpringfield, IL 62701", "US"),
        ("Berlin", "DE"),
    ],
    ids=["one line", "no ZIP", "long line", "abroad, one line"],
)
def test_an_address_that_is_incomplete_is_refused_before_anything_leaves(
    lob: FakeLob, lines: str, country: str
) -> None:
    with pytest.raises(DeliveryError, match="postal address") as caught:
        by_lob(lob).send(a_letter(lines, country=country))
    assert (caught.value.permanent, caught.value.closes_address, lob.requests) == (True, None, [])


def test_our_own_address_is_looked_at_when_the_gateway_is_made() -> None:
    with pytest.raises(ValueError, match="SENDER_ADDRESS"):
        LobGateway("key", ("Looms Ltd", "Mill Lane 4", "10117 Berlin"))
    with pytest.raises(ValueError, match="LOB_API_KEY"):
        LobGateway(" ", SENDER)


PERMANENT, PASSING, UNKNOWN = "permanent", "passing", "unknown"


@pytest.mark.parametrize(
    ("answer", "kind", "closes"),
    [
        pytest.param(Answer(422, wrong="invalid"), PERMANENT, None, id="not valid"),
        pytest.param(Answer(422, wrong="failed_deliverability_strictness"), PERMANENT, "bounced", id="nobody there"),
        pytest.param(
            Answer(422, wrong="invalid", message="from.address_zip is bad"), PASSING, None, id="our address"
        ),
        pytest.param(Answer(400, body=b"<html>"), PERMANENT, None, id="no JSON"),
        pytest.param(Answer(401), PASSING, None, id="key"),
        pytest.param(Answer(403), PASSING, None, id="account"),
        pytest.param(Answer(404), PASSING, None, id="address of the API"),
        pytest.param(Answer(302, headers={"Location": "http://x.example"}), PASSING, None, id="redirect"),
        pytest.param(Answer(429, wrong="rate_limit_exceeded"), PASSING, None, id="too fast"),
        pytest.param(Answer(409), UNKNOWN, None, id="the same key at work"),
        pytest.param(Answer(500), UNKNOWN, None, id="server error"),
        pytest.param(Answer(502, body=b""), UNKNOWN, None, id="in between"),
        pytest.param(Answer(200, body=b"[]"), UNKNOWN, None, id="no letter in the answer"),
        pytest.param(Answer(drop=True), UNKNOWN, None, id="line closed"),
        pytest.param(Answer(delay=60), UNKNOWN, None, id="too slow"),
    ],
)
def test_what_an_answer_means(lob: FakeLob, answer: Answer, kind: str, closes: str | None) -> None:
    lob.next(answer)
    with pytest.raises(DeliveryError) as caught:
        by_lob(lob, timeout=HASTY if answer.delay else PATIENT).send(a_letter())
    found = PERMANENT if caught.value.permanent else UNKNOWN if caught.value.maybe_sent else PASSING
    assert (found, caught.value.closes_address) == (kind, closes)
    assert "Main St" not in caught.value.reason


def test_a_lob_that_refuses_connections_is_tried_again(closed_url: str) -> None:
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        LobGateway("key", SENDER, closed_url).send(a_letter())
    assert not caught.value.maybe_sent


def test_a_reason_tells_no_word_of_lobs() -> None:
    assert "Main" not in refusal(422, "x").reason


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
def test_a_letter_whose_answer_was_lost_is_found_by_its_message_id(lob: FakeLob, taken: bool) -> None:
    lob.next(Answer(drop=True, accepts=taken))
    gateway = by_lob(lob)
    with pytest.raises(DeliveryError):
        gateway.send(a_letter())
    gateway.send(a_letter(message_id="m2"))
    found = gateway.find(a_letter(), NOW)
    assert (found is not None and found.provider_id == "ltr_1") == taken
    lob.filters = False  # another debtor's letter is never ours
    assert (gateway.find(a_letter(), NOW) is not None) == taken


def test_the_same_letter_sent_again_is_printed_once(lob: FakeLob) -> None:
    receipts = [by_lob(lob).send(a_letter()) for _ in range(2)]
    assert [one.provider_id for one in receipts] == ["ltr_1", "ltr_1"]


def test_a_letter_that_lob_gave_up_is_failed(lob: FakeLob) -> None:
    lob.status = "rejected"
    assert by_lob(lob).send(a_letter()).state == "failed"


@pytest.mark.parametrize("answer", [Answer(500), Answer(401), Answer(drop=True), Answer(200, body=b"{}")])
def test_a_lob_that_cannot_be_asked_says_nothing(lob: FakeLob, answer: Answer) -> None:
    lob.next(answer)
    with pytest.raises(DeliveryError, match="ask again later") as caught:
        by_lob(lob).find(a_letter(), NOW)
    assert (caught.value.permanent, caught.value.maybe_sent) == (False, False)


@pytest.mark.parametrize(
    ("kind", "state", "closes"),
    [
        ("letter.created", None, None),
        ("letter.mailed", "accepted", None),  # handed to the post: no proof yet
        ("letter.in_transit", "accepted", None),
        ("letter.re-routed", "accepted", None),
        ("letter.processed_for_delivery", "delivered", None),
        ("letter.delivered", "delivered", None),
        ("letter.returned_to_sender", "bounced", "bounced"),
        ("letter.failed", "failed", None),
        ("letter.rejected", "failed", None),
        ("letter.a-new-word", None, None),
    ],
)
def test_what_an_event_means(kind: str, state: str | None, closes: str | None) -> None:
    news = read(an_event(kind))
    assert news is not None
    assert (news.state, news.closes, news.message_id, news.provider_id) == (state, closes, "m1", "ltr_1")
    assert (news.channel, news.at, news.event_id) == (Channel.LETTER, NOW + timedelta(seconds=1), "evt_1")
    assert "Main St" not in news.model_dump_json()


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event_type": "letter.mailed"},
        {"event_type": {"id": ["letter.mailed"]}, "reference_id": "ltr_1"},
        {"event_type": {"id": "letter.mailed"}},
        {"event_type": {"id": "letter.mailed"}, "reference_id": 7, "body": []},
        {"event_type": {"id": "postcard.mailed"}, "reference_id": "psc_1"},
    ],
)
def test_what_is_no_letters_event_means_nothing(event: dict[str, Any]) -> None:
    assert read(event) is None


def an_event(kind: str) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "reference_id": "ltr_1",
        "event_type": {"id": kind, "resource": "letters", "object": "event_type"},
        "date_created": "2027-03-02T09:00:01.000Z",
        "body": {"id": "ltr_1", "metadata": {"message_id": "m1"}, "to": {"address_line1": "1 Main St"}},
        "object": "event",
    }
