"""Stripe's API on this machine: an account of invoices, customers and payments, which also makes events.

It serves the objects in the shape of one API version, page by page, and refuses other versions and other methods.
`python -m tests.stripe.emulator --invoices 40` serves one until it is stopped.
"""

import argparse
import json
import threading
from collections.abc import Mapping
from typing import Any

from dunwell.gateways.stripe.objects import VERSION
from tests.gateways.fakes import FakeProvider, Received, Reply
from tests.stripe.objects import NOW, a_portion, an_event, an_intent, an_invoice_of

KEY = "sk_test_of-the-emulator"
_LISTS = {"invoices": "invoice", "invoice_payments": "invoice_payment", "credit_notes": "credit_note"}
_PAGES = 10  # objects on a page, however many are asked for, so that small accounts have several


class StripeEmulator(FakeProvider):
    """An account. `objects` are by id; whoever changes one does what Stripe would do."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self._events = 0

    # The account

    def put(self, found: dict[str, Any]) -> dict[str, Any]:
        self.objects[found["id"]] = found
        return found

    def customer(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        return self.put(
            {
                "id": f"cus_{number}",
                "object": "customer",
                "address": {
                    "city": "Berlin",
                    "country": "DE",
                    "line1": f"Werkstr. {number}",
                    "line2": None,
                    "postal_code": "10115",
                    "state": None,
                },
                "email": f"ap{number}@brightwater.example",
                "metadata": {},
                "name": f"Brightwater {number} GmbH",
                "phone": None,
                "preferred_locales": ["de"],
                "shipping": None,
            }
            | changes
        )

    def invoice(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        if f"cus_{number}" not in self.objects:
            self.customer(number)
        facts = {"customer": f"cus_{number}", "number": f"ABCD-{number:04}"}
        return self.put(an_invoice_of(f"in_{number}", **facts | changes))

    def pay(self, number: int, value: int | None = None) -> list[dict[str, Any]]:
        """The invoice is paid by card, whole or in part. Returns the events that Stripe would send, in its order."""
        invoice = self.objects[f"in_{number}"]
        value = invoice["amount_remaining"] if value is None else value
        intent = self.put(an_intent(f"pi_{number}_{len(self.objects)}", value, metadata={}))
        portion = self.put(a_portion(intent["id"], invoice["id"], value))
        invoice["amount_paid"] += value
        invoice["amount_remaining"] -= value
        paid = invoice["amount_remaining"] == 0
        invoice["status"] = "paid" if paid else "open"
        events = [("payment_intent.succeeded", intent), ("invoice_payment.paid", portion)]
        return [self.event(kind, found) for kind, found in [*events, *([("invoice.paid", invoice)] if paid else [])]]

    def event(self, kind: str, found: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        self._events += 1
        copy = json.loads(json.dumps(found))
        return an_event(kind, copy, f"evt_{self._events}", **{"created": NOW + self._events} | more)

    # The API

    def open_ids(self) -> list[str]:
        return [name for name, one in self.objects.items() if one["object"] == "invoice" and one["status"] == "open"]

    def accept(self, request: Received) -> Reply:
        if not request.headers.get("authorization", "").startswith("Basic "):
            return _json(401, {"error": {"message": "no key"}})
        if request.headers.get("stripe-version") != VERSION:
            return _json(400, {"error": {"message": "another version"}})
        path = request.path.removeprefix("/v1/").split("/")
        if request.method != "GET" or len(path) > 3:
            return _json(404, {"error": {"message": "no such path"}})
        if len(path) == 1 and path[0] in _LISTS:
            return self._list(_LISTS[path[0]], request.query)
        found = self.objects.get(path[-1])
        if found is None:
            return _json(404, {"error": {"message": "no such object"}})
        return _json(200, self._expanded(found, request.query))

    def _list(self, kind: str, query: Mapping[str, str]) -> Reply:
        found = [
            one
            for one in reversed(list(self.objects.values()))
            if one["object"] == kind
            and all(one.get(name) == query[name] for name in ("status", "invoice") if name in query)
        ]
        after = query.get("starting_after")
        begin = [one["id"] for one in found].index(after) + 1 if after else 0
        page = found[begin : begin + min(_PAGES, int(query.get("limit", "10")))]
        data = [self._expanded(one, query) for one in page]
        return _json(200, {"object": "list", "data": data, "has_more": begin + len(page) < len(found), "url": ""})

    def _expanded(self, found: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        whole = dict(found)
        if query.get("expand[]") in {"customer", "data.customer"} and isinstance(whole.get("customer"), str):
            whole["customer"] = self.objects.get(whole["customer"], whole["customer"])
        return whole


def _json(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=40)
    chosen = parser.parse_args()
    with StripeEmulator() as stripe:
        for number in range(1, chosen.invoices + 1):
            stripe.invoice(number)
        print(f"STRIPE_API_URL={stripe.url} STRIPE_API_KEY={KEY}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
