import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.terms import Access
from dunwell.gateways.base import AccessChange, DeliveryError
from dunwell.gateways.product_access import HttpProductGateway, NoProduct
from dunwell.gateways.signed_post import verify
from dunwell.gateways.timed_signature import sign
from tests.gateways.fakes import HASTY, PATIENT, Answer, FakeProduct

SECRET = "shared-secret"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CHANGE = AccessChange(
    change_id="INV-7/restrict",
    customer_id="C-1",
    invoice_id="INV-7",
    access=Access.RESTRICTED,
    work_on_hold=False,
    reason="two warnings delivered",
    at=NOON.astimezone(timezone(timedelta(hours=2))),
)


def a_gateway(url: str, timeout: float = PATIENT) -> HttpProductGateway:
    return HttpProductGateway(url, SECRET, timeout=timeout)


def test_the_product_hears_of_a_change(product: FakeProduct) -> None:
    a_gateway(f"{product.url}/hooks/dunwell/").publish(CHANGE)
    assert product.changes == {
        "INV-7/restrict": {
            "change_id": "INV-7/restrict",
            "customer_id": "C-1",
            "invoice_id": "INV-7",
            "access": "restricted",
            "work_on_hold": False,
            "reason": "two warnings delivered",
            "at": "2026-03-02T12:00:00+00:00",
        }
    }
    assert product.requests[0].path == "/hooks/dunwell/"
    assert product.requests[0].headers["content-type"] == "application/json"


def test_the_product_can_verify_what_came(product: FakeProduct) -> None:
    a_gateway(product.url).publish(CHANGE)
    came = product.requests[0]
    verify(came.body, came.headers["dunwell-signature"], SECRET, datetime.now(UTC))


def test_a_repeat_after_a_lost_answer_is_one_change(product: FakeProduct) -> None:
    gateway = a_gateway(product.url)
    product.next(Answer(drop=True, accepts=True))
    with pytest.raises(DeliveryError):
        gateway.publish(CHANGE)
    gateway.publish(CHANGE)
    gateway.publish(replace(CHANGE, change_id="INV-7/release", access=Access.FULL))
    assert [change["access"] for change in product.changes.values()] == ["restricted", "full"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, headers={"Location": "/login"}),  # a login page's 200 would look like success
        Answer(400),
        Answer(401),
        Answer(404),
        Answer(410),
        Answer(500),
        Answer(503),
        Answer(delay=60),
        Answer(drop=True),
    ],
    ids=lambda answer: str(answer.status or ("drop" if answer.drop else "slow")),
)
def test_everything_else_is_tried_again(
    product: FakeProduct, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    product.next(answer)
    with pytest.raises(DeliveryError) as caught:
        hook = f"{product.url}/hook?token=hidden"
        a_gateway(hook, HASTY if answer.delay else PATIENT).publish(CHANGE)
    error = caught.value
    assert not error.permanent
    assert not error.maybe_sent
    assert "INV-7/restrict" in error.reason
    assert error.__cause__ is None
    assert "hidden" not in f"{error!r} {error} {caplog.text}"
    assert len(product.requests) == 1


@contextmanager
def dripping(*pieces: bytes) -> Iterator[str]:
    """A product that answers with these pieces, and then with one more byte every now and then, for ever."""
    stopped = Event()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                line, _ = door.accept()
                with line:
                    line.recv(65536)
                    for piece in pieces:
                        line.sendall(piece)
                    while not stopped.wait(0.05):
                        line.sendall(b"x")

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        stopped.set()
        thread.join(PATIENT)


def test_f5_the_body_of_an_answer_is_not_read() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n") as url:
        a_gateway(url).publish(CHANGE)


def test_f5_an_answer_that_comes_byte_by_byte_is_not_waited_for() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nX-Never-Ends: ") as url:
        gateway = HttpProductGateway(url, SECRET, timeout=PATIENT, total=HASTY)
        with pytest.raises(DeliveryError, match=r"did not answer .*TimeoutError.*; it will be told again"):
            gateway.publish(CHANGE)


def test_nobody_listens(closed_url: str) -> None:
    with pytest.raises(DeliveryError, match="it will be told again"):
        a_gateway(closed_url).publish(CHANGE)


def test_no_product_has_nobody_to_tell() -> None:
    NoProduct().publish(CHANGE)


@pytest.mark.parametrize(("url", "secret"), [("product.example/hook", SECRET), ("https://p.example", "")])
def test_unusable_settings_are_refused(url: str, secret: str) -> None:
    with pytest.raises(ValueError, match="product's URL"):
        HttpProductGateway(url, secret)


def test_the_signature_is_the_one_the_documentation_computes() -> None:
    # Computed apart from this code: printf '1772452800.{}' | openssl dgst -sha256 -hmac shared-secret
    wanted = "39c05cdd603a701969f3060fa7f866a605c8eb94cef6aa828758ca55fc002782"
    assert sign(b"{}", SECRET, 1772452800) == f"t=1772452800,v1={wanted}"


@given(body=st.binary(), secret=st.text(min_size=1), at=st.integers(0, 2**33))
def test_what_was_signed_verifies(body: bytes, secret: str, at: int) -> None:
    verify(body, sign(body, secret, at), secret, datetime.fromtimestamp(at, UTC))


AT = int(NOON.timestamp())
GOOD = sign(b"{}", SECRET, AT)


@pytest.mark.parametrize(
    ("header", "body", "secret", "now", "why"),
    [
        (GOOD, b"{ }", SECRET, NOON, "does not fit"),
        (GOOD, b"{}", "another", NOON, "does not fit"),
        (GOOD.replace(str(AT), str(AT + 1)), b"{}", SECRET, NOON, "does not fit"),
        (f"t={AT},v1=\N{SNOWMAN}", b"{}", SECRET, NOON, "does not fit"),
        (GOOD, b"{}", SECRET, NOON + timedelta(minutes=6), "too far from now"),
        (GOOD, b"{}", SECRET, NOON - timedelta(minutes=6), "too far from now"),
        ("", b"{}", SECRET, NOON, "must read"),
        (f"t={AT}", b"{}", SECRET, NOON, "must read"),
        (GOOD.split(",")[1], b"{}", SECRET, NOON, "must read"),
        ("t=soon,v1=00", b"{}", SECRET, NOON, "must read"),
    ],
)
def test_a_signature_that_does_not_hold(header: str, body: bytes, secret: str, now: datetime, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        verify(body, header, secret, now)


def test_either_of_two_signatures_will_do() -> None:
    both = f"{sign(b'{}', 'old secret', AT)},{GOOD.split(',')[1]}"
    verify(b"{}", both, SECRET, NOON)
