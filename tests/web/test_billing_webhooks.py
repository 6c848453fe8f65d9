"""The webhooks about money: who may tell, what is kept before the answer, and what a broken request is answered."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunwell.gateways.timed_signature import sign
from dunwell.store.tables import BillingEventRow, BillingSubjectRow
from tests.stripe.objects import a_dispute, a_refund, an_event, an_intent, an_invoice_of
from tests.web.conftest import PAYMENT_SECRETS, STRIPE_SECRETS, Site

HEADERS = {"stripe": "Stripe-Signature", "payments": "Dunwell-Signature"}
SECRETS = {"stripe": STRIPE_SECRETS[0], "payments": PAYMENT_SECRETS[0]}
EVENT = an_event("payment_intent.succeeded", an_intent())
PAYMENT = {"invoice_id": "inv-1", "payment_id": "bank-7731", "amount": "1200.00", "currency": "EUR"}
BODIES: dict[str, Any] = {"stripe": EVENT, "payments": PAYMENT}


def now(**delta: float) -> int:
    return int((datetime.now(UTC) + timedelta(**delta)).timestamp())


async def post(site: Site, path: str, body: object, header: str | None = "") -> httpx.Response:
    """Post it, signed as its sender signs; `header` replaces the signature, None leaves it out."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = sign(raw, SECRETS[path], now()) if header == "" else header
    headers = {HEADERS[path]: signed} if signed is not None else {}
    return await site.http.post(f"/webhooks/{path}", content=raw, headers=headers)


def kept(site: Site) -> list[BillingEventRow]:
    with site.database.reading() as session:
        return list(session.query(BillingEventRow))


@pytest.mark.parametrize("path", BODIES)
async def test_a_signed_event_is_kept_once_before_it_is_answered(each_site: Site, path: str) -> None:
    answers = [await post(each_site, path, BODIES[path]) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"new": 1}), (200, {"new": 0})]
    (row,) = kept(each_site)
    assert row.fact["amount"] == "1200.00"
    with each_site.database.reading() as session:
        (subject,) = session.query(BillingSubjectRow)
        assert (subject.provider, subject.state, subject.version) == (path, "due", 1)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(lambda raw, secret: None, "not signed", id="no signature"),
        pytest.param(lambda raw, secret: "v1=ab", "must read t=", id="no time"),
        pytest.param(lambda raw, secret: f"t={now()},v0=ab", "must read t=", id="another scheme"),
        pytest.param(lambda raw, secret: f"t={'9' * 400},v1=ab", "must read t=", id="an endless time"),
        pytest.param(lambda raw, secret: sign(raw, "another-secret-altogether", now()), "does not fit", id="secret"),
        pytest.param(lambda raw, secret: sign(raw + b" ", secret, now()), "does not fit", id="another body"),
        pytest.param(lambda raw, secret: sign(raw, secret, now(seconds=-310)), "too far from now", id="old"),
        pytest.param(lambda raw, secret: sign(raw, secret, now(seconds=310)), "too far from now", id="of the future"),
    ],
)
async def test_what_was_not_signed_is_refused(site: Site, path: str, made: Any, said: str) -> None:
    raw = json.dumps(BODIES[path]).encode()
    answer = await post(site, path, raw, made(raw, SECRETS[path]))
    assert (answer.status_code, kept(site)) == (403, [])
    assert said in answer.json()["reason"]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda raw: sign(raw, STRIPE_SECRETS[1], now()), id="the former secret"),
        pytest.param(lambda raw: sign(raw, "other", now()) + "," + sign(raw, SECRETS["stripe"], now()), id="two"),
        pytest.param(lambda raw: sign(raw, SECRETS["stripe"], now(seconds=-290)), id="five minutes ago"),
        pytest.param(lambda raw: sign(raw, SECRETS["stripe"], now(seconds=290)), id="five minutes ahead"),
    ],
)
async def test_what_was_signed_is_taken(site: Site, made: Any) -> None:
    raw = json.dumps(EVENT).encode()
    assert (await post(site, "stripe", raw, made(raw))).status_code == 200
    assert len(kept(site)) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "-5.00"}, "amount: is below zero"),
        ({"amount": 12.5, "payment_id": "a;b"}, "payment_id: must be the bank's or provider's id"),
        ({"currency": None}, "currency: is missing"),
        ({"invoice_id": None}, "invoice_id: is missing"),
        ({"invoice_id": "INV 17"}, "invoice_id: is no invoice id"),
        ({"from_provider": True}, "from_provider: is no field here"),
        ({"received_at": "yesterday"}, "received_at: is not a time"),
        ({"designation": "tips"}, "designation: must be"),
    ],
)
async def test_a_payment_that_makes_no_sense_is_refused_by_its_field(
    site: Site, changes: dict[str, Any], said: str
) -> None:
    answer = await post(site, "payments", PAYMENT | changes)
    assert (answer.status_code, kept(site)) == (400, [])
    assert answer.json()["reason"].startswith(said)


async def test_of_a_list_with_a_wrong_payment_nothing_is_kept(site: Site) -> None:
    answer = await post(site, "payments", [PAYMENT, PAYMENT | {"amount": "0"}])
    assert (answer.status_code, kept(site)) == (400, [])
    assert answer.json()["reason"].startswith("payment 2: amount: ")
    answer = await post(site, "payments", [PAYMENT, PAYMENT | {"invoice_id": "inv-2"}])
    assert answer.json() == {"new": 2}
    assert {row.subject for row in kept(site)} == {"inv-1/bank-7731", "inv-2/bank-7731"}


async def test_a_field_given_twice_is_refused(site: Site) -> None:
    raw = json.dumps(PAYMENT).encode().replace(b'"amount"', b'"amount": "5.00", "amount"')
    assert "amount: is given more than once" in (await post(site, "payments", raw)).json()["reason"]


@pytest.mark.parametrize(("path", "setting"), [("stripe", "STRIPE_WEBHOOK_SECRET"), ("payments", "PAYMENT_WEBHOOK")])
async def test_without_its_secret_a_webhook_is_closed(site: Site, path: str, setting: str) -> None:
    keys = {name: key for name, key in site.service.keys.webhooks.items() if name != path}
    object.__setattr__(site.service.keys, "webhooks", keys)
    answer = await post(site, path, BODIES[path])
    assert (answer.status_code, setting in answer.json()["reason"]) == (503, True)


# Anything at all, signed ----------------------------------------------------------------------------------

_KINDS = ["payment_intent.succeeded", "refund.created", "charge.refunded", "charge.dispute.closed", "invoice.paid"]
_FOUND = st.sampled_from([an_intent(), a_refund(500), a_dispute(500, "lost"), an_invoice_of()])
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """An event in which some values are something else."""
    found = dict(draw(_FOUND))
    for name in draw(st.lists(st.sampled_from(sorted(found)), max_size=4)):
        found[name] = draw(_ODD)
    event = an_event("x", {"id": "x"}) | {"type": draw(st.sampled_from(_KINDS)), "data": {"object": found}}
    for name in draw(st.lists(st.sampled_from(sorted(event)), max_size=2)):
        event[name] = draw(_ODD)
    return event


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(damaged())
async def test_no_damaged_event_is_an_error_of_ours(each_site: Site, event: dict[str, Any]) -> None:
    answer = await post(each_site, "stripe", event)
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b'{"a":', b"[" * 2000, b"null", b'"x"'])
@pytest.mark.parametrize("path", BODIES)
async def test_what_is_no_event_is_refused(site: Site, path: str, body: bytes) -> None:
    answer = await post(site, path, body)
    assert (answer.status_code in {200, 400}, kept(site)) == (True, [])
    assert answer.status_code == 400 or body == b"[]"
