"""The webhook by which any program reports payments: `payment_received` with the invoice's id, signed as ours are."""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from dunwell.domain.billing_events import BillingEvent, Named, Paid, SubjectKind
from dunwell.domain.events import PaymentReceived, parse_event
from dunwell.domain.refusal import Refused
from dunwell.gateways.events import plain_id
from dunwell.gateways.provider import UnreadableWebhook

MOST = 1000
"""Payments in one request."""

_INVOICE_ID = re.compile(r"[A-Za-z0-9._-]{1,120}")
_FIELDS = ("invoice_id", "payment_id", "amount", "currency", "received_at", "method", "designation")


def read(body: Any, now: datetime) -> list[BillingEvent]:
    """Return the payments of a request: one object, or a list of them.

    Raises UnreadableWebhook naming the first field that is wrong; then nothing of the request is kept.
    """
    given = body if isinstance(body, list) else [body]
    if len(given) > MOST:
        raise UnreadableWebhook(f"The list holds {len(given)} payments: send at most {MOST} at a time.")
    return [payment(one, f"payment {number}: " if len(given) > 1 else "", now) for number, one in enumerate(given, 1)]


def payment(data: Any, where: str, now: datetime) -> BillingEvent:
    """Return one payment. Raises UnreadableWebhook; `where` begins its text."""
    if not isinstance(data, dict):
        raise UnreadableWebhook(f"{where}must be one JSON object with {', '.join(_FIELDS)}.")
    repeated = getattr(data, "repeated", [])
    if repeated:
        raise UnreadableWebhook(f"{where}{plain_field(repeated[0])}: is given more than once: keep one.")
    for name in data:
        if name not in _FIELDS:
            raise UnreadableWebhook(f"{where}{plain_field(name)}: is no field here: there are {', '.join(_FIELDS)}.")
    fields = {name: value for name, value in data.items() if value is not None}
    try:
        invoice_id = _invoice_id(fields.pop("invoice_id", None))
        event = parse_event("payment_received", [fields])
    except Refused as refused:
        raise UnreadableWebhook(f"{where}{refused.field}: {refused.reason}.") from None
    assert isinstance(event, PaymentReceived)
    return _event(invoice_id, event, now)


def _event(invoice_id: str, event: PaymentReceived, now: datetime) -> BillingEvent:
    subject = plain_id(f"{invoice_id}/{event.payment_id}")
    content = event.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    told = json.dumps([invoice_id, content], sort_keys=True).encode()
    fact = Paid(
        amount=event.amount,
        currency=event.currency,
        at=event.received_at or now,
        method=event.method,
        designation=event.designation.value if event.designation else None,
        named=Named(invoice_id=invoice_id, payment_id=event.payment_id),
    )
    return BillingEvent(
        event_id=hashlib.sha256(told).hexdigest(),
        kind="payment_received",
        subject=subject,
        subject_kind=SubjectKind.PAYMENT,
        at=now,
        fact=fact,
    )


def _invoice_id(value: object) -> str:
    """Return the id of an invoice, known or not. Raises Refused when it can be none."""
    if not isinstance(value, str) or not value.strip():
        raise Refused("invoice_id", "is missing: name the invoice that was paid")
    if not _INVOICE_ID.fullmatch(value):
        raise Refused("invoice_id", "is no invoice id: 1 to 120 letters, digits, points, hyphens and underscores")
    return value


def plain_field(name: object) -> str:
    """Return the name of a field that a sender made up, as a message may repeat it."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_.") else "?" for sign in str(name))[:60]
