"""Stripe's objects and events as Stripe shapes them, with what a test is about; the rest as it stands on most."""

from typing import Any

from dunwell.domain.billing_events import BillingEvent
from dunwell.gateways.stripe.objects import VERSION, event_of

NOW = 1_803_978_000  # 2027-03-02 09:00 UTC


def an_event(kind: str, found: dict[str, Any], event_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": event_id or f"evt_{kind}_{found['id']}_{more.get('created', NOW)}",
        "object": "event",
        "api_version": VERSION,
        "created": NOW,
        "data": {"object": found},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    } | more


def said(kind: str, found: dict[str, Any], event_id: str | None = None, **more: Any) -> BillingEvent | None:
    """What the webhook makes of such an event."""
    return event_of(an_event(kind, found, event_id, **more))


def an_intent(payment: str = "pi_1", value: int = 120_000, **changes: Any) -> dict[str, Any]:
    return {
        "id": payment,
        "object": "payment_intent",
        "amount": value,
        "amount_received": value,
        "currency": "eur",
        "customer": "cus_1",
        "latest_charge": "ch_1",
        "metadata": {"dunwell_invoice_id": "inv-1"},
        "payment_method_types": ["card"],
        "status": "succeeded",
        "created": NOW,
    } | changes


def a_charge(refunded: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 120_000,
        "amount_captured": 120_000,
        "amount_refunded": refunded,
        "captured": True,
        "currency": "eur",
        "metadata": {},
        "paid": True,
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card"},
        "status": "succeeded",
        "created": NOW,
    } | changes


def a_refund(value: int, refund: str = "re_1", status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    return {
        "id": refund,
        "object": "refund",
        "amount": value,
        "charge": "ch_1",
        "currency": "eur",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "requested_by_customer",
        "status": status,
        "created": NOW + 60,
    } | changes


def a_dispute(value: int, status: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": value,
        "charge": "ch_1",
        "currency": "eur",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": status,
        "created": NOW + 120,
    } | changes


def a_session(status: str = "paid", **changes: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "amount_total": 120_000,
        "currency": "eur",
        "customer": "cus_1",
        "invoice": None,
        "metadata": {"dunwell_invoice_id": "inv-1"},
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_status": status,
        "status": "complete",
        "created": NOW,
    } | changes


def a_portion(payment: str = "pi_1", billed: str = "in_1", value: int = 120_000, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"inpay_{payment}",
        "object": "invoice_payment",
        "amount_paid": value,
        "amount_requested": value,
        "currency": "eur",
        "invoice": billed,
        "is_default": True,
        "payment": {"type": "payment_intent", "payment_intent": payment},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": NOW},
        "created": NOW,
    } | changes


def an_invoice_of(billed: str = "in_1", **changes: Any) -> dict[str, Any]:
    """An open invoice over 1,200.00 EUR that is sent to be paid, due in two weeks."""
    return {
        "id": billed,
        "object": "invoice",
        "amount_due": 120_000,
        "amount_paid": 0,
        "amount_remaining": 120_000,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "collection_method": "send_invoice",
        "created": NOW,
        "currency": "eur",
        "customer": "cus_1",
        "customer_address": {
            "city": "Berlin",
            "country": "DE",
            "line1": "Werkstr. 12",
            "line2": None,
            "postal_code": "10115",
            "state": None,
        },
        "customer_email": "ap@brightwater.example",
        "customer_name": "Brightwater GmbH",
        "customer_phone": None,
        "customer_shipping": None,
        "customer_tax_ids": [{"type": "eu_vat", "value": "DE123456789"}],
        "due_date": NOW + 14 * 86_400,
        "effective_at": NOW,
        "hosted_invoice_url": "https://invoice.stripe.example/i/1",
        "metadata": {},
        "next_payment_attempt": None,
        "number": "ABCD-0001",
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "status": "open",
        "status_transitions": {
            "finalized_at": NOW,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "total": 120_000,
    } | changes


def a_credit_note(refunds: dict[str, int], billed: str = "in_1", **changes: Any) -> dict[str, Any]:
    return {
        "id": "cn_1",
        "object": "credit_note",
        "amount": sum(refunds.values()),
        "currency": "eur",
        "invoice": billed,
        "refunds": [{"amount_refunded": value, "refund": name, "type": "refund"} for name, value in refunds.items()],
        "status": "issued",
        "type": "post_payment",
        "created": NOW + 60,
    } | changes
