"""Evidence as a person reads it: what happened, when, to whom it was said, and whether it arrived."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dunwell.domain.cleaning import one_line
from dunwell.domain.contact_labels import with_names
from dunwell.domain.evidence import END, VerifiedChain
from dunwell.domain.keys import ContactId

Data = Mapping[str, Any]

_ARRIVED = {
    "delivered": "delivered",
    "accepted": "taken by the provider, no word yet that it arrived",
    "bounced": "came back",
    "failed": "not delivered",
    "unknown": "nobody knows whether it left",
    "withheld": "not sent",
    "claimed": "not known to have left",
}


def chronology(verified: VerifiedChain) -> Iterator[str]:
    """One line a record, with what stands at the head and at the end of the file. Times are UTC."""
    header, *records = verified.records
    yield from map(one_line, _head(header["data"]))
    people = {one["contact_id"]: one for one in header["data"]["customer"]["contacts"]}
    for record in records:
        if record["kind"] != END:
            text = one_line(_AS_TEXT[record["kind"]](record["data"], people))
            yield f"{_minute(record['at'])}  {record['kind']:<14}  {text}"
    yield ""
    yield f"{len(verified.records)} records, chain head {verified.head}"


def _head(data: Data) -> Iterator[str]:
    customer = data["customer"]
    yield f"Invoice {data['number']} ({data['invoice_id']}) of {customer['name']} ({customer['customer_id']})"
    yield f"{data['amount']} {data['currency']}, issued {data['issued_on']}, due {data['due_on']}"
    for number, policy in enumerate(data["policies"]):
        yield f"Ladder {policy['policy']}, SHA-256 {policy['digest']}" + (" (moved to)" if number else "")
    if data["rehearsal"]:
        yield "A REHEARSAL: nothing of this was sent to anybody, and its times are made up."
    yield "All times are UTC."
    yield ""


def _in_names(reason: str, people: Data) -> str:
    """The reason with people by name and role."""
    names = {contact_id: one["name"] for contact_id, one in people.items()}
    for customer_id in {ContactId.parse(contact_id).customer_id for contact_id in names}:
        reason = with_names(reason, customer_id, names)
    return reason


def _timeline(data: Data, people: Data) -> str:
    where = ", ".join(str(data[name]) for name in ("step", "channel") if data[name])
    return f"{data['kind']}" + (f" [{where}]" if where else "") + f": {_in_names(data['reason'], people)}"


def _message(data: Data, people: Data) -> str:
    whom = people.get(data["contact_id"], {})
    named = f"{whom['name']} ({whom['role']}) " if whom else ""
    code = f" ({data['reason']})" if data["reason"] else ""
    moment = f" at {_minute(data['settled_at'])}" if data["settled_at"] else ""
    subject = f", “{data['subject']}”" if data["subject"] else ""
    provider = f"; {data['provider']} {data['provider_id']}" if data["provider_id"] else ""
    outcome = f"{_ARRIVED[data['state']]}{moment}{code}"
    return f"{data['message']} by {data['channel']} to {named}<{data['to']}>{subject}: {outcome}{provider}"


def _promise(data: Data, _people: Data) -> str:
    return f"{data['amount']} {data['currency']} for {data['date']} by {data['promised_by']}: {data['state']}"


def _task(data: Data, _people: Data) -> str:
    closed = f" at {_minute(data['closed_at'])}" if data["closed_at"] else ""
    return f"{data['kind']}, {data['reason']}: {data['state']}{closed}" + (
        f", {data['outcome']}" if data["outcome"] else ""
    )


def _payment(data: Data, _people: Data) -> str:
    giver = (
        f" of the credit of invoice {data['from_invoice']}, applied by {data['by']}" if "from_invoice" in data else ""
    )
    head = f" for {data['designation']}" if data["designation"] else ""
    why = f": {data['reason']}" if data.get("reason") else ""
    return f"{data['amount']} {data['currency']}{head}{giver} ({data['payment_id']}){why}"


def _hold(data: Data, _people: Data) -> str:
    return f"{data['level']}: {data['reason']}"


def _access(data: Data, _people: Data) -> str:
    published = f"published at {_minute(data['published_at'])}" if data["published_at"] else "not published yet"
    work = ", next milestone on hold" if data["work_on_hold"] else ""
    return f"account {data['access']}{work} ({data['reason']}); {published}"


def _note(data: Data, _people: Data) -> str:
    return f"by {data['author']}: {data['text']}"


def _address_closed(data: Data, _people: Data) -> str:
    return f"<{data['address']}> is not written to by {data['channel']} any more: {data['reason']}"


def _credit(data: Data, _people: Data) -> str:
    return f"{data['amount']} {data['currency']} paid too much, neither applied nor returned"


def _credit_used(data: Data, _people: Data) -> str:
    whither = f"applied to invoice {data['to_invoice']}" if data["to_invoice"] else "returned to the customer"
    return f"{data['amount']} {data['currency']} of the credit {whither}, by {data['by']} ({data['credit_id']})"


def _credit_undone(data: Data, _people: Data) -> str:
    whence = f"invoice {data['to_invoice']}" if data["to_invoice"] else "the customer"
    return f"{data['amount']} {data['currency']} came back from {whence}: credit again ({data['credit_id']})"


_HEADS = ("principal", "interest", "lump_sum", "costs")


def _claim(data: Data, _people: Data) -> str:
    claim = data["claim"]
    if claim is None:
        return f"not known: {data['no_claim']}"
    heads = ", ".join(f"{claim[head]} {head.replace('_', ' ')}" for head in _HEADS)
    law = f" by the law of {claim['jurisdiction']}" if claim["jurisdiction"] else ""
    return f"{claim['total']} {claim['currency']} on {claim['as_of']}{law}: {heads}; {claim['certainty']}"


def _standing(data: Data, _people: Data) -> str:
    return f"{data['stage']}, {data['open']} {data['currency']} open of {data['amount']}, access {data['access']}"


_AS_TEXT: Mapping[str, Callable[[Data, Data], str]] = {
    "timeline": _timeline,
    "message": _message,
    "promise": _promise,
    "task": _task,
    "payment": _payment,
    "reversal": _payment,
    "hold": _hold,
    "hold_released": _hold,
    "access": _access,
    "note": _note,
    "address_closed": _address_closed,
    "credit": _credit,
    "credit_used": _credit_used,
    "credit_undone": _credit_undone,
    "standing": _standing,
    "claim": _claim,
}

KINDS: Sequence[str] = tuple(_AS_TEXT)
"""Every kind of record between the header and the end."""


def _minute(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
