"""Reads from Stripe's API: one object, the payments and credit notes of an invoice, and all open invoices.

Requests only read. They name the version of the API that this program reads, are made anew while Stripe asks to wait,
and follow no redirect, which would hand the key to another host.
"""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import requests

from dunwell.domain.billing_events import BillingEvent
from dunwell.domain.evidence import digest
from dunwell.gateways import retry
from dunwell.gateways.base import DeliveryError
from dunwell.gateways.events import plain_id
from dunwell.gateways.http import fresh_session, web_address
from dunwell.gateways.stripe.objects import VERSION, moment_of, object_of

NAME = "stripe"
HOST = "https://api.stripe.com"

_PAGE = 100
_LONGEST_WAIT = 60.0  # seconds that Stripe may ask to wait
_PATHS: Mapping[str, str] = {
    "invoice": "invoices",
    "invoice_payment": "invoice_payments",
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "credit_note": "credit_notes",
    "checkout.session": "checkout/sessions",
}
_CHANGING = frozenset({"invoice", "credit_note"})
"""Objects that stand as they do when they are read; of all others their creation counts."""
_OURS = {
    401: "Stripe does not accept STRIPE_API_KEY: check it",
    403: "give STRIPE_API_KEY the right to read invoices, customers, payments and credit notes",
    404: "there is none there: check STRIPE_API_URL, and that STRIPE_API_KEY is of this account and mode",
}


class StripeGateway:
    """Reads from Stripe. `host` replaces Stripe's own URL; timeout: seconds for the connection and each answer.

    Raises ValueError on an unusable setting. Every call raises DeliveryError, whose text says what to do.
    """

    name = NAME

    def __init__(self, api_key: str, host: str | None = None, *, timeout: float = 30.0) -> None:
        if not api_key.strip():
            raise ValueError("STRIPE_API_KEY is empty: set the key, or unset it")
        self._url = f"{web_address(host or HOST, 'STRIPE_API_URL')}/v1"
        self._key, self._timeout = api_key.strip(), timeout

    def fetch(self, kind: str, object_id: str) -> BillingEvent | None:
        """Return what an object says now; None when it says nothing that counts."""
        found = self._read(f"{_PATHS[kind]}/{object_id}", _expanded(kind))
        return _event(found)

    def invoice(self, invoice_id: str) -> list[BillingEvent]:
        """Return an invoice as it stands now, with its customer, and what paid and credited it."""
        found = self._read(f"invoices/{invoice_id}", _expanded("invoice"))
        return [one for one in (_event(found), *self._of_invoice(found)) if one]

    def open_invoices(self) -> Iterator[list[BillingEvent]]:
        """Yield the same for every open invoice, the newest first."""
        query = {"status": "open", "expand[]": "data.customer"}
        for found in self._list("invoices", query):
            yield [one for one in (_event(found), *self._of_invoice(found)) if one]

    def _of_invoice(self, found: Mapping[str, Any]) -> Iterator[BillingEvent | None]:
        of = {"invoice": str(found.get("id"))}
        if found.get("amount_paid"):
            yield from map(_event, self._list("invoice_payments", of | {"status": "paid"}))
        if found.get("post_payment_credit_notes_amount"):
            yield from map(_event, self._list("credit_notes", of))

    def _list(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a list, page by page."""
        after: dict[str, str] = {}
        while True:
            page = self._read(path, {**query, **after, "limit": str(_PAGE)})
            data = page.get("data")
            if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
                raise _unreadable(path)
            yield from data
            if not page.get("has_more") or not data:
                return
            after = {"starting_after": str(data[-1].get("id"))}

    def _read(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        return retry.ask(partial(self._ask, path, query))

    def _ask(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        what = f"Stripe's {path.partition('/')[0].replace('_', ' ')}"
        try:
            with fresh_session(self._url) as session:
                answer = session.get(
                    f"{self._url}/{path}",
                    params=dict(query),
                    auth=(self._key, ""),
                    headers={"Stripe-Version": VERSION},
                    timeout=self._timeout,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise DeliveryError(f"{what} cannot be read ({type(error).__name__}): try again later") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            _wait(answer.headers.get("Retry-After"))
            raise DeliveryError(
                f"{what} cannot be read just now (status {answer.status_code}): try again later",
                code=str(answer.status_code),
            )
        if answer.status_code != 200:
            todo = _OURS.get(answer.status_code, "check STRIPE_API_URL")
            reason = f"{what} cannot be read (status {answer.status_code}): {todo}"
            raise DeliveryError(reason, code=str(answer.status_code), permanent=True)
        try:
            found = json.loads(answer.content, parse_int=Decimal, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise _unreadable(path) from None
        if not isinstance(found, dict):
            raise _unreadable(path)
        return found


def _expanded(kind: str) -> dict[str, str]:
    return {"expand[]": "customer"} if kind == "invoice" else {}


def _event(found: Mapping[str, Any]) -> BillingEvent | None:
    """Return the object as an event of its own; one that has not changed has the same id."""
    now = datetime.now(UTC)
    created = None if found.get("object") in _CHANGING else moment_of(found.get("created"))
    said = object_of(found, "fetched", "fetched", created or now)
    if said is None:
        return None
    stands = digest(said.fact.model_dump_json(exclude={"at"}))[:16]
    return said.model_copy(update={"event_id": f"{plain_id(str(found.get('id')))}@{stands}"})


def _wait(seconds: str | None) -> None:
    """Wait as long as Stripe asks for, before the pause that follows anyway."""
    if seconds is not None and seconds.isdecimal():
        time.sleep(min(float(seconds), _LONGEST_WAIT))


def _unreadable(path: str) -> DeliveryError:
    return DeliveryError(
        f"What answers for Stripe's {path.partition('/')[0]} is not Stripe: check STRIPE_API_URL", permanent=True
    )
