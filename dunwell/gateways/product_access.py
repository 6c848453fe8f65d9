"""Publishes changes of access to the product: signed requests that may be repeated without harm.

A receiver checks `Dunwell-Signature` with `verify`, answers 2xx, and ignores an `Idempotency-Key` it has
already handled.
"""

import hmac
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import requests

from dunwell.gateways.base import AccessChange, DeliveryError
from dunwell.gateways.http import fresh_session, web_address

SIGNATURE_HEADER = "Dunwell-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"
TOLERANCE = timedelta(minutes=5)
_MOST_CALLS = 10


class HttpProductGateway:
    """Posts every change to the product's URL.

    timeout: seconds for the connection, and for each piece of the answer's head. total: seconds for the whole call,
    however slowly its pieces come. Raises ValueError when `url` is no http(s) URL or `secret` is empty.
    """

    remote = True

    def __init__(self, url: str, secret: str, *, timeout: float = 10.0, total: float = 20.0) -> None:
        if not secret.strip():
            raise ValueError("the secret for the product's URL is empty: set the one the product verifies with")
        web_address(url, "the product's URL")
        self._url = url
        self._secret = secret
        self._timeout, self._total = timeout, total
        # Nothing but the end of its thread ends a call whose answer comes byte by byte; there are never more of them.
        self._calls = ThreadPoolExecutor(_MOST_CALLS, "product")
        # The path and the query may hold a token, so people are shown the host only.
        self._host = urlsplit(url).hostname

    def publish(self, change: AccessChange) -> None:
        """POST the change; any 2xx settles it.

        Raises DeliveryError, never permanent: the change is repeated until the product takes it, and
        `change_id` makes a repeat harmless, so it does not matter whether a lost answer followed a success.
        """
        body = to_json(change)
        headers = {
            "Content-Type": "application/json",
            IDEMPOTENCY_HEADER: change.change_id,
            SIGNATURE_HEADER: sign(body, self._secret, int(time.time())),
        }
        try:
            status = self._calls.submit(self._post, body, headers).result(self._total)
        except (requests.RequestException, FutureTimeout) as error:
            raise DeliveryError(
                f"The product at {self._host} did not answer change {change.change_id} "
                f"({type(error).__name__}); it will be told again"
            ) from None
        if not 200 <= status < 300:
            raise DeliveryError(
                f"The product at {self._host} answered {status} to change {change.change_id} "
                "where 2xx was expected: check its URL and the secret on both sides; it will be told again",
                code=str(status),
            )

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; its body is of no interest and may be endless, so it is not read."""
        with (
            fresh_session(self._url) as session,
            session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
            ) as answer,
        ):
            return answer.status_code


class NoProduct:
    """For an installation without a product: access stays in the database and is read by the API."""

    remote = False

    def publish(self, change: AccessChange) -> None:
        """Does nothing."""


def to_json(change: AccessChange) -> bytes:
    """The body of a change: one JSON object, `at` in UTC."""
    return json.dumps(
        {
            "change_id": change.change_id,
            "customer_id": change.customer_id,
            "invoice_id": change.invoice_id,
            "access": change.access.value,
            "work_on_hold": change.work_on_hold,
            "reason": change.reason,
            "at": change.at.astimezone(UTC).isoformat(),
        }
    ).encode()


def sign(body: bytes, secret: str, at: int) -> str:
    """The signature header of `body` at Unix time `at`: t=<at>,v1=<hex HMAC-SHA256 of "at.body">."""
    return f"t={at},v1={_digest(body, secret, str(at))}"


def verify(body: bytes, header: str, secret: str, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Check the raw `body` against its signature header. Returns nothing when all is well.

    Raises ValueError that says what is wrong: no such header, another secret or body, or a signing time
    further from `now` than `tolerance` (an old request sent again).
    """
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    moment = next((value for key, value in pairs if key == "t"), "")
    given = [value for key, value in pairs if key == "v1"]
    if not (moment.isascii() and moment.isdigit()) or not given:
        raise ValueError(f"{SIGNATURE_HEADER} must read t=<unix seconds>,v1=<hex>")
    wanted = _digest(body, secret, moment).encode()
    if not any(hmac.compare_digest(wanted, value.encode()) for value in given):
        raise ValueError(f"{SIGNATURE_HEADER} does not fit the body: another secret, or the body was changed")
    if abs(now.timestamp() - int(moment)) > tolerance.total_seconds():
        raise ValueError(
            f"{SIGNATURE_HEADER} was made at {moment}, too far from now: an old request, or a wrong clock"
        )


def _digest(body: bytes, secret: str, moment: str) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, sha256).hexdigest()
