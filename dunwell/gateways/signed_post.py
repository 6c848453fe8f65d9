"""Signed POST requests to other programs: to the product about access, and to webhook subscribers.

A receiver checks `Dunwell-Signature` with `verify`, answers 2xx, and ignores an `Idempotency-Key` it has
already handled.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime

import requests

from dunwell.gateways import timed_signature
from dunwell.gateways.http import fresh_session
from dunwell.gateways.public_address import is_private, only_public_addresses
from dunwell.gateways.timed_signature import sign

SIGNATURE_HEADER = "Dunwell-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"
_MOST_CALLS = 10


class Unreachable(Exception):
    """The other side gave no answer; the text is the kind of error, such as ConnectTimeout.

    NotPublic: the request was not sent, because the address is not public.
    """


class SignedPost:
    """Posts JSON bodies. No redirect is followed, because a login page's 200 would look like success.

    timeout: seconds for the connection, and for each piece of the answer's head. total: seconds for the whole call,
    however slowly its pieces come. public: connect to public addresses and this machine only.
    """

    def __init__(self, *, timeout: float = 10.0, total: float = 20.0, public: bool = False) -> None:
        self._timeout, self._total, self._public = timeout, total, public
        # Nothing but the end of its thread ends a call whose answer comes byte by byte; there are never more of them.
        self._calls = ThreadPoolExecutor(_MOST_CALLS, "post")

    def send(self, url: str, body: bytes, secret: str, key: str) -> int:
        """POST `body` and return the status of the answer. `key` makes a repeat harmless. Raises Unreachable."""
        headers = {
            "Content-Type": "application/json",
            IDEMPOTENCY_HEADER: key,
            SIGNATURE_HEADER: sign(body, secret, int(time.time())),
        }
        try:
            return self._calls.submit(self._post, url, body, headers).result(self._total)
        except (requests.RequestException, FutureTimeout) as error:
            raise Unreachable("NotPublic" if is_private(error) else type(error).__name__) from None

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status; the body of the answer is of no interest and may be endless, so it is not read."""
        with fresh_session(url) as session:
            if self._public:
                only_public_addresses(session, url)
            with session.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
            ) as answer:
                return answer.status_code


def verify(body: bytes, header: str, secret: str, now: datetime) -> None:
    """Check the raw `body` against its signature header, as a receiver does. Raises ValueError: what is wrong."""
    timed_signature.verify(body, header, [secret], now, name=SIGNATURE_HEADER)
