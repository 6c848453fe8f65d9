"""Lob's webhook: who may tell, and what becomes of a letter and of the case that waits for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from tests.builders import at
from tests.web.conftest import POST, Site


def a_letter(site: Site, **changes: Any) -> None:
    site.case(**changes)
    site.message(channel=Channel.LETTER, provider_id="ltr_1")


def an_event(kind: str, event_id: str = "evt_1", **more: Any) -> dict[str, Any]:
    letter = {"id": "ltr_1", "metadata": {"message_id": "m1"}, "to": {"name": "Ada"}}
    return {"id": event_id, "reference_id": "ltr_1", "event_type": {"id": kind}, "body": letter} | more


async def test_a_signed_event_counts_once(each_site: Site) -> None:
    site = each_site
    a_letter(site)
    answers = [await site.lob(an_event("letter.delivered")) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"new": 1}), (200, {"new": 0})]
    assert (site.row().state, site.kinds()) == ("delivered", ["delivered"])


def stamp(**ago: float) -> str:
    return str(int((datetime.now(UTC) - timedelta(**ago)).timestamp()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"signature": None}, "not signed", id="no signature"),
        pytest.param({"timestamp": stamp(), "signature": ""}, "not signed", id="empty signature"),
        pytest.param({"signature": "ab" * 32}, "does not fit", id="another signature"),
        pytest.param({"secret": "another"}, "does not fit", id="another secret"),
        pytest.param({"timestamp": stamp(hours=2)}, "too old", id="an old request"),
        pytest.param({"timestamp": stamp(hours=-2)}, "too old", id="a request of the future"),
        pytest.param({"timestamp": "yesterday"}, "too old", id="no time at all"),
    ],
)
async def test_what_lob_did_not_sign_is_refused(site: Site, changes: dict[str, Any], said: str) -> None:
    a_letter(site)
    answer = await site.lob(an_event("letter.delivered"), **changes)
    assert answer.status_code == 403
    assert said in answer.json()["reason"]
    assert (site.events(), site.row().state) == ([], "accepted")


@pytest.mark.parametrize("written", ["seconds", "milliseconds", "words"])
async def test_the_time_may_be_written_in_three_ways(site: Site, written: str) -> None:
    now = datetime.now(UTC)
    ways = {
        "seconds": str(int(now.timestamp())),
        "milliseconds": str(int(now.timestamp() * 1000)),
        "words": now.isoformat(),
    }
    assert (await site.lob(an_event("letter.mailed"), timestamp=ways[written])).status_code == 200


@pytest.mark.parametrize(
    ("kind", "state", "closed", "woken"),
    [
        ("letter.mailed", "accepted", None, 0),
        ("letter.processed_for_delivery", "delivered", None, 1),  # the case waits for its proof
        ("letter.delivered", "delivered", None, 1),
        ("letter.returned_to_sender", "bounced", "bounced", 1),  # the next channel
        ("letter.failed", "failed", None, 1),
        ("letter.viewed", "accepted", None, 0),
    ],
)
async def test_what_an_event_does(site: Site, kind: str, state: str, closed: str | None, woken: int) -> None:
    a_letter(site, blocked_until=at("2027-04-01 09:00"))
    await site.lob(an_event(kind))
    await site.bring()
    assert (site.row().state, site.closed(Channel.LETTER, POST)) == (state, closed)
    assert len(site.temporal.signals) == woken


async def test_a_letter_that_comes_back_after_all_is_bounced(site: Site) -> None:
    a_letter(site)
    await site.lob(an_event("letter.delivered"))
    await site.lob(an_event("letter.returned_to_sender", "evt_2"))
    await site.lob(an_event("letter.delivered", "evt_3"))
    assert (site.row().state, site.kinds()) == ("bounced", ["delivered", "bounced"])


async def test_what_is_kept_of_an_event_names_nobody(site: Site) -> None:
    a_letter(site)
    await site.lob(an_event("letter.delivered"))
    (event,) = site.events()
    assert "Ada" not in str(event.body)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"hello", 400), (b"[]", 400), (b"{}", 200), (b'{"event_type": {"id": "postcard.mailed"}}', 200)],
)
async def test_garbage_does_nothing(site: Site, body: bytes, status: int) -> None:
    a_letter(site)
    assert (await site.lob(body)).status_code == status
    assert site.events() == []
