"""Judges what clerks did at the pages of customers: each form is carried out once, whoever rests is left alone.

Closed contacts and pauses are taken from the audit's lines, in the order in which the database has them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.chaos.records import Records, Row, moment

_DONE = frozenset({"changed", "untold", "credit", "credit-sent"})
_LEFT = frozenset({"refused", "gone"})
_COUNTED = frozenset({"pause", "resume"})
"""What the product's audit has once for each form, whatever stood there before."""
_ENDS = frozenset({"paid", "cancelled", "written_off", "handed_over"})
_WORSE = frozenset({"restricted", "suspended"})
_TALKS = frozenset({"call", "visit"})
_REFUSED = "refused"
BY_A_PERSON = "@answer~"
"""How the step of a clerk's answer to a reply begins."""


def forms_once(records: Records) -> Iterator[str]:
    """G3: what a form of a customer's page confirmed was done once, what it refused was not.

    What was confirmed in the time that a restore took away was kept until then.
    """
    for form in records.account_forms:
        what = _named(form)
        is_kept = _is_kept(records.at_that_time(moment(form["at"])), form)
        if form["outcome"] in _DONE and not is_kept:
            yield f"{what} was confirmed, and is not kept"
        elif form["outcome"] in _LEFT and is_kept:
            yield f"{what} was {form['outcome']}, and is kept"
        elif form["outcome"] not in _DONE | _LEFT and not _spans_the_restore(records, form):
            yield f"{what} was answered {form['outcome']}"
    yield from _counted(records)


def _spans_the_restore(records: Records, form: Row) -> bool:
    """Whether it was carried out by a database that was lost before the back button was pressed."""
    at = records.lost_time
    return at is not None and moment(form["sent_at"]) <= at[1] <= moment(form["at"])


def _is_kept(records: Records, form: Row) -> bool:
    if form["kind"] == "credits":
        return any(row["principal"] == form["clerk"] for row in records.requests.get(form["form_id"], []))
    return (form["clerk"], form["form_id"]) in records.submissions


def _counted(records: Records) -> Iterator[str]:
    """As many entries of the audit as confirmed forms, by clerk, customer and what was done."""
    done = [form for form in records.account_forms if form["outcome"] in _DONE and form["action"] in _COUNTED]
    for known in [records, *([records.replaced] if records.replaced else [])]:
        told = Counter((one["about"], one["action"], one["clerk"]) for one in done)
        kept = Counter((one["about"], one["action"], one["clerk"]) for one in done if _is_kept(known, one))
        written = Counter(
            (row["object"].removeprefix("customer/"), row["action"], row["principal"])
            for row in known.rows("SELECT object, action, principal FROM audit WHERE object LIKE 'customer/%'")
        )
        for key, times in told.items():
            about, action, clerk = key
            if not kept[key] <= written[key] <= times:
                yield f"{about}: {clerk} sent {times} forms {action}, the audit has {written[key]}"


def credit_once(records: Records) -> Iterator[str]:
    """G10: credit that a clerk applied pays one invoice what another one lost of it, once for each form."""
    uses = records.credit_uses
    forms = [form for form in records.account_forms if form["kind"] == "credits" and form["outcome"] in _DONE]
    asked = Counter((form["about"], form["typed"]["to_invoice"]) for form in forms)
    taken = Counter((row["from_invoice"], row["to_invoice"]) for row in uses if row["to_invoice"])
    for key, times in taken.items():
        if times > asked[key]:
            yield f"credit of {key[0]} was applied to {key[1]} {times} times, {asked[key]} forms said so"
    for form in forms:
        known = records.at_that_time(moment(form["at"]))
        key = (form["about"], form["typed"]["to_invoice"])
        if key not in taken and known is records and not _was_refused(records, form):
            yield f"{_named(form)} was confirmed, and no credit went from {key[0]} to {key[1]}"
    for row in uses:
        payment = records.payments.get((row["to_invoice"], row["credit_id"])) if row["to_invoice"] else None
        if row["to_invoice"] and (payment is None or Decimal(payment["amount"]) != Decimal(row["amount"])):
            came = payment["amount"] if payment else "nothing"
            yield f"{row['amount']} of the credit of {row['from_invoice']} went to {row['to_invoice']}: {came} came"
    yield from _given(records, uses)


def _was_refused(records: Records, form: Row) -> bool:
    """Whether the case said no to what the server kept for it: the answer had said that it was not taken in yet."""
    lines = records.timeline.get(form["typed"]["to_invoice"], [])
    return form["outcome"] == "credit-sent" and any(line["kind"] == _REFUSED for line in lines)


def _given(records: Records, uses: Sequence[Row]) -> Iterator[str]:
    """What a case says that it gave away is what went to others, less what came back of it."""
    back = defaultdict[tuple[str, str], Decimal](Decimal)
    for (invoice_id, _), row in records.reversals.items():
        back[invoice_id, row["payment_id"]] += Decimal(row["amount"])
    went = defaultdict[str, Decimal](Decimal)
    for row in uses:
        went[row["from_invoice"]] += Decimal(row["amount"]) - back[row["to_invoice"], row["credit_id"]]
    for invoice_id, case in records.cases.items():
        given = Decimal(case["state"].get("given", 0))
        if given != went[invoice_id]:
            yield f"{invoice_id} says that {given} of its credit went to others, it was {went[invoice_id]}"


def left_alone(records: Records) -> Iterator[str]:
    """G5: nobody is written to whose contact is closed, until it is open again; nor anybody of a resting customer.

    Nor is anything taken from a customer who rests, or a call asked for. That an invoice is paid may be said,
    and what a clerk answers.
    """
    closed, rests = _lines(records, "contact"), _lines(records, "rests")
    for row, claim in claimed(records):
        stands = _newest(records, closed.get(row["contact_id"], ()), claim["seq"])
        what = f"message {row['message_id']} ({row['message']})"
        if stands is not None and stands["value"] == "closed":
            yield f"{what} went to {row['contact_id']}, closed at {stands['at']}"
        day = moment(row["claimed_at"]).astimezone(_zone(records, row["customer_id"])).date()
        pause = _resting(records, rests, row["customer_id"], claim["seq"], day)
        invoices = records.invoices_of[row["message_id"]]
        over = not row["asks"] and any(_stage_at(records, one, claim["seq"]) in _ENDS for one in invoices)
        if pause is not None and not over and not row["step"].startswith(BY_A_PERSON):
            yield f"{what} went to {row['customer_id']}, who rests since {pause['at']}"
    for customer_id, what, line, day in _consequences(records):
        pause = _resting(records, rests, customer_id, line["seq"], day)
        if pause is not None:
            yield f"{what} of {customer_id}, who rests since {pause['at']}"


def claimed(records: Records) -> Iterator[tuple[Row, Row]]:
    """Each message that was accepted, with the line of the audit at which it was last claimed before."""
    for accepted in records.accepted:
        row = records.row_of(accepted)
        claims = records.lines_of["claim", row["message_id"]] if row is not None else []
        before = [one for one in claims if moment(one["at"]) <= moment(accepted["at"])]
        if row is not None and before:
            yield row, before[-1]


def _consequences(records: Records) -> Iterator[tuple[str, str, Row, date]]:
    """Each hold that takes access away, and each call that the ladder asks for: whose, what, its line, its day."""
    known = records.replaced.rows("SELECT * FROM holds WHERE released_at IS NULL") if records.replaced else []
    put_back = {(row["invoice_id"], row["level"]) for row in known}
    for hold in records.rows("SELECT * FROM holds"):
        lines = records.lines_of["hold", hold["hold_id"]]
        again = (hold["invoice_id"], hold["level"]) in put_back and lines and lines[-1]["seq"] > records.restored_at
        if lines and hold["level"] in _WORSE and not again:
            day = moment(hold["placed_at"]).astimezone(_zone(records, hold["customer_id"])).date()
            yield hold["customer_id"], f"hold {hold['hold_id']} was placed", lines[-1], day
    for task in records.tasks:
        lines = records.lines_of["task", task["task_id"]]
        if task["kind"] in _TALKS and task["attempt"] == 1 and lines and _is_of_ladder(records, task):
            customer_id = records.cases[task["invoice_id"]]["customer_id"]
            day = moment(task["due_at"]).astimezone(_zone(records, customer_id)).date()
            yield customer_id, f"task {task['task_id']} was asked for", lines[-1], day


def _is_of_ladder(records: Records, task: Row) -> bool:
    """Whether a step asked for it, and not the customer."""
    steps = {step["id"] for step in records.policy(task["invoice_id"])["steps"]}
    return task["step"].partition(".")[0] in steps


def _zone(records: Records, customer_id: str) -> ZoneInfo:
    return ZoneInfo(records.customers[customer_id]["time_zone"])


def _lines(records: Records, kind: str) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for line in records.audit:
        if line["kind"] == kind:
            found[line["key"]].append(line)
    return found


def _newest(records: Records, lines: Sequence[Row], seq: int) -> Row | None:
    """What was said last before the audit's line `seq`, as far as the database of then has it."""
    since_restored = seq > records.restored_at > 0
    known = [one for one in lines if one["seq"] < seq and not (since_restored and one["seq"] in records.lost_lines)]
    return known[-1] if known else None


def _resting(records: Records, rests: dict[str, list[Row]], customer_id: str, seq: int, day: date) -> Row | None:
    """The pause of the whole customer that was in force before that line, on that day of the case."""
    line = _newest(records, rests.get(customer_id, ()), seq)
    if line is None or line["value"] != "rests":
        return None
    return line if line["part"] is None or date.fromisoformat(line["part"]) > day else None


def _stage_at(records: Records, invoice_id: str, seq: int) -> str:
    line = _newest(records, records.lines_of["case", invoice_id], seq)
    return str(line["value"]) if line is not None else ""


def _named(form: Row) -> str:
    return f"the form {form['kind']}/{form['about']}/{form['action']} of {form['clerk']} at {form['at']}"
