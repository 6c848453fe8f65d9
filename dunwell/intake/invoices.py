"""Reads invoice files. Each record becomes an Invoice or refusals; a bad record does not affect others."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dunwell.domain.cleaning import printable
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import UNDETERMINED, Customer, History, Invoice
from dunwell.domain.keys import ContactId
from dunwell.domain.people import is_third_party
from dunwell.domain.terms import Role
from dunwell.intake.contradictions import contradictions
from dunwell.intake.csv_columns import ColumnMap
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.currencies import Currency
from dunwell.intake.file_formats import read_records
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER, INVOICE
from dunwell.intake.lines import Record
from dunwell.intake.record_fields import Fields
from dunwell.intake.refusals import Refusal, shown
from dunwell.intake.source_lines import SourceLines
from dunwell.intake.text_checks import id_from
from dunwell.intake.time_zones import only_zone, zones_of

__all__ = ["InvoiceFile", "Refusal", "parse_invoice", "read_content", "read_file"]

NOBODY = (
    "hold nobody to ask: give an e-mail, a phone or a post address of one of "
    + ", ".join(role for role in Role if role is not Role.ACCOUNT_MANAGER)
    + "; in a CSV file by two columns, such as accounts_payable_name and accounts_payable_email"
)
_MOST_CONTACTS = 50


@dataclass(frozen=True)
class InvoiceFile:
    """The content of an invoice file.

    note    says how a CSV file was read; None for the default dialect
    places  where each of the invoices stands, by invoice id
    source  the lines of the file as they stand there; None where no line could be told from another
    """

    invoices: tuple[Invoice, ...]
    refusals: tuple[Refusal, ...]
    note: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    source: SourceLines | None = None


def read_file(path: str, asked: Dialect | None = None, mapped: ColumnMap | None = None) -> InvoiceFile:
    """Read the invoice file at `path`; "-" is standard input. Raises OSError when it cannot be read."""
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return read_content(content, path, asked, mapped)


def read_content(
    content: bytes,
    name: str,
    asked: Dialect | None = None,
    mapped: ColumnMap | None = None,
    *,
    documents: bool = True,
) -> InvoiceFile:
    """Read the invoices of a file. Bad content gives refusals; a bad record does not affect others.

    name     its suffix is the format: .json (a list, or objects one after the other), .jsonl or .ndjson (one object
             a line), .csv. For any other name, such as "-", the content decides: "[" or an object over several lines
             is JSON, "{" is JSON Lines, all else CSV. The path of a `document` starts at the folder of `name`, or at
             the working folder for "-"
    asked    the dialect of a CSV file; what it leaves open is determined from the file
    mapped   the fields that the columns of a CSV file hold
    documents  whether a record may name a file of this machine as its `document`

    A record with several problems gives several refusals with the same `where`. Records that share an invoice_id, or
    disagree about a customer, are all refused. Raises Refused when `asked` or `mapped` are given for a file that is
    no CSV.
    """
    asked, mapped = asked or Dialect(), mapped or ColumnMap()
    table = read_records(content, name, asked, mapped)
    folder = Path() if name == "-" else Path(name).parent
    records = [item for item in table.records if isinstance(item, Record)]
    found = iter(parse_records(records, folder if documents else None))
    invoices: list[Invoice] = []
    refusals: dict[Refusal, None] = {}  # a refusal that several records share appears once
    places: dict[str, str] = {}
    for item in table.records:
        one = [item] if isinstance(item, Refusal) else next(found)
        if isinstance(one, Invoice):
            invoices.append(one)
            places[one.invoice_id] = item.where
        else:
            refusals |= {refusal: None for refusal in one if refusal not in refusals}
    note = _noted(table.note, records, invoices)
    return InvoiceFile(tuple(invoices), tuple(refusals), note, places, table.source)


def _noted(note: str | None, records: Sequence[Record], invoices: Sequence[Invoice]) -> str | None:
    """Return the note on a file, which says that ids were made from the numbers."""
    given = {_given(record, "invoice_id") for record in records}
    made = next((one for one in invoices if one.invoice_id not in given), None)
    if made is None:
        return note
    said = f"Ids are made from the numbers, as {made.invoice_id} from {made.number}."
    return f"{note} {said}" if note else said


def parse_records(records: Sequence[Record], folder: Path | None = None) -> list[Invoice | list[Refusal]]:
    """Check the records of one file or request, each by itself and against the others.

    Returns for each record the invoice or its refusals. Records that are refused together have equal refusals.
    """
    found = [_parse(record, folder) for record in records]
    shared = {id(one): refusal for same in _repeated(records) for one in same for refusal in [_refuse_repeated(same)]}
    good = [
        (record, one)
        for record, one in zip(records, found, strict=True)
        if isinstance(one, Invoice) and id(record) not in shared
    ]
    wrong = contradictions(good)
    shared |= {
        id(record): wrong[one.customer.customer_id] for record, one in good if one.customer.customer_id in wrong
    }
    answers: list[Invoice | list[Refusal]] = []
    for record, one in zip(records, found, strict=True):
        refusals = [] if isinstance(one, Invoice) else one
        refusals = [*refusals, shared[id(record)]] if id(record) in shared else refusals
        answers.append([replace(refusal, about=_about(record)) for refusal in refusals] or one)
    return answers


def _about(record: Record) -> str:
    """Return what a record is about, as far as it says so: "invoice 1001 of Acme Ltd"."""
    number = printable(_given(record, "number") or _given(record, "invoice_id"))
    customer = record.data.get("customer") if isinstance(record.data, Mapping) else None
    names = [customer.get(key) for key in ("name", "id")] if isinstance(customer, Mapping) else []
    name = next((printable(one) for one in names if isinstance(one, str) and one.strip()), "")
    return " of ".join(filter(None, (f"invoice {number}" if number else "", name)))


def _id_of(record: Record) -> str:
    """Return the id of a record, or that made from its number; "" where there is neither."""
    return _given(record, "invoice_id") or (_numbered(record) and id_from(_given(record, "number"))) or ""


def _numbered(record: Record) -> bool:
    """Return whether the id is made from the number; not where the file has ids: a blank one may come later."""
    return isinstance(record.data, Mapping) and "invoice_id" not in {*record.data, *record.columns}


def _given(record: Record, field: str) -> str:
    data = record.data.get(field) if isinstance(record.data, Mapping) else None
    return data.strip() if isinstance(data, str) else ""


def _repeated(records: Sequence[Record]) -> list[list[Record]]:
    """Return the groups of records that share an invoice id."""
    by_id = defaultdict[str, list[Record]](list)
    for record in records:
        by_id[_id_of(record)].append(record)
    return [same for name, same in by_id.items() if name and len(same) > 1]


def _refuse_repeated(records: Sequence[Record]) -> Refusal:
    places = [one.where for one in records]
    named = "invoice_id" if _given(records[0], "invoice_id") else "number"
    field = records[0].columns.get(named, named)
    others = ", ".join(places[1:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
    reason = f"stands on {others} too, so none of them is started: write one record for each invoice, with its total"
    return Refusal(places[0], field, reason, shown(_id_of(records[0])), also=tuple(places[1:]))


def parse_invoice(data: object, where: str) -> Invoice | list[Refusal]:
    """Check one decoded JSON value. Returns the invoice, or its refusals (25 at most, never an empty list).

    Numbers may be int or Decimal; a float amount is refused, because it may differ from the number that was written.
    A document is refused, because a sender must not name files of this machine.
    """
    return _parse(Record(where, data), None)


def _parse(record: Record, folder: Path | None) -> Invoice | list[Refusal]:
    """Check one record. `folder` is where its document lies; None accepts no document."""
    fields = Fields(record, record.data, {*INVOICE, "customer", "contacts"}, "", [])
    take = fields.take
    unit: Currency | None = take(INVOICE["currency"])
    # A refused value is None here. The invoice is built only when no value was refused.
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
        "interest": take(INVOICE["interest"]),
        "lump_sum": take(INVOICE["lump_sum"]),
        "document": take(INVOICE["document"], folder=folder),
    }
    if values["invoice_id"] is None and _numbered(record):
        values["invoice_id"] = values["number"] and id_from(values["number"])
        if values["number"] and values["invoice_id"] is None:
            fields.refuse("invoice_id", "is missing, and none can be made from the number: give one")
    elif fields.is_blank("invoice_id") and isinstance(record.data, Mapping):
        fields.refuse("invoice_id", "is missing: it is needed")
    earlier = History(paid=take(INVOICE["paid"], unit=unit) or (), reminded=take(INVOICE["reminded"]) or ())
    issued, due = values["issued_on"], values["due_on"]
    if issued and due and due < issued:
        fields.refuse("due_on", f"is before issued_on, {issued}: exchange or correct the dates", str(due))
    if issued and earlier.reminded and earlier.reminded[0].on < issued:
        fields.refuse("reminded", f"holds a day before issued_on, {issued}: correct it", str(earlier.reminded[0].on))
    customer = _customer(fields.inner("customer", {*CUSTOMER, "contacts"}), fields)
    if fields.refusals:
        return fields.refusals
    shared, alone = (_people(customer.pop(name)) for name in ("contacts", "alone"))
    return Invoice(
        **values,
        history=earlier,
        customer=Customer(**customer, contacts=shared or ()),
        contacts=alone,
        names_contacts=shared is not None,
    )


def _customer(fields: Fields, invoice: Fields) -> dict[str, Any]:
    """Return the customer's values, with the contacts of the customer and those for this invoice alone."""
    customer_id = fields.take(CUSTOMER["id"])
    country = fields.take(CUSTOMER["country"])
    counts: Counter[Role | None] = Counter()
    before = len(fields.refusals)
    shared, alone = (_contacts(owner, customer_id, country, counts) for owner in (fields, invoice))
    listed = [*(shared or ()), *(alone or ())]
    # Not when an address was refused, which has its own refusal. An empty list is allowed: no contact is left.
    if country and shared and len(fields.refusals) == before and not any(map(_can_be_asked, listed)):
        fields.refuse("contacts", NOBODY)
    kind = fields.take(CUSTOMER["kind"])
    for role in dict.fromkeys(contact["role"] for contact in listed if is_third_party(kind, contact["role"])):
        fields.refuse(
            "contacts", f"names a contact of the role {role}: a private person's debt is told to nobody else"
        )
    return {
        "customer_id": customer_id,
        "name": fields.take(CUSTOMER["name"]),
        "country": country,
        "time_zone": _time_zone(fields, country),
        "language": fields.take(CUSTOMER["language"]) or UNDETERMINED,
        "kind": kind,
        "group": fields.take(CUSTOMER["group"]),
        "interest": fields.take(CUSTOMER["interest"]),
        "lump_sum": fields.take(CUSTOMER["lump_sum"]),
        "contacts": shared,
        "alone": alone,
    }


def _time_zone(fields: Fields, country: str | None) -> str | None:
    """Return the zone that is given, or else that of the country if all of it has the same time all year."""
    if country is None or not fields.is_blank("time_zone"):
        given: str | None = fields.take(CUSTOMER["time_zone"])
        return given
    found = only_zone(country, datetime.now(UTC).year)
    if found is None:
        zones = zones_of(country)
        several = f"{country} has more than one ({', '.join(zones[:3])}{', ...' if zones[3:] else ''})"
        why = several if zones else f"no zone of {country} is known here"
        fields.refuse("time_zone", f"is missing: {why}, so name the customer's")
    return found


def _contacts(
    fields: Fields, customer_id: str | None, country: str | None, counts: Counter[Role | None]
) -> list[dict[str, Any]] | None:
    """Return the contacts of a list, with ids as for a customer without known contacts; None if there is no list."""
    if not fields.has("contacts"):
        return None
    found = []
    for item in fields.items("contacts", CONTACT, _MOST_CONTACTS):
        contact = _contact(item, country)
        counts[contact["role"]] += 1
        key = ContactId(customer_id=str(customer_id), role=str(contact["role"]), number=str(counts[contact["role"]]))
        found.append({"contact_id": str(key), **contact})
    return found


def _people(found: list[dict[str, Any]] | None) -> tuple[Contact, ...] | None:
    return None if found is None else tuple(Contact(**contact) for contact in found)


def _contact(fields: Fields, country: str | None) -> dict[str, Any]:
    phone = CONTACT["phone"]
    # Without a country a number in national form cannot be read; the country has its own refusal.
    national = country is None and not str(fields.value(phone.name) or "").strip().startswith(("+", "00"))
    return {
        "role": fields.take(CONTACT["role"]),
        "name": fields.take(CONTACT["name"]),
        "email": fields.take(CONTACT["email"]),
        "phone": None if national else fields.take(phone, region=country),
        "post": fields.take(CONTACT["post"]),
        "whatsapp_opt_in": fields.take(CONTACT["whatsapp_opt_in"]),
    }


def _can_be_asked(contact: dict[str, Any]) -> bool:
    return can_be_asked(contact["role"], contact["email"], contact["phone"], contact["post"])


def can_be_asked(role: Role | None, email: str | None, phone: str | None, post: str | None) -> bool:
    """Return whether a contact of this role with these addresses can be asked to pay."""
    # A postal address needs at least two lines.
    return role is not Role.ACCOUNT_MANAGER and bool(email or phone or "\n" in (post or ""))
