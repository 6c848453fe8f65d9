"""The fields of an invoice record: name, check and explanation of each.

The reader, the CSV columns, docs/invoices.md and the OpenAPI description are all made from this list. A new field is
one row here and one line in dunwell/intake/invoices.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dunwell.domain.terms import DebtorKind, Role
from dunwell.intake import (
    address_checks,
    amount_checks,
    day_checks,
    invoice_documents,
    opening_history,
    place_checks,
    text_checks,
)

WRITTEN_IN_A_DIALECT = frozenset({"amount", "day", "rate"})
"""Kinds of values that depend on the dialect of a CSV file; their checks take `dialect`."""


@dataclass(frozen=True)
class Field:
    """One field of an object.

    check    takes the JSON value, and by name what else it depends on; returns the value to store or raises
             InvalidValue
    kind     the kind of value for people: "text", "day"
    about    what the field does, in a sentence or two
    example  a value that is accepted
    refused  values that are refused; the documentation shows the reasons
    needed   whether it must be given
    secret   whether messages must not show its value
    schema   JSON Schema of the value
    """

    name: str
    check: Callable[..., Any]
    kind: str
    about: str
    example: object
    refused: tuple[object, ...] = ()
    needed: bool = False
    secret: bool = False
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})


def _object(*fields: Field) -> Mapping[str, Field]:
    return MappingProxyType({one.name: one for one in fields})


INVOICE = _object(
    Field(
        "invoice_id", text_checks.identifier, "id",
        "Names the case: its workflow is `invoice-<invoice_id>`. Left out: made from `number`, with a hyphen for "
        "whatever an id cannot hold: `2027-0417` from `2027/0417`.",
        "INV-2027-0417", ("INV 17/2027",),
    ),
    Field(
        "number", text_checks.plain_name, "text", "The number printed on the invoice; every message names it.",
        "2027/0417", ("x" * 201,), needed=True,
    ),
    Field(
        "amount", amount_checks.amount, "amount",
        "What is asked for, tax included, with at most the digits of its currency.",
        "1200.00", ("0.00", "-50.00", "1200.005", "1,200.00"), needed=True,
        schema={"type": ["string", "number"]},
    ),
    Field("currency", amount_checks.currency, "code", "ISO 4217.", "EUR", ("euro", "DEM"), needed=True),
    Field("issued_on", day_checks.day, "day", "The day of the invoice.", "2027-02-01", ("1999-12-31",), needed=True,
          schema={"type": "string", "format": "date"}),
    Field(
        "due_on", day_checks.day, "day", "The day by which it is to be paid; not before `issued_on`.",
        "2027-03-03", ("2027-02-30", "2027-01-31"), needed=True, schema={"type": "string", "format": "date"},
    ),
    Field(
        "payment_url", address_checks.payment_url, "web address", "Where the debtor pays; messages link to it.",
        "https://pay.example.com/INV-2027-0417", ("http://pay.example.com/1",), secret=True,
        schema={"type": "string", "format": "uri"},
    ),
    Field(
        "policy", text_checks.policy, "name", "A ladder of the folder `policies`; left out, it is `gentle-saas`.",
        "gentle-saas", ("Gentle SaaS",),
    ),
    Field(
        "jurisdiction", place_checks.jurisdiction, "code",
        "Whose law governs interest and costs: a country, a part of one (`US-NY`) or `UK`, whose law is among "
        "[those known](jurisdictions.md). Left out: for businesses that of `SENDER_COUNTRY`, for consumers that of "
        "their own country.", "DE", ("Germany", "EU", "SG"),
    ),
    Field(
        "interest", amount_checks.interest, "rate",
        "Which interest is claimed for late payment: `statutory`, `none`, or the rate that was agreed, in per cent a "
        "year. Left out: as known before, else what the customer's record says, else `statutory` if a step of the "
        "ladder claims interest, else `none`.",
        "8.5", ("-1", "0", "120", "8.12345", "8 %", 8.5),
    ),
    Field(
        "lump_sum", text_checks.lump_sum, "word",
        "Whether the lump sum that the law gives for late payment is claimed: `statutory` or `none`. Left out: "
        "likewise.",
        "statutory", ("40.00",), schema={"type": "string", "enum": ["statutory", "none"]},
    ),
    Field(
        "paid", opening_history.paid, "amount",
        "What was paid before this file was made: one amount, or a list of `{payment_id?, amount, received_at?}`. It "
        "counts before the first message. A payment from before the import that is reported later is not counted "
        "twice: a person is asked first, unless its `payment_id` is the same. Used only when the invoice is new.",
        "200.00", ("-1",), schema={"type": ["string", "number", "array"]},
    ),
    Field(
        "reminded", opening_history.reminded, "list",
        "Steps of the ladder that were done elsewhere: a list of `{step, on}`, or text such as "
        "`first-reminder=2027-03-02`. The ladder goes on behind them, and messages name the days of those that "
        "were written. It is unknown whether such a message arrived, so it does not count as a warning before a "
        "restriction. Used only when the invoice is new.",
        [{"step": "first-reminder", "on": "2027-03-02"}], ("first reminder",), schema={"type": ["array", "string"]},
    ),
    Field(
        "document", invoice_documents.check, "path",
        "The invoice itself, a PDF of at most 5 MB: a path from the folder of the invoice file. Not over HTTP.",
        "pdf/2027-0417.pdf", ("../other.pdf",),
    ),
)  # fmt: skip

CUSTOMER = _object(
    Field("id", text_checks.identifier, "id", "One id for all invoices of a customer.", "C-1001", ("C 1001",),
          needed=True),
    Field("name", text_checks.company_name, "text", "The company, or the person who owes.", "Brightwater Ltd",
          ("Pay at https://pay.example", "www.brightwater.example"), needed=True),
    Field("country", place_checks.country, "code", "ISO 3166, two letters. It says which days are holidays.", "DE",
          ("Germany", "UK"), needed=True),
    Field(
        "time_zone", place_checks.time_zone, "name",
        "IANA. Contacts are made in the hours of this zone. It may be left out where all zones of the country show "
        "the same time all year, as in Germany or France, not in Spain, Portugal or the USA.",
        "Europe/Berlin", ("CET+1", "Europe/Berln"),
    ),
    Field(
        "language", place_checks.language, "tag",
        "BCP 47. Left out: the main language of the country if there are messages in it, else that of the ladder.",
        "en-GB", ("German", "pt_BR"),
    ),
    Field(
        "kind", text_checks.debtor_kind, "word",
        f"One of {', '.join(f'`{kind}`' for kind in DebtorKind)}. The debts of a customer who is, or may be, a "
        "consumer are never mentioned to other customers. Left out: as known before.",
        "business", ("company",), schema={"type": "string", "enum": [str(kind) for kind in DebtorKind]},
    ),
    Field(
        "group", text_checks.identifier, "id",
        "Customers of one group, none of them a consumer, may get one e-mail about the invoices of several of them "
        "where they share an address. Without a group no message speaks of two customers. Left out: as known before.",
        "vogel-holding", ("Vogel Holding",),
    ),
    Field(
        "interest", amount_checks.interest, "rate",
        "The same for all invoices of this customer that say nothing themselves. Left out: as known before.",
        "statutory", ("yes",),
    ),
    Field(
        "lump_sum", text_checks.lump_sum, "word", "Likewise. Left out: as known before.",
        "none", ("yes",), schema={"type": "string", "enum": ["statutory", "none"]},
    ),
)  # fmt: skip

CONTACT = _object(
    Field("role", text_checks.role, "word", f"One of {', '.join(f'`{role}`' for role in Role)} (ours).",
          "accounts_payable", ("boss",), needed=True,
          schema={"type": "string", "enum": [str(role) for role in Role]}),
    Field("name", text_checks.plain_name, "text", "The person, or the department.", "Katrin Vogel",
          ("Brightwater.com",), needed=True),
    Field("email", address_checks.email, "e-mail address", "One address; a second one is a second contact.",
          "ap@brightwater.example", ("ap@brightwater",), schema={"type": "string", "format": "email"}),
    Field("phone", address_checks.phone, "phone number",
          "For SMS and calls: `+` and the country's code, or as in the country.",
          "+493023125418", ("12",)),
    Field("post", address_checks.postal_address, "lines", "The address as on an envelope, at least two lines.",
          "Brightwater Ltd\nWerkstr. 12\n10115 Berlin", ("x" * 501,)),
    Field(
        "whatsapp_opt_in", day_checks.consent, "consent",
        "That this person agreed to WhatsApp at `phone`: `{on, source}`, or text such as `2027-01-15 order form`. "
        "Nothing is sent there without it.",
        {"on": "2027-01-15", "source": "order form"}, ("yes", {"on": "2027-01-15"}),
        schema={"type": ["object", "string"]},
    ),
)  # fmt: skip
