"""Stripe's objects in our words. What an object does not say, or says in a way that makes no sense, is left out.

Read are objects of the API version `MAJOR` alone; every monthly version of the same name only adds to it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from dunwell.domain.billing_events import (
    BilledInvoice,
    BillingEvent,
    CreditNoted,
    Fact,
    Named,
    OtherVersion,
    Paid,
    RefundedInAll,
    SubjectKind,
    TakenBack,
)
from dunwell.gateways.events import moment, plain_id, plain_kind
from dunwell.gateways.stripe.invoice_record import invoice_record
from dunwell.gateways.stripe.minor_units import amount

VERSION = "2026-10-28.endive"
"""The version of Stripe's API that requests ask for, and that the webhook endpoint must be made with."""
MAJOR = VERSION.partition(".")[2]

Object = Mapping[str, Any]

_SESSION, _INTENT, _PORTION = 0, 1, 2
"""How near an object is to the invoice: what a portion of it says counts more than what was charged in all."""

_PAYING = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_LOST = frozenset({"needs_response", "under_review", "lost"})


def event_of(event: Object) -> BillingEvent | None:
    """Return what an event of Stripe's means; None when it concerns no payment and no invoice. Never raises."""
    kind, found = plain_kind(event.get("type")), _inner(_inner(event, "data"), "object")
    event_id, at = event.get("id"), moment_of(event.get("created"))
    if not isinstance(event_id, str) or at is None:
        return None
    named = found.get("object")
    if not isinstance(named, str) or named not in _READERS or not isinstance(found.get("id"), str):
        return None
    version = event.get("api_version")
    if not isinstance(version, str) or version.partition(".")[2] != MAJOR:
        return _of_another_version(found, event_id, kind, str(version)[:40], at)
    return object_of(found, event_id, kind, at)


def object_of(found: Object, event_id: str, kind: str, at: datetime) -> BillingEvent | None:
    """Return what an object says; `at` is the time at which it stood so. None when it says nothing that counts."""
    read = _READERS.get(str(found.get("object")))
    try:
        said = read(found, kind, at) if read else None
    except (ValueError, TypeError, ArithmeticError, AttributeError):
        return None
    if said is None:
        return None
    subject, subject_kind, related, fact = said
    return BillingEvent(
        event_id=plain_id(event_id),
        kind=kind,
        subject=plain_id(subject),
        subject_kind=subject_kind,
        related=plain_id(related) if related else None,
        at=at,
        fact=fact,
    )


_Said = tuple[str, SubjectKind, str | None, Fact]


def _of_another_version(found: Object, event_id: str, kind: str, version: str, at: datetime) -> BillingEvent:
    object_id, named = str(found["id"]), str(found["object"])
    is_invoice = named in {"invoice", "credit_note"}
    subject = _id(found.get("invoice")) if named == "credit_note" else None if is_invoice else _payment_of(found)
    return BillingEvent(
        event_id=plain_id(event_id),
        kind=kind,
        subject=plain_id(subject or object_id),
        subject_kind=SubjectKind.INVOICE if is_invoice else SubjectKind.PAYMENT,
        at=at,
        fact=OtherVersion(kind=named, object_id=object_id, version=version, at=at),
    )


# Payments ------------------------------------------------------------------------------------------------


def _session(found: Object, kind: str, at: datetime) -> _Said | None:
    payment = _id(found.get("payment_intent"))
    if kind not in _PAYING | {"fetched"} or found.get("payment_status") != "paid" or payment is None:
        return None
    named = _named(found, billed=_id(found.get("invoice")))
    return _paid(payment, found, found.get("amount_total"), at, named, _SESSION)


def _intent(found: Object, kind: str, at: datetime) -> _Said | None:
    if found.get("status") != "succeeded":
        return None
    methods = found.get("payment_method_types")
    method = methods[0] if isinstance(methods, list) and len(methods) == 1 else None
    return _paid(found["id"], found, found.get("amount_received"), at, _named(found), _INTENT, method)


def _charge(found: Object, kind: str, at: datetime) -> _Said | None:
    """A charge with a PaymentIntent is reported as that; here are only its refunds, and charges without one."""
    payment = _payment_of(found)
    if found.get("status", "succeeded") != "succeeded" or not found.get("paid") or payment is None:
        return None
    currency = _currency(found)
    if kind == "charge.refunded" or (kind == "fetched" and found.get("amount_refunded")):
        total = amount(found.get("amount_refunded"), currency)
        fact = RefundedInAll(amount=total, currency=currency, at=at, named=_named(found))
        return payment, SubjectKind.PAYMENT, None, fact
    if payment != found["id"] or not found.get("captured"):
        return None
    method = _inner(found, "payment_method_details").get("type")
    return _paid(payment, found, found.get("amount_captured"), at, _named(found), _INTENT, method)


def _portion(found: Object, kind: str, at: datetime) -> _Said | None:
    """The part of a payment that pays an invoice: it joins Stripe's payment to Stripe's invoice."""
    payment = _inner(found, "payment")
    payment_id = _id(payment.get(str(payment.get("type"))))
    billed = _id(found.get("invoice"))
    if found.get("status") != "paid" or payment_id is None or billed is None:
        return None
    paid_at = moment_of(_inner(found, "status_transitions").get("paid_at")) or at
    return _paid(payment_id, found, found.get("amount_paid"), paid_at, Named(billed=billed), _PORTION)


def _refund(found: Object, kind: str, at: datetime) -> _Said | None:
    return _taken_back(found, "refund", returned=found.get("status") in {"failed", "canceled"}, at=at)


def _dispute(found: Object, kind: str, at: datetime) -> _Said | None:
    """An inquiry takes no money; a dispute does at once, whatever becomes of it."""
    status = found.get("status")
    if status not in _LOST | {"won"}:
        return None
    return _taken_back(found, "dispute", returned=status == "won", at=at)


def _taken_back(found: Object, reason: Any, *, returned: bool, at: datetime) -> _Said | None:
    payment, currency = _payment_of(found), _currency(found)
    taken = amount(found.get("amount"), currency)
    if payment is None or taken <= 0:
        return None
    fact = TakenBack(
        item_id=plain_id(found["id"]),
        reason=reason,
        amount=taken,
        currency=currency,
        at=moment_of(found.get("created")) or at,
        returned=returned,
        named=_named(found),
    )
    return payment, SubjectKind.PAYMENT, None, fact


def _paid(
    payment: str, found: Object, value: object, at: datetime, named: Named, rank: int, method: object = None
) -> _Said | None:
    currency = _currency(found)
    paid = amount(value, currency)
    if paid <= 0:
        return None
    fact = Paid(amount=paid, currency=currency, at=at, method=_word(method), named=named, rank=rank)
    return payment, SubjectKind.PAYMENT, named.billed, fact


# Invoices ------------------------------------------------------------------------------------------------


def _invoice(found: Object, kind: str, at: datetime) -> _Said | None:
    status = found.get("status")
    if status not in {"open", "paid", "void", "uncollectible"}:
        return None
    currency = _currency(found)
    fact = BilledInvoice(
        status=status,
        sent=found.get("collection_method") == "send_invoice",
        attempted=bool(found.get("attempted")) or (found.get("attempt_count") or 0) > 0,
        next_attempt=moment_of(found.get("next_payment_attempt")),
        reminds=bool(found.get("auto_advance")),
        amount=amount(found.get("amount_due"), currency),
        paid=amount(found.get("amount_paid") or 0, currency),
        currency=currency,
        at=at,
        named=_named(found, number=_text(found.get("number")), billed=found["id"]),
        record=invoice_record(found, amount(found.get("amount_due"), currency)),
    )
    return found["id"], SubjectKind.INVOICE, None, fact


def _credit_note(found: Object, kind: str, at: datetime) -> _Said | None:
    billed, currency = _id(found.get("invoice")), _currency(found)
    if billed is None:
        return None
    refunds: dict[str, Decimal] = {}
    listed = found.get("refunds")
    for one in listed if isinstance(listed, list) else []:
        refund = _id(one.get("refund"))
        if refund is not None:
            refunds[plain_id(refund)] = amount(one.get("amount_refunded"), currency)
    fact = CreditNoted(note_id=plain_id(found["id"]), refunds=refunds, void=found.get("status") == "void")
    return billed, SubjectKind.INVOICE, None, fact


_READERS: Mapping[str, Callable[[Object, str, datetime], _Said | None]] = {
    "checkout.session": _session,
    "payment_intent": _intent,
    "charge": _charge,
    "invoice_payment": _portion,
    "refund": _refund,
    "dispute": _dispute,
    "invoice": _invoice,
    "credit_note": _credit_note,
}


# Values --------------------------------------------------------------------------------------------------


def _named(found: Object, number: str | None = None, billed: str | None = None) -> Named:
    metadata = _inner(found, "metadata")
    return Named(
        invoice_id=_text(metadata.get("dunwell_invoice_id")),
        number=number or _text(metadata.get("dunwell_invoice_number")),
        billed=plain_id(billed) if billed else None,
    )


def _payment_of(found: Object) -> str | None:
    """Return the PaymentIntent that an object belongs to, else its charge."""
    own = found.get("id") if found.get("object") in {"payment_intent", "charge"} else None
    return _id(found.get("payment_intent")) or _id(found.get("charge")) or _id(own)


def _id(value: object) -> str | None:
    """Return the id of an object, which may be expanded."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def _currency(found: Object) -> str:
    """Return the currency. Raises ValueError when there is none."""
    code = found.get("currency")
    if not isinstance(code, str) or len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise ValueError("names no currency")
    return code.upper()


def _text(value: object) -> str | None:
    return value.strip()[:200] or None if isinstance(value, str) else None


def _word(value: object) -> str | None:
    """Return a provider's word as an event may hold it."""
    return plain_kind(value).replace("?", "") or None if isinstance(value, str) else None


def moment_of(value: object) -> datetime | None:
    """Return Stripe's Unix seconds as a time in UTC; None when they make no sense."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return moment(int(value)) if value == int(value) else None


def _inner(holder: Object, key: str) -> Object:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}
