"""A Stripe invoice with its customer, as a record of an invoice file (docs/invoices.md), not checked yet.

Metadata of the invoice counts more than that of the customer, and metadata more than fields. Its keys are `dunwell_`
and the field's name; those of contacts are named as the columns of a CSV file are: `dunwell_manager_email`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from dunwell.domain.terms import Role

PREFIX = "dunwell_"
_PLAIN = ("policy", "jurisdiction", "interest", "lump_sum")
_OF_CUSTOMER = ("kind", "group", "time_zone")
_PARTS = ("name", "email", "phone", "post")

Object = Mapping[str, Any]


def invoice_record(invoice: Object, amount: Decimal) -> dict[str, Any]:
    """Return the record. `amount` is what is due. The customer is the expanded one, else the copy in the invoice."""
    customer = invoice.get("customer")
    whole: Object = customer if isinstance(customer, dict) else {}
    metadata = _metadata(whole) | _metadata(invoice)
    transitions = _inner(invoice, "status_transitions")
    days = (transitions.get("finalized_at"), invoice.get("effective_at"), invoice.get("created"))
    issued = next((day for one in days if (day := _day(one))), None)
    due = _day(invoice.get("due_date")) or issued
    record = {
        "invoice_id": metadata.get("invoice_id"),
        "number": invoice.get("number") or invoice.get("id"),
        "amount": str(amount),
        "currency": str(invoice.get("currency") or "").upper(),
        "issued_on": issued.isoformat() if issued else None,
        "due_on": max(due, issued).isoformat() if due and issued else None,
        "payment_url": invoice.get("hosted_invoice_url"),
        **{name: metadata.get(name) for name in _PLAIN},
        "customer": _customer(invoice, whole, metadata),
    }
    return _filled(record)


def _customer(invoice: Object, customer: Object, metadata: Mapping[str, str]) -> dict[str, Any]:
    customer_id = customer.get("id") or invoice.get("customer")
    address = next(
        (
            one
            for one in (
                _inner(customer, "address"),
                _inner(invoice, "customer_address"),
                _inner(_inner(customer, "shipping"), "address"),
                _inner(_inner(invoice, "customer_shipping"), "address"),
            )
            if one.get("country")
        ),
        {},
    )
    name = customer.get("business_name") or customer.get("name") or invoice.get("customer_name")
    languages = customer.get("preferred_locales")
    return _filled(
        {
            "id": metadata.get("customer_id") or customer_id,
            "name": metadata.get("customer_name") or name,
            "country": metadata.get("country") or address.get("country"),
            "language": metadata.get("language")
            or (languages[0] if isinstance(languages, list) and languages else None),
            **{name: metadata.get(name) for name in _OF_CUSTOMER},
            "kind": metadata.get("kind") or _kind(invoice),
            "contacts": _contacts(invoice, customer, metadata, name, address),
        }
    )


def _kind(invoice: Object) -> str | None:
    """A customer with a tax id is a business; of one without it nobody knows."""
    taxed = invoice.get("customer_tax_ids")
    return "business" if isinstance(taxed, list) and taxed else None


def _contacts(
    invoice: Object, customer: Object, metadata: Mapping[str, str], name: object, address: Object
) -> list[dict[str, Any]]:
    """Return the customer's own addresses as those of accounts payable, and whom metadata names."""
    own = {
        "name": name,
        "email": customer.get("email") or invoice.get("customer_email"),
        "phone": customer.get("phone") or invoice.get("customer_phone"),
        "post": _post(name, address),
    }
    found = []
    for role in Role:
        given = {part: metadata.get(f"{role}_{part}") for part in _PARTS}
        known = own if role is Role.ACCOUNTS_PAYABLE else {}
        contact = _filled({part: given[part] or known.get(part) for part in _PARTS})
        if any(part in contact for part in ("email", "phone", "post")):
            found.append({"role": role.value, "name": name, **contact})
    return found


def _post(name: object, address: Object) -> str | None:
    place = " ".join(str(part) for part in (address.get("postal_code"), address.get("city")) if part)
    lines = [name, address.get("line1"), address.get("line2"), place, address.get("state")]
    return "\n".join(str(line) for line in lines if line) if address.get("line1") and place and name else None


def _metadata(found: Object) -> dict[str, str]:
    """Return our own keys of an object's metadata, without the prefix."""
    return {
        key.removeprefix(PREFIX): value.strip()
        for key, value in _inner(found, "metadata").items()
        if key.startswith(PREFIX) and isinstance(value, str) and value.strip()
    }


def _day(value: object) -> date | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC).date()
    except (OverflowError, OSError, ValueError):
        return None


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value not in (None, "", [])}


def _inner(holder: Object, key: str) -> Object:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}
