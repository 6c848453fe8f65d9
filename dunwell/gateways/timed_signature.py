"""The header t=<unix seconds>,v1=<hex HMAC-SHA256 of "seconds.body">, by which Stripe and this program sign."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from dunwell.gateways.events import UnverifiedWebhook

TOLERANCE = timedelta(minutes=5)
"""How far the time of a signature may be from now, on either side."""

_LONGEST_TIME = 12


def sign(body: bytes, secret: str, at: int) -> str:
    """Return the header for `body` at Unix time `at`."""
    return f"t={at},v1={_digest(body, secret, str(at))}"


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime, *, name: str
) -> None:
    """Check the raw `body` of a webhook by its header `name`, before anything reads it. Raises UnverifiedWebhook."""
    header = headers.get(name)
    if not header:
        raise UnverifiedWebhook(f"The request is not signed: {name} is needed.")
    try:
        verify(body, header, secrets, now, name=name)
    except ValueError as error:
        raise UnverifiedWebhook(f"{error}.") from None


def verify(body: bytes, header: str, secrets: Sequence[str], now: datetime, *, name: str) -> None:
    """Check the raw `body` against its header, whose name is `name`. Any of the secrets may have signed it.

    Signatures of other schemes than v1 do not count. Raises ValueError that says what is wrong: no such header,
    another secret or body, or a signing time further from `now` than TOLERANCE, before it or after it.
    """
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    moment = next((value for key, value in pairs if key == "t"), "")
    given = [value for key, value in pairs if key == "v1"]
    if not (moment.isascii() and moment.isdigit() and len(moment) <= _LONGEST_TIME) or not given:
        raise ValueError(f"{name} must read t=<unix seconds>,v1=<hex>")
    wanted = [_digest(body, secret, moment).encode() for secret in secrets]
    fits = [hmac.compare_digest(one, value.encode("utf-8", "replace")) for one in wanted for value in given]
    if not any(fits):
        raise ValueError(f"{name} does not fit the body: another secret, or the body was changed")
    if abs(now.timestamp() - int(moment)) > TOLERANCE.total_seconds():
        raise ValueError(f"{name} was made at {moment}, too far from now: an old request, or a wrong clock")


def _digest(body: bytes, secret: str, moment: str) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, sha256).hexdigest()
