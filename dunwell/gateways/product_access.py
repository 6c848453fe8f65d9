"""Publishes changes of access to the product: signed requests that may be repeated without harm."""

import json
from datetime import UTC
from urllib.parse import urlsplit

from dunwell.gateways.base import AccessChange, DeliveryError
from dunwell.gateways.http import web_address
from dunwell.gateways.signed_post import SignedPost, Unreachable


class HttpProductGateway:
    """Posts every change to the product's URL; `timeout` and `total` are those of SignedPost.

    Raises ValueError when `url` is no http(s) URL or `secret` is empty.
    """

    remote = True

    def __init__(self, url: str, secret: str, *, timeout: float = 10.0, total: float = 20.0) -> None:
        if not secret.strip():
            raise ValueError("the secret for the product's URL is empty: set the one the product verifies with")
        web_address(url, "the product's URL")
        self._url, self._secret = url, secret
        self._post = SignedPost(timeout=timeout, total=total)
        # The path and the query may hold a token, so people are shown the host only.
        self._host = urlsplit(url).hostname

    def publish(self, change: AccessChange) -> None:
        """POST the change; any 2xx settles it.

        Raises DeliveryError, never permanent: the change is repeated until the product takes it, and
        `change_id` makes a repeat harmless, so it does not matter whether a lost answer followed a success.
        """
        try:
            status = self._post.send(self._url, to_json(change), self._secret, change.change_id)
        except Unreachable as error:
            raise DeliveryError(
                f"The product at {self._host} did not answer change {change.change_id} "
                f"({error}); it will be told again"
            ) from None
        if not 200 <= status < 300:
            raise DeliveryError(
                f"The product at {self._host} answered {status} to change {change.change_id} "
                "where 2xx was expected: check its URL and the secret on both sides; it will be told again",
                code=str(status),
            )


class NoProduct:
    """For an installation without a product: access stays in the database and is read by the API."""

    remote = False

    def publish(self, change: AccessChange) -> None:
        """Does nothing."""


def to_json(change: AccessChange) -> bytes:
    """The body of a change: one JSON object, `at` in UTC. It has `page_url` only where there is a page."""
    page = {"page_url": change.page_url} if change.page_url is not None else {}
    return json.dumps(
        {
            "change_id": change.change_id,
            "customer_id": change.customer_id,
            "invoice_id": change.invoice_id,
            "access": change.access.value,
            "work_on_hold": change.work_on_hold,
            "reason": change.reason,
            "at": change.at.astimezone(UTC).isoformat(),
            **page,
        }
    ).encode()
