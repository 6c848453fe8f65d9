"""The OpenAPI description of the API: the schema of every request body and every answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from dunwell.client.answers import TellOutcome
from dunwell.client.starting import Start
from dunwell.domain.bank_entry import EntryState
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.claim import ClaimCertainty
from dunwell.domain.clerk_answer import Phrase
from dunwell.domain.events import EVENTS, PERSONAL_DECISIONS, CreditReturned
from dunwell.domain.figures.ageing import Bucket
from dunwell.domain.links import LinkKind, Scope
from dunwell.domain.notifications import BODIES, Notification
from dunwell.domain.people import CONSENTS
from dunwell.domain.principals import ON_REQUEST, PrincipalKind
from dunwell.domain.principals import Role as PrincipalRole
from dunwell.domain.reply_terms import FoundBy, ReplyChannel, ReplyKind, ReplyLine, ReplyOutcome
from dunwell.domain.standstill import Standstill
from dunwell.domain.terms import Access, DebtorKind, Head, Level, MessageState, Role, Stage
from dunwell.gateways.signed_post import IDEMPOTENCY_HEADER, SIGNATURE_HEADER
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER, INVOICE, Field
from dunwell.services.statements import StatementPreview
from dunwell.web.api.paging import MOST
from workflows.status import Status

Schema = dict[str, Any]

_PLACE = "#/components/schemas/{model}"
_EVENT_PATH = "/api/cases/{invoice_id}/{event}"
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_DAY: Schema = {"type": "string", "format": "date"}
_COUNT: Schema = {"type": "integer"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_AMOUNT: Schema = {"type": "string", "description": "An exact amount, such as 1200.00"}
_FILE: Schema = {"type": "string", "format": "binary"}
_MOST_INVOICES = 500


def _object(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    return {"type": "object", "properties": {**needed, **(optional or {})}, "required": list(needed)} | more


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items} | more


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": _PLACE.format(model=name)}


def _page(name: str) -> Schema:
    """Return the schema of one page of a list, whose answer has the header Link when there is more."""
    return _list(_ref(name), maxItems=MOST)


def _words(kinds: Any) -> Schema:
    return {"type": "string", "enum": [str(kind) for kind in kinds]}


def _incoming_payment() -> Schema:
    part = dict.fromkeys(("invoice_id", "number", "customer_id", "customer"), _TEXT) | {"amount": _AMOUNT}
    booking = {"payment_id": _TEXT, "by": _TEXT, "at": _TIME, "refused": _maybe(_TEXT), "undone_at": _maybe(_TIME)}
    booking["not_counted"] = {**_FLAG, "description": "Its case asks a person first: it may have been paid before."}
    proposal = {"number": {"type": "integer"}, "reasons": _list(_TEXT), "parts": _list(_object(part))}
    proposal["stale"] = _maybe(_TEXT | {"description": "Why it cannot be confirmed any more."})
    return _object(
        {
            **dict.fromkeys(("entry_id", "currency", "text", "why"), _TEXT),
            "source": {"type": "string", "description": "bank, or the provider that reported it"},
            "state": _words(EntryState),
            "amount": _AMOUNT,
            **dict.fromkeys(("received_at", "since"), _TIME),
            "age_days": {"type": "integer"},
            "overdue": _FLAG,
            "same_as": _maybe(_TEXT | {"description": "Why it may be money that is booked already."}),
            "taken_back": {
                **_FLAG,
                "description": "It went back to the payer. Without `returned_on`, only that was reported, and never "
                "that it came in.",
            },
            "returned_on": _maybe(_DAY | {"description": "The day on which its money went back to the payer."}),
            **dict.fromkeys(("payer_name", "payer_iban"), _maybe(_TEXT)),
            "reference": _maybe(
                _TEXT | {"description": "The payer's own id of the transfer, or that of the provider."}
            ),
            "proposals": _list(_object(proposal)),
            "bookings": _list(_object(part | booking)),
        }
    )


def _reply(**more: Schema) -> Schema:
    return _object(
        {
            **dict.fromkeys(("reply_id", "sender", "sender_name", "why", "start", "time_zone"), _TEXT),
            **dict.fromkeys(("customer_id", "customer", "contact_id", "contact", "language"), _maybe(_TEXT)),
            "channel": _words(ReplyChannel),
            "kind": _words(ReplyKind),
            "found_by": _maybe(_words(FoundBy)),
            **dict.fromkeys(("rehearsal", "forwarded", "waits"), _FLAG),
            "received_at": _TIME,
            "age_days": {"type": "integer"},
            "open": _list(_object({"amount": _AMOUNT, "currency": _TEXT})),
            "handled_at": _maybe(_TIME),
            "handled_by": _maybe(_TEXT),
            "outcome": _maybe(_words(ReplyOutcome)),
            **more,
        }
    )


def _reply_whole() -> Schema:
    proposal = {"line": _words(ReplyLine), "words": _TEXT, "day": _maybe(_DAY), "amount": _maybe(_AMOUNT)}
    file = dict.fromkeys(("name", "given_name", "media_type"), _TEXT)
    invoice = {"invoice_id": _TEXT, "number": _TEXT, "open": _maybe(_AMOUNT), "due_on": _maybe(_DAY)}
    answer = dict.fromkeys(("answer_id", "reply_id", "invoice_id", "words", "by"), _TEXT)
    sent = dict.fromkeys(("message_id", "state", "body"), _maybe(_TEXT))
    return _reply(
        subject=_TEXT,
        text={"type": "string", "description": "What is new in it, without what it quotes."},
        whole=_TEXT,
        verdicts={"type": "object", "description": "Of the sender, by the provider: SPF; DKIM with who signed."},
        message_id=_maybe(_TEXT),
        proposals=_list(_object(proposal | {"currency": _maybe(_TEXT)})),
        files=_list(_object(file | {"number": _COUNT, "size": _COUNT, "kept": _FLAG})),
        invoices=_list(_object(invoice | dict.fromkeys(("currency", "stage"), _maybe(_TEXT)))),
        answers=_list(_object(answer | sent | {"phrases": _list(_words(Phrase)), "made_at": _TIME})),
    )


# Request bodies ------------------------------------------------------------------------------------------


def _fields(fields: Mapping[str, Field], *left_out: str) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return the schemas of the needed and of the optional fields of an object."""
    shown = {name: one for name, one in fields.items() if name not in left_out}
    needed = {name: _field(one) for name, one in shown.items() if one.needed}
    return needed, {name: _field(one) for name, one in shown.items() if not one.needed}


def _field(one: Field) -> Schema:
    schema = {**one.schema, "description": one.about, "examples": [one.example]}
    return schema if one.needed else _maybe(schema)


def _invoice() -> Schema:
    people = _list(_object(*_fields(CONTACT), additionalProperties=False), maxItems=50)
    needed, optional = _fields(CUSTOMER)
    customer = _object(needed, optional | {"contacts": people}, additionalProperties=False)
    needed, optional = _fields(INVOICE, "document")  # a file of the machine on which the service runs
    return _object(needed | {"customer": customer}, optional | {"contacts": people}, additionalProperties=False)


def _with_note(schema: Schema) -> Schema:
    note = {"type": "string", "maxLength": 4000, "description": "Free words; they stay in the database."}
    return schema | {"properties": schema["properties"] | {"note": _maybe(note)}}


# Answers -------------------------------------------------------------------------------------------------


def _answers() -> dict[str, Schema]:
    problem = _object({"field": _TEXT, "reason": _TEXT}, {"value": _TEXT})
    results = _words([*Start, "refused", "not tried"])
    item = _object(
        {"item": {"type": "integer"}, "invoice_id": _maybe(_TEXT), "result": results},
        {"problems": _list(problem), "changes": _list(_TEXT), "language": _TEXT},
        description="What became of one invoice of the list; `problems` when it was refused.",
    )
    hold = _object({"invoice_id": _TEXT, "level": _words(Level), "reason": _TEXT, "since": _TIME})
    access = {"customer_id": _TEXT, "access": _words(Access), "work_on_hold": _FLAG, "holds": _list(hold)}
    return {
        "Problem": _object(
            {"reason": {"type": "string", "description": "What is wrong, and what to do."}},
            {"field": {"type": "string", "description": "Where: a field of the body, a parameter or a header."}},
        ),
        "Started": _object({"items": _list(item)}, {"reason": _TEXT}),
        "Taken": _object({"invoice_id": _TEXT, "result": _words(TellOutcome), "meaning": _TEXT}),
        "AccountAccess": _object(access, {"page_url": _TEXT}),
        "Account": _object(access | {"credits": _list(_ref("Credit"))}),
        "Claim": _claim(),
        "CustomerView": _customer_view(),
        "Changed": _object({"done": _list(_TEXT), "invoices": _list(_TEXT), "untold": {"type": "integer"}}),
        "Credit": _object({"invoice_id": _TEXT, "amount": _AMOUNT, "currency": _TEXT, "since": _TIME}),
        "Task": _task(),
        "IncomingPayment": _incoming_payment(),
        "Reply": _reply(),
        "ReplyWhole": _reply_whole(),
        "AnswerPreview": _object(
            {
                **dict.fromkeys(("invoice_id", "contact_id", "to", "language", "body"), _TEXT),
                "channel": _words(Channel),
                "stopped": _maybe(
                    _words(Channel) | {"description": "The channel that they wrote by, if they said STOP there."}
                ),
                "subject": _maybe(_TEXT),
                "enclosed": _list(_TEXT, description="The numbers of the invoices whose documents go with it."),
                "sms": _maybe({"type": "integer", "description": "How many SMS it makes."}),
                "leaves_at": _TIME,
                "delayed_by": _maybe(_TEXT | {"description": "The contact cap or limit of the law that delays it."}),
                "waits_for": {"type": "integer", "description": "Other replies that have to be handled first."},
            }
        ),
        "Approval": _object(
            {
                **dict.fromkeys(("approval_id", "invoice_id", "event", "requested_by"), _TEXT),
                "content": {"type": "object"},
                "requested_at": _TIME,
            },
            {"decision": _maybe(_TEXT), "decided_by": _maybe(_TEXT), "decided_at": _maybe(_TIME)},
        ),
        "CaseInList": _case_in_list(),
        "Message": _message(),
        "AuditEntry": _audit_entry(),
        "Figures": _figures(),
        "Health": {"type": "object", "additionalProperties": _TEXT, "description": '"ok", or what is wrong.'},
    }


def _claim() -> Schema:
    amounts = dict.fromkeys(("principal", "disputed", "interest", "lump_sum", "costs", "total"), _AMOUNT)
    rates = dict.fromkeys(("base", "margin"), _maybe(_TEXT))
    period = _object(
        {"from": _DAY, "to": _DAY, "days": {"type": "integer"}, "balance": _AMOUNT, **rates}
        | {"rate": {"type": "string", "description": "Per cent a year."}, "amount": _AMOUNT}
    )
    lists = dict.fromkeys(("reasons", "left_out", "gaps", "remarks"), _list(_TEXT))
    payment = _object(
        {"payment_id": _TEXT, "on": _DAY, "amount": _AMOUNT, "designation": _maybe(_words(Head)), "by": _TEXT}
        | {"met": _object(dict.fromkeys(map(str, Head), _AMOUNT))}
    )
    apart = {"lump_sum_apart": _maybe(_object({"amount": _AMOUNT, "currency": _TEXT}))}
    heads = dict.fromkeys(("principal", "interest", "lump_sum", "costs", "total"), _AMOUNT)
    given_up = _object({"on": _DAY, "why": _TEXT, **heads, **apart})
    given_up["description"] = "What was written off or waived: it is not claimed any more."
    return _object(
        {
            "invoice_id": _TEXT,
            "customer_id": _TEXT,
            "stage": _words(Stage),
            "as_of": _DAY,
            "due_on": _DAY,
            "currency": _TEXT,
        }
        | {**amounts, "certainty": _words(ClaimCertainty), "given_up": _maybe(given_up)}
        | {"periods": _list(period), "jurisdiction": _maybe(_TEXT), "customer_kind": _maybe(_words(DebtorKind))}
        | {"first_day": _maybe(_DAY), "basis": {"type": "object", "additionalProperties": _list(_TEXT)}, **lists}
        | {**apart, "payments": _list(payment)}
    )


def _customer_view() -> Schema:
    facts = dict.fromkeys(("customer_id", "name", "country", "time_zone", "language"), _TEXT)
    lists = ("corrected", "contacts", "invoices", "credit", "holds", "tasks", "messages")
    return _object(
        facts
        | {"rehearsal": _FLAG, "access": _words(Access), "work_on_hold": _FLAG, "pause": _maybe({"type": "object"})}
        | {name: _list({"type": "object"}) for name in lists}
    )


def _case_in_list() -> Schema:
    texts = dict.fromkeys(("invoice_id", "number", "customer_id", "customer", "currency"), _TEXT)
    facts = {**texts, "amount_due": _AMOUNT, "credit": _AMOUNT, "due_on": _DAY, "stage": _words(Stage)}
    facts |= {"next_step": _maybe(_TEXT), "next_at": _maybe(_TIME), "rehearsal": _FLAG, "access": _words(Access)}
    return _object(facts | {"standstill": _maybe(_ref("Standstill"))})


def _message() -> Schema:
    texts = dict.fromkeys(("message_id", "step", "to", "body"), _TEXT)
    facts = {**texts, "invoices": _list(_TEXT), "channel": _words(Channel), "state": _words(MessageState)}
    facts |= {"planned_at": _TIME, "rehearsal": _FLAG}
    maybe = dict.fromkeys(("reason", "subject", "provider_id"), _TEXT) | {"sent_at": _TIME}
    contact = _TEXT | {"description": "Left out of the mail to somebody whom a customer named as the payer."}
    return _object(facts, maybe | {"contact": contact})


def _figures() -> Schema:
    number, count = (
        _maybe({"type": "string", "description": "With one decimal place; null: not to be computed."}),
        _COUNT,
    )
    days = {"from": _DAY, "to": _DAY, "days": count}
    aged = {"open": _AMOUNT, "invoices": count, "disputed": _AMOUNT, "handed_over": _AMOUNT}
    of_sales = dict.fromkeys(("dso", "bpdso", "add", "cei"), number)
    risk = {**days, "billed": _AMOUNT, "open": _AMOUNT, "at_risk": _AMOUNT, "share": number}
    flow = dict.fromkeys(("opening", "sales", "amended", "paid", "given_up", "closing"), _AMOUNT)
    promises = {**dict.fromkeys(("due", "kept", "open"), count), "kept_share": number, "kept_count_share": number}
    promises |= dict.fromkeys(("due_amount", "kept_amount", "open_amount"), _AMOUNT)
    cash = _object({"payments": count, "amount": _AMOUNT})
    step = {"policy": _TEXT, "step": _TEXT, "reached": count, "paid": count, "share": number}
    sent = dict.fromkeys(("sent", "delivered", "bounced", "failed", "unconfirmed"), count)
    trend = {"day": _DAY, "open": _AMOUNT, "late_share": number, **of_sales}
    buckets = _object(dict.fromkeys(map(str, Bucket), _AMOUNT))
    one = {
        "currency": _TEXT,
        "period": _object(days),
        "receivables": _object({**aged, "not_due": _AMOUNT, "late": _AMOUNT, "late_share": number}),
        "ageing": _list(_object({"bucket": _words(Bucket), **aged, "share": number})),
        "roll_forward": _object(flow),
        **of_sales,
        **dict.fromkeys(("count_back", "average_days_late", "contact_to_cash"), number),
        "at_risk": _object(risk | {"months": _list(_object(risk))}),
        "promises": _object(promises),
        "cash": cash,
        "steps": _list(_object(step | {"payments": count, "amount": _AMOUNT})),
        "by_itself": cash,
        "calls": _list(_object({"kind": _TEXT, "result": _TEXT, "number": count, "share": number})),
        "deliverability": _list(_object({"channel": _TEXT, **sent, "share": number})),
        "credits": _object({"amount": _AMOUNT, "invoices": count}),
        "unmatched": _object({"amount": _AMOUNT, "payments": count, "oldest_days": _maybe(count)}),
        "trend": _list(_object(trend | {"ageing": buckets})),
    }
    return _object({"as_of": _TIME, "day": _DAY, "figures": _list(_object(one))})


def _audit_entry() -> Schema:
    maybe = dict.fromkeys(("name", "credential", "reason", "request_id"), _maybe(_TEXT))
    facts = {"entry_id": {"type": "integer"}, "at": _TIME, "kind": _words(PrincipalKind), "principal": _TEXT}
    facts |= {"role": _maybe(_words(PrincipalRole)), "action": _TEXT, "object": _TEXT, "number": {"type": "integer"}}
    return _object(facts | maybe | {"details": {"type": "object"}, "hash": _TEXT})


def _task() -> Schema:
    texts = ("task_id", "invoice_id", "number", "customer", "step", "kind", "time_zone", "reason")
    maybe = (
        *("contact", "contact_name", "contact_role", "phone", "phone_on_file", "phone_closed", "place", "currency"),
        *("script", "agent_script", "outcome_command", "words"),
    )
    facts = dict.fromkeys(texts, _TEXT) | {name: _maybe(_TEXT) for name in maybe}
    facts |= {"due_at": _TIME, "due_local": _TIME, "escalated_at": _maybe(_TIME)}
    facts |= {"amount": _maybe(_AMOUNT), "open": _maybe(_AMOUNT)}
    asked_by = _object({"policy": _TEXT, "version": {"type": "integer"}, "moved_by": _maybe(_TEXT)})
    facts |= {"asked_by": {"anyOf": [asked_by, {"type": "null"}]}}
    file = {"file_id": _TEXT, "name": _TEXT, "media_type": _TEXT, "size": {"type": "integer"}}
    own = {**_FLAG, "description": "The task is about this amount; else it is what is asked for now."}
    facts |= {"files": _list(_object(file)), "disputed": _FLAG, "own_amount": own}
    find = {
        "enum": [*AddressKind, None],
        "description": "What somebody has to find before anybody can call or visit.",
    }
    payer = _object(dict.fromkeys(("payer_id", "name", "email"), _TEXT))
    facts |= {"payer": {"anyOf": [payer, {"type": "null"}]}}
    facts |= {"to_find": find, "to_do": _maybe(_TEXT), "due_on": _maybe(_DAY)}
    return _object(facts | {"attempt": {"type": "integer"}, "requested": _FLAG, "phone_asked_for": _FLAG})


def _link() -> Schema:
    facts = {"link_id": _TEXT, "kind": _words(LinkKind), "contact": _maybe(_TEXT), "message_id": _maybe(_TEXT)}
    facts |= {"invoices": _list(_TEXT), "scopes": _list(_words(Scope)), "made_at": _TIME, "until": _maybe(_TIME)}
    return _object(facts | {"revoked_at": _maybe(_TIME), "revoked_by": _maybe(_TEXT), "reason": _maybe(_TEXT)})


_WHO: Schema = {"type": "string", "description": "Who says so: a role or an id."}
_ABOUT_A_CONTACT: Mapping[str, Schema] = {
    **dict.fromkeys((kind.value for kind in AddressKind), _TEXT),
    **{name: {"type": ["object", "string"]} for name in CONSENTS},
}
_CUSTOMER_FIELDS = ("name", "country", "language", "time_zone", "kind", "interest", "lump_sum")
_ONLY_CALLS: Schema = {**_FLAG, "description": "It is about calls alone: they are written to as before."}
_CORRECTIONS: Mapping[str, Schema] = {
    # path: its body
    "customers/{customer_id}/set": _object({"by": _WHO}, dict.fromkeys(_CUSTOMER_FIELDS, _TEXT)),
    "customers/{customer_id}/contacts": _object({"role": _words(Role), "name": _TEXT, "by": _WHO}, _ABOUT_A_CONTACT),
    "customers/{customer_id}/pause": _object({"reason": _TEXT, "by": _WHO}, {"until": _maybe(_DAY)}),
    "customers/{customer_id}/resume": _object({"by": _WHO}),
    "contacts/{contact_id}/set": _object({"by": _WHO}, {"name": _TEXT, **_ABOUT_A_CONTACT}),
    "contacts/{contact_id}/close": _object({"by": _WHO}, {"reason": _TEXT, "calls": _ONLY_CALLS}),
    "contacts/{contact_id}/open": _object({"by": _WHO}, {"calls": _ONLY_CALLS}),
    **dict.fromkeys(
        (
            "customers/{customer_id}/links/revoke",
            "contacts/{contact_id}/links/revoke",
            "links/{link_id}/revoke",
        ),
        _object({"reason": _TEXT, "by": _WHO}),
    ),
}
_LINK = '<address of the next page>; rel="next". Without it this is the last page.'
_NO_BODY: Schema = {}
_ASKED = _object({"invoice_id": _TEXT, "event": _words(ON_REQUEST), "reason": _TEXT})
_STARTED = "Started"
_STARTED_OR_PROBLEM: Schema = {"anyOf": [_ref(_STARTED), _ref("Problem")]}
_LIST_ERRORS: Mapping[int, tuple[str, Schema | None]] = {
    422: ("A parameter that is not known or cannot be read.", None),
    503: ("The database is away.", None),
}
_CASE_ERRORS = {404: "No such case.", 503: "The database or the Temporal server is away, or nobody answered in time."}
_OPERATIONS: Mapping[tuple[str, str], Mapping[int, tuple[str, Schema | None]]] = {
    # method and path: status to its meaning and the schema of its body; None: a Problem
    ("post", "/api/invoices"): {
        200: ("Every invoice has its case.", _ref(_STARTED)),
        207: ("Some were refused.", _ref(_STARTED)),
        422: ("All were refused, or the list is empty.", _STARTED_OR_PROBLEM),
        400: ("The body is no JSON.", None),
        413: (f"More than {_MOST_INVOICES} invoices, or more than a megabyte.", None),
        503: (
            "The Temporal server went away; what was not tried says so.",
            {"anyOf": [_ref(_STARTED), _ref("Problem")]},
        ),
    },
    ("get", "/api/invoices/{invoice_id}/claim"): {
        200: ("What may be claimed on that day.", _ref("Claim")),
        404: ("No such case.", None),
        422: ("The law that the claim needs is not chosen, unknown or not complete; or `as_of` is no day.", None),
        503: ("The database is away.", None),
    },
    ("get", "/api/cases/{invoice_id}"): {
        200: ("How the case stands.", _ref("Status")),
        **{code: (meaning, None) for code, meaning in _CASE_ERRORS.items()},
    },
    ("post", _EVENT_PATH): {
        200: ("The new status of the case.", _ref("Status")),
        202: ("Taken, but the case has not answered yet.", _ref("Taken")),
        400: ("The body is no JSON.", None),
        409: ("The first request with this key has no answer yet; Retry-After says when to ask again.", None),
        413: ("The body is longer than a megabyte.", None),
        422: ("Refused, by the field that is wrong.", None),
        **{code: (meaning, None) for code, meaning in _CASE_ERRORS.items()},
    },
    ("post", "/api/cases/{invoice_id}/credit_returned"): {
        200: ("The status of the invoice that was paid too much.", _ref("Status")),
        400: ("The body is no JSON.", None),
        413: ("The body is longer than a megabyte.", None),
        422: ("Refused, by the field that is wrong.", None),
        404: ("No such case.", None),
    },
    ("get", "/api/cases"): {200: ("The cases, by invoice id.", _page("CaseInList")), **_LIST_ERRORS},
    ("get", "/api/outbox"): {
        200: ("The messages, the first claimed first.", _page("Message")),
        404: ("No such invoice.", None),
        **_LIST_ERRORS,
    },
    ("get", "/api/tasks"): {
        200: ("The open tasks, the most urgent first.", _page("Task")),
        404: ("No such case.", None),
        **_LIST_ERRORS,
    },
    ("get", "/api/figures"): {
        200: ("The figures of each currency, that with most invoices first.", _ref("Figures")),
        422: ("No invoice in this currency is known; or `as_of` is no day and no time, or lies ahead.", None),
        503: ("The database is away.", None),
    },
    ("get", "/api/audit"): {200: ("The entries, the oldest first.", _page("AuditEntry")), **_LIST_ERRORS},
    ("get", "/api/accounts/{customer_id}"): {
        200: ("What the account may do, and its credit.", _ref("Account")),
        404: ("No such customer.", None),
        503: ("The database is away.", None),
    },
    ("get", "/api/accounts/{customer_id}/access"): {
        200: ("What the account may do.", _ref("AccountAccess")),
        304: ("Unchanged since the answer whose ETag If-None-Match names.", _NO_BODY),
        404: ("No such customer.", None),
        503: ("The database is away.", None),
    },
    ("get", "/api/customers/{customer_id}"): {
        200: ("The customer whole.", _ref("CustomerView")),
        404: ("No such customer.", None),
        503: ("The database is away.", None),
    },
    **{
        ("post", f"/api/{path}"): {
            200: ("What was done, and how many cases hear of it only at their next step.", _ref("Changed")),
            400: ("The body is no JSON.", None),
            404: ("No such customer, contact or link.", None),
            413: ("The body is longer than a megabyte.", None),
            422: ("Refused, by the field that is wrong.", None),
            503: ("The database is away.", None),
        }
        for path in _CORRECTIONS
    },
    ("get", "/api/customers/{customer_id}/links"): {
        200: ("The links, the latest first.", _list(_link())),
        404: ("No such customer.", None),
        503: ("The database is away.", None),
    },
    ("post", "/api/links/{link_id}/show"): {
        200: ("The address.", _object({"address": _TEXT})),
        404: ("No such link.", None),
        422: ("The link opens nothing, so its address is not shown.", None),
        503: ("The database is away.", None),
    },
    ("get", "/api/approvals"): {200: ("What waits, the oldest first.", _list(_ref("Approval")))},
    ("post", "/api/approvals"): {
        201: ("Asked for.", _object({"approval_id": _TEXT})),
        400: ("The body is no JSON.", None),
        404: ("No such case, or it has ended.", None),
        413: ("The body is longer than a megabyte.", None),
        422: ("Refused, by the field that is wrong.", None),
    },
    **{
        ("post", f"/api/approvals/{{approval_id}}/{decision}"): {
            200: ("Decided.", _object({"approval_id": _TEXT, "invoice_id": _TEXT, "result": _TEXT})),
            404: ("No such request.", None),
            422: ("Decided before, or the case refuses it.", None),
            503: ("The database or the Temporal server is away, or nobody answered in time.", None),
        }
        for decision in ("approve", "decline")
    },
    ("get", "/api/replies"): {200: ("What waits, the oldest first.", _list(_ref("Reply")))},
    ("get", "/api/replies/{reply_id}"): {200: ("The reply.", _ref("ReplyWhole")), 404: ("No such reply.", None)},
    **{
        ("post", f"/api/replies/{{reply_id}}/{act}"): {
            200: (said, _ref(model)),
            400: ("The body is no JSON.", None),
            404: ("No such reply.", None),
            413: ("The body is longer than a megabyte.", None),
            422: ("Refused, by the field that is wrong; nothing was done.", None),
        }
        for act, said, model in (
            ("handled", "Handled.", "ReplyWhole"),
            ("preview", "The answer as it would leave.", "AnswerPreview"),
            ("answer", "Answered.", "ReplyWhole"),
            ("writer", "Noted.", "ReplyWhole"),
        )
    },
    ("get", "/api/incoming-payments"): {200: ("What waits, the oldest first.", _list(_ref("IncomingPayment")))},
    ("get", "/api/incoming-payments/{entry_id}"): {
        200: ("The payment.", _ref("IncomingPayment")),
        404: ("No such payment.", None),
    },
    **{
        ("post", f"/api/incoming-payments/{{entry_id}}/{decision}"): {
            200: ("Decided.", _ref("IncomingPayment")),
            400: ("The body is no JSON.", None),
            404: ("No such payment or proposal.", None),
            413: ("The body is longer than a megabyte.", None),
            422: ("Refused, by the field that is wrong.", None),
        }
        for decision in (
            "match",
            "proposals/{number}/confirm",
            "proposals/{number}/reject",
            "undo",
            "set-aside",
        )
    },
    ("post", "/api/statements"): {
        200: ("What follows from each entry, or what came of it.", _ref("StatementPreview")),
        408: ("The body did not arrive in time.", None),
        413: ("The body is longer than a megabyte: use `starter.py statement`.", None),
        422: ("The file cannot be read, or it has problems that nobody accepts.", None),
        503: ("The database or the Temporal server is away.", None),
    },
    ("get", "/livez"): {200: ("The service runs.", _ref("Health"))},
    ("get", "/readyz"): {
        200: ("Webhooks can be taken in.", _ref("Health")),
        503: ("The database cannot be used.", _ref("Health")),
    },
    ("get", "/healthz"): {
        200: ("Database and Temporal server can be used.", _ref("Health")),
        503: ("One of them cannot.", _ref("Health")),
    },
}


_MATCHING: Mapping[str, Schema] = {
    "match": _object(
        {"invoices": _list(_object({"invoice_id": _TEXT}, {"amount": _maybe(_AMOUNT)}), minItems=1)},
        additionalProperties=False,
    ),
    "set-aside": _object({"reason": _TEXT}, additionalProperties=False),
}
"""The bodies of decisions about an incoming payment."""
_ANSWER = _object(
    {},
    {
        "phrases": _list(_words(Phrase), description="Of the catalogue, in this order."),
        "text": {"type": "string", "maxLength": 4000, "description": "Words of one's own, after the phrases."},
        "invoice_id": _maybe(
            {"type": "string", "description": "Of which invoice it speaks, if not of the one meant."}
        ),
    },
)
_REPLY_BODIES: Mapping[str, Schema] = {
    "preview": _ANSWER,
    "answer": _ANSWER,
    "writer": _object({"contact_id": _TEXT}),
}
"""The bodies of what is done with a reply."""

_OF_KEYS: Mapping[int, tuple[str, Schema | None]] = {
    401: ("The key is missing, not known, revoked or expired.", None),
    403: ("The role of the key may not do this.", None),
}
_UNDESCRIBED: Mapping[int, tuple[str, Schema | None]] = {200: ("Done.", {"type": "object"}), 422: ("Refused.", None)}
"""The answers of an operation without a row above. A test checks that every operation has one."""


def described(method: str, path: str) -> bool:
    """Return whether the answers of an operation are described."""
    return (method, path) in _OPERATIONS


def describe(found: Schema) -> Schema:
    """Return the description that FastAPI `found`, with the bodies, answers and errors of the service."""
    paths: dict[str, Schema] = {}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            shown = _operation(path, operation, _OPERATIONS.get((method, path), _UNDESCRIBED))
            if path == _EVENT_PATH:
                for event in sorted(PERSONAL_DECISIONS):
                    paths[path.replace("{event}", event)] = {method: _event(event, shown)}
                continue
            if body := _CORRECTIONS.get(path.removeprefix("/api/")) if method == "post" else None:
                shown["requestBody"] = _body(body)
            if (method, path) == ("post", "/api/approvals"):
                shown["requestBody"] = _body(_ASKED)
            if body := _MATCHING.get(path.removeprefix("/api/incoming-payments/{entry_id}/")):
                shown["requestBody"] = _body(body)
            if body := _REPLY_BODIES.get(path.removeprefix("/api/replies/{reply_id}/")):
                shown["requestBody"] = _body(body)
            if path == "/api/statements":
                shown["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": _FILE}}}
            if path.endswith("/credit_returned"):
                shown["requestBody"] = _body(_ref(CreditReturned.__name__))
            if path == "/api/invoices":
                several = _list(_ref("Invoice"), minItems=1, maxItems=_MOST_INVOICES)
                shown["requestBody"] = _body({"anyOf": [_ref("Invoice"), several]})
            paths.setdefault(path, {})[method] = shown
    return found | {"paths": paths, "webhooks": _webhooks(), "components": _components()}


def _operation(path: str, operation: Schema, answers: Mapping[int, tuple[str, Schema | None]]) -> Schema:
    guarded = path.startswith("/api/")
    every = {**answers, **(_OF_KEYS if guarded else {})}
    if guarded:
        every.setdefault(503, ("The database is away.", None))
    shown = {key: value for key, value in operation.items() if key not in ("responses", "requestBody", "parameters")}
    parameters = [one for one in operation.get("parameters", ()) if one["name"] != "authorization"]
    return shown | {
        **({"parameters": parameters} if parameters else {}),
        **({"security": [{"key": []}]} if guarded else {"security": []}),
        "responses": {str(status): _answer(meaning, schema) for status, (meaning, schema) in sorted(every.items())},
    }


def _answer(meaning: str, schema: Schema | None) -> Schema:
    if schema is _NO_BODY:
        return {"description": meaning}
    found = {"description": meaning, "content": {"application/json": {"schema": schema or _ref("Problem")}}}
    if schema is not None and "maxItems" in schema:
        found["headers"] = {"Link": {"description": _LINK, "schema": _TEXT}}
    return found


def _event(name: str, operation: Schema) -> Schema:
    """Return the operation of one event. FastAPI knows only the path that all events share."""
    parameters = [one for one in operation["parameters"] if one["name"] != "event"]
    return operation | {
        "summary": f"Tell a case: {name.replace('_', ' ')}",
        "operationId": f"{operation['operationId']}_{name}",
        "parameters": parameters,
        "requestBody": _body(_ref(EVENTS[name].__name__)),
    }


def _webhooks() -> Schema:
    """Return what subscribers are sent: for each event a signed POST."""
    headers = [
        {"name": name, "in": "header", "required": True, "schema": _TEXT, "description": about}
        for name, about in (
            (SIGNATURE_HEADER, "t=<Unix seconds>,v1=<hex HMAC-SHA256 of t, a full stop and the raw body>"),
            (IDEMPOTENCY_HEADER, "The event_id: the same for every attempt."),
        )
    ]
    answers = {"2XX": {"description": "Taken. Anything else: the same is sent again, for three days."}}
    return {
        model.topic.value: {
            "post": {
                "summary": (model.__doc__ or "").partition("\n")[0],
                "security": [],
                "parameters": headers,
                "requestBody": _body(_told(model)),
                "responses": answers,
            }
        }
        for model in BODIES
    }


def _told(model: type[Notification]) -> Schema:
    """Return the schema of the body that tells one event."""
    head = {"event_id": _TEXT, "event": {"const": model.topic.value}, "at": _TIME}
    facts = _ref(model.__name__)
    return {"allOf": [_object(head), facts]}


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _components() -> Schema:
    events: list[type[BaseModel]] = [EVENTS[name] for name in sorted(PERSONAL_DECISIONS)]
    schemas = _schemas([*events, CreditReturned], "validation")
    for model in events:
        schemas[model.__name__] = _with_note(schemas[model.__name__])
    status = _schemas([Status, Standstill], "serialization")
    told = _schemas(list(BODIES), "serialization")
    for model in BODIES:
        told[model.__name__].pop("additionalProperties", None)  # the id, topic and time of the event stand beside
    extras = {
        "copied": {"type": "string", "description": "Why this is the database's copy of the case."},
        "interrupted": {"type": "string", "description": "How its run ended in Temporal before its case did."},
        "remark": {"type": "string", "description": "What else there is to know about what was told."},
        "standstill": _maybe(_ref("Standstill")),
        "credits_beside": _list(_ref("Credit"), description="The credit on the customer's other invoices."),
        "claim": _maybe(_ref("Claim")),
        "no_claim": _maybe({"type": "string", "description": "Why there is no claim."}),
    }
    status["Status"]["properties"] |= extras
    brought = _schemas([StatementPreview], "serialization")
    brought["StatementPreview"]["properties"] |= {
        "booked": _FLAG,
        "totals": _list(
            _object({"verdict": _TEXT, "currency": _TEXT, "entries": {"type": "integer"}, "sum": _AMOUNT})
        ),
    }
    schemas = brought | told | status | schemas | _answers() | {"Invoice": _invoice()}
    return {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}


def _schemas(models: list[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Schema]:
    _, found = models_json_schema([(model, mode) for model in models], ref_template=_PLACE)
    schemas: dict[str, Schema] = found["$defs"]
    return schemas
