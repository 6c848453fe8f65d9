"""Invoice files: every record becomes an Invoice or says what is wrong with it, and harms no other."""

import sys
from collections import Counter
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from domain.invoice import UNDETERMINED, Contact, Customer, Invoice
from domain.terms import Role
from intake.currencies import Currency
from intake.fields import Fields
from intake.invoice_fields import CONTACT, CUSTOMER, INVOICE
from intake.lines import Record
from intake.records import read_records
from intake.refusals import Refusal, shown

__all__ = ["Refusal", "open_invoices", "parse_invoice", "read_invoices"]

_MOST_CONTACTS = 50


def open_invoices(path: str) -> Iterator[Invoice | Refusal]:
    """Read the invoice file at `path`; "-" is standard input.

    Bytes that are no UTF-8 refuse their record. Raises OSError at once when the file cannot be opened.
    """
    if path == "-":
        return _decoded(sys.stdin.buffer, path)
    return _decoded(Path(path).open("rb"), path)


def _decoded(source: BinaryIO, path: str) -> Iterator[Invoice | Refusal]:
    # Bad bytes come through as marks that the reader turns into refusals; an error would end the whole file.
    stream = TextIOWrapper(source, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        yield from read_invoices(stream, name=path)
    finally:
        stream.detach()
        if path != "-":
            source.close()


def read_invoices(stream: TextIO, *, name: str) -> Iterator[Invoice | Refusal]:
    """Read invoices one by one; bad content gives refusals and never raises.

    The suffix of `name` tells the format: .json (a list, or objects one after the other), .jsonl or .ndjson
    (one object a line), .csv. Any other name, such as "-", goes by the first sign: "[" or an object over
    several lines is JSON, "{" is JSON Lines, all else CSV.
    A record with several problems gives several refusals with the same `where`. Of two records with one
    invoice_id the first good one counts. `stream` has to be decoded so that bad bytes do not raise
    (errors="surrogateescape"); `open_invoices` does that. A `document` is a path from the folder of `name`, with "-"
    from the working folder.
    """
    places: dict[str, str] = {}
    folder = Path() if name == "-" else Path(name).parent
    for record in read_records(stream, name):
        if isinstance(record, Refusal):
            yield record
            continue
        found = _parse(record, folder)
        if isinstance(found, list):
            yield from found
        elif first := places.get(found.invoice_id):
            reason = f"was given on {first} already: keep one of the two"
            yield Refusal(record.where, "invoice_id", reason, shown(found.invoice_id))
        else:
            places[found.invoice_id] = record.where
            yield found


def parse_invoice(data: object, where: str) -> Invoice | list[Refusal]:
    """Check one decoded JSON value. Gives the invoice, or all its problems (25 at most), never an empty list.

    Numbers may be int or Decimal; a float amount is refused, since it may not be the number that was written.
    So is a document: whoever sends a value must not choose among the files of this machine.
    """
    return _parse(Record(where, data), None)


def _parse(record: Record, folder: Path | None) -> Invoice | list[Refusal]:
    """`folder` is where documents lie; None takes none."""
    fields = Fields(record, record.data, {*INVOICE, "customer"}, "", [])
    take = fields.take
    unit: Currency | None = take(INVOICE["currency"])
    # Refused values are None here; the invoice is built only when nothing was refused.
    values: dict[str, Any] = {
        "invoice_id": take(INVOICE["invoice_id"]),
        "number": take(INVOICE["number"]),
        "amount": take(INVOICE["amount"], unit=unit),
        "currency": unit and unit.code,
        "digits": unit and unit.digits,
        "issued_on": take(INVOICE["issued_on"]),
        "due_on": take(INVOICE["due_on"]),
        "payment_url": take(INVOICE["payment_url"]),
        "policy": take(INVOICE["policy"]),
        "jurisdiction": take(INVOICE["jurisdiction"]),
        "document": take(INVOICE["document"], folder=folder),
    }
    issued, due = values["issued_on"], values["due_on"]
    if issued and due and due < issued:
        fields.refuse("due_on", f"is before issued_on, {issued}: exchange or correct the dates", str(due))
    customer = _customer(fields.inner("customer", {*CUSTOMER, "contacts"}))
    if fields.refusals:
        return fields.refusals
    contacts = tuple(Contact(**contact) for contact in customer.pop("contacts"))
    return Invoice(**values, customer=Customer(**customer, contacts=contacts))


def _customer(fields: Fields) -> dict[str, Any]:
    customer_id = fields.take(CUSTOMER["id"])
    country = fields.take(CUSTOMER["country"])
    counts: Counter[Role | None] = Counter()
    contacts = []
    before = len(fields.refusals)
    for item in fields.items("contacts", CONTACT, _MOST_CONTACTS):
        contact = _contact(item, country)
        counts[contact["role"]] += 1
        contacts.append({"contact_id": f"{customer_id}.{contact['role']}.{counts[contact['role']]}", **contact})
    # An address that was refused is asked for by its own refusal.
    if len(fields.refusals) == before and not any(map(_can_be_asked, contacts)):
        others = ", ".join(role for role in Role if role is not Role.ACCOUNT_MANAGER)
        fields.refuse("contacts", f"hold nobody to ask: give an e-mail, a phone or a post address of one of {others}")
    return {
        "customer_id": customer_id,
        "name": fields.take(CUSTOMER["name"]),
        "country": country,
        "time_zone": fields.take(CUSTOMER["time_zone"]),
        "language": fields.take(CUSTOMER["language"]) or UNDETERMINED,
        "contacts": contacts,
    }


def _contact(fields: Fields, country: str | None) -> dict[str, Any]:
    return {
        "role": fields.take(CONTACT["role"]),
        "name": fields.take(CONTACT["name"]),
        "email": fields.take(CONTACT["email"]),
        "phone": fields.take(CONTACT["phone"], region=country),
        "post": fields.take(CONTACT["post"]),
    }


def _can_be_asked(contact: dict[str, Any]) -> bool:
    # One line is no address that a letter could go to.
    reachable = contact["email"] or contact["phone"] or "\n" in (contact["post"] or "")
    return contact["role"] is not Role.ACCOUNT_MANAGER and bool(reachable)
