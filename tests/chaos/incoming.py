"""Judges the money that came in by Stripe, by webhook and by bank: each cent is booked once, or is shown."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.chaos.records import Records, Row, moment

_WAITING = frozenset({"proposed", "unmatched"})
_BUSINESS_DAYS = 2
_WORSE = frozenset({"restricted", "suspended"})

Holidays = Mapping[str, frozenset[date]]


def each_cent_once(records: Records) -> Iterator[str]:
    """G10: what Stripe, a webhook or the bank told of is booked exactly once, less what went back; or is shown.

    Nothing is booked that nobody told of. What a case that is under way takes in is not judged.
    """
    left = _left_of_payments(records)
    told = set[str]()
    for line in records.money:
        if line["door"] in {"stripe", "webhook"}:
            told.update(line["family"])
            yield from _reported(records, line, left)
    yield from _transfers(records, left)
    before = records.replaced.bookings if records.replaced else []  # a file without its reference tells it otherwise
    known = told | {row["payment_id"] for row in (*records.bookings, *before)}
    for invoice_id, payment_id in records.payments:
        came = payment_id.startswith(("pi_", "re_", "dp_", "bank-")) or ".hook" in payment_id
        if came and payment_id not in known:
            yield f"{invoice_id} has payment {payment_id}, of which nobody told"


def _left_of_payments(records: Records) -> dict[tuple[str, str], Decimal]:
    """By invoice and payment, what came less what went back of it."""
    left = {key: Decimal(row["amount"]) for key, row in records.payments.items()}
    for row in records.reversals.values():
        left[row["invoice_id"], row["payment_id"]] -= Decimal(row["amount"])
    return left


def _reported(records: Records, line: Row, left: Mapping[tuple[str, str], Decimal]) -> Iterator[str]:
    provider = "stripe" if line["door"] == "stripe" else "payments"
    subject = records.subjects.get((provider, line["payment"]))
    what = f"payment {line['payment']} ({line['story']})"
    if subject is None:
        yield f"{what} was told, and is not kept"
        return
    if subject["state"] == "due" or line["invoice_id"] in records.under_way:
        return
    found = {key: amount for key, amount in left.items() if key[1] in line["family"]}
    if line["invoice_id"] is None:
        if found or subject["state"] != "waiting":
            yield f"{what} is of no invoice, and is {subject['state']} with {len(found)} bookings"
        return
    booked = sum(found.values(), Decimal(0))
    if booked != Decimal(line["net"]) or any(key[0] != line["invoice_id"] for key in found):
        why = f"{subject['state']}: {subject['reason']}"
        yield f"{what} brought {line['net']} for {line['invoice_id']}, and {booked} are booked ({why})"


def _transfers(records: Records, left: Mapping[tuple[str, str], Decimal]) -> Iterator[str]:
    bookings = defaultdict[str, list[Row]](list)
    for row in records.bookings:
        bookings[row["entry_id"]].append(row)
    entries = defaultdict[str, list[Row]](list)
    for row in records.bank_entries:
        entries[row["text"].split()[-1]].append(row)
    returned = {line["mark"] for line in records.money if line["door"] == "bank returned"}
    for line in records.money:
        if line["door"] != "bank":
            continue
        what = f"transfer {line['mark']} ({line['story']} of {line['invoice_id']})"
        came = [row for row in entries[line["mark"]] if row["direction"] == "in"]
        back = [row for row in entries[line["mark"]] if row["direction"] == "out"]
        if len(came) != 1:
            yield f"{what} is kept {len(came)} times"
            continue
        payment = records.incoming.get(came[0]["identity"])
        if payment is None:
            yield f"{what} was never matched: its entry is {came[0]['state']}"
            continue
        if line["mark"] in returned and len(back) != 1:
            yield f"{what} went back, and that is kept {len(back)} times"
        yield from _one_transfer(records, line, payment, bookings[payment["entry_id"]], left, back, what)


def _one_transfer(
    records: Records,
    line: Row,
    payment: Row,
    bookings: list[Row],
    left: Mapping[tuple[str, str], Decimal],
    back: list[Row],
    what: str,
) -> Iterator[str]:
    amount, state = Decimal(line["amount"]), payment["state"]
    standing = [row for row in bookings if row["undone_at"] is None]
    refused = any(row["refused"] for row in standing)
    gone = any(row["state"] == "returned" for row in back)
    asked = any(row["state"] == "asked" for row in back)
    if Decimal(payment["amount"]) != amount:
        yield f"{what}: {amount} came, {payment['amount']} are kept"
    if (state == "booked") is not bool(standing):
        yield f"{what} is {state} with {len(standing)} bookings"
    if standing and sum((Decimal(row["amount"]) for row in standing), Decimal(0)) != amount:
        yield f"{what}: {amount} came, {[row['amount'] for row in standing]} are booked"
    for row in bookings:
        key = (row["invoice_id"], row["payment_id"])
        if row["invoice_id"] in records.under_way:
            continue
        counted, stands = left.get(key, Decimal(0)), row in standing
        right = Decimal(row["amount"]) if stands and not row["refused"] and not gone else Decimal(0)
        if counted != right:
            how = "stands" if stands else "was undone"
            yield f"{what}: the booking {row['payment_id']} on {row['invoice_id']} {how}, {counted} of it count"
    if (state in _WAITING or refused) and payment["entry_id"] not in records.shown:
        yield f"{what} is {state}, and nobody is shown it"
    if back and not gone and not asked and standing:
        yield f"{what} went back (its return is {back[0]['state']}), and {len(standing)} bookings stand"


def asked_while_money_was_in_question(records: Records, holidays: Holidays) -> Iterator[str]:
    """G1: while a payment may be a customer's, nothing is asked of them and nothing is taken from them.

    For two business days; then chasing goes on, because nobody has decided.
    """
    spans = spans_of(records, "proposal", _proposed)
    for customer_id, seq, at, what in _pressed(records):
        customer = records.customers[customer_id]
        for first, last, entry_id, since in spans.get(customer_id, ()):
            if first < seq < last and at < _until(since, customer, holidays):
                times = f"at {at:%d %b %H:%M}, while {entry_id} was proposed since {since:%d %b %H:%M}"
                yield f"{what} of {customer_id} {times}"


def _pressed(records: Records) -> Iterator[tuple[str, int, datetime, str]]:
    """Each message that asked for money and was accepted, and each hold that takes access away: whom, which line of
    the audit, when by the case, and in words."""
    for accepted in records.accepted:
        row = records.row_of(accepted)
        if row is None or not row["asks"]:
            continue
        claims = records.lines_of["claim", row["message_id"]]
        before = [one for one in claims if moment(one["at"]) <= moment(accepted["at"])]
        if before:
            what = f"message {row['message_id']} ({row['message']}) asked"
            yield row["customer_id"], before[-1]["seq"], moment(row["claimed_at"]), what
    for hold in records.rows("SELECT * FROM holds"):
        lines = records.lines_of["hold", hold["hold_id"]]
        if lines and hold["level"] in _WORSE:
            what = f"hold {hold['hold_id']} was placed"
            yield hold["customer_id"], lines[0]["seq"], moment(hold["placed_at"]), what


Concerned = dict[tuple[str, str], set[str]]
Spans = dict[str, list[tuple[int, int, str, datetime]]]


def _proposed(records: Records) -> tuple[dict[str, datetime], Concerned]:
    """Since when each payment waits, and whom each proposal concerns."""
    since = {row["entry_id"]: moment(row["since"]) for row in records.rows("SELECT * FROM incoming_payments")}
    concerned = defaultdict[tuple[str, str], set[str]](set)
    for part in records.rows("SELECT * FROM proposal_parts"):
        concerned[part["entry_id"], str(part["number"])].add(part["customer_id"])
    return since, concerned


def replied(records: Records) -> tuple[dict[str, datetime], Concerned]:
    """When each reply came, and whom it concerns."""
    rows = records.rows("SELECT * FROM replies")
    since = {row["reply_id"]: moment(row["received_at"]) for row in rows}
    concerned = defaultdict[tuple[str, str], set[str]](set)
    for row in rows:
        concerned[row["reply_id"], ""] |= {row["customer_id"]} if row["customer_id"] else set()
    for row in records.rows("SELECT * FROM reply_cases"):
        concerned[row["reply_id"], ""].add(row["customer_id"])
    return since, concerned


def spans_of(records: Records, kind: str, read: Callable[[Records], tuple[dict[str, datetime], Concerned]]) -> Spans:
    """By customer, from which line of the audit until which something of theirs was open, its id and since when.

    A restore takes back what came in the lost time, and what was decided then.
    """
    spans = defaultdict[str, list[tuple[int, int, str, datetime]]](list)
    ends = [records.end] if not records.restored_at else [records.restored_at, records.end]
    begin = 0
    for end in ends:
        known = records.replaced if records.replaced and end == records.restored_at else records
        since, concerned = read(known)
        opened = dict[tuple[str, str], int]()
        for line in records.audit:
            lost = begin > 0 and line["seq"] in records.lost_lines
            if line["kind"] != kind or line["seq"] >= end or lost:
                continue
            thing = (line["key"], line["part"] or "")
            first = opened.pop(thing, None)
            if line["value"] == "open":
                opened[thing] = line["seq"]
            elif first is not None:
                _add(spans, concerned, since, thing, max(first, begin), line["seq"])
        for thing, first in opened.items():
            _add(spans, concerned, since, thing, max(first, begin), end)
        begin = end
    return spans


def _add(
    spans: Spans, concerned: Concerned, since: Mapping[str, datetime], thing: tuple[str, str], first: int, last: int
) -> None:
    for customer_id in concerned.get(thing, ()):
        spans[customer_id].append((first, last, thing[0], since[thing[0]]))


def _until(since: datetime, customer: Row, holidays: Holidays) -> datetime:
    """The same hour two business days later, in the customer's zone."""
    zone = ZoneInfo(customer["time_zone"])
    local, left = since.astimezone(zone), _BUSINESS_DAYS
    day = local.date()
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5 and day not in holidays[customer["country"]]
    return datetime.combine(day, time(local.hour, local.minute, local.second), zone)
