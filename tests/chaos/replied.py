"""Judges what customers were told after they had written to us, and the grace that was granted to them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.chaos.incoming import replied, spans_of
from tests.chaos.records import ENDS, Records, Row, moment

_TO_LEAVE = timedelta(seconds=30)
"""What an answer takes to leave, on busy cores and with a worker that is killed."""

_WORSE = frozenset({"restricted", "suspended"})
_GRANTED = re.compile(r"granted by .* \((\d+) of \d+\): .* open until (\d{4}-\d\d-\d\d)")


def silent_while_a_reply_waits(records: Records) -> Iterator[str]:
    """G1: while a reply of a customer's lies unhandled nobody there is written to, and nothing is taken from them.

    But for the word that the money came or that nothing is asked any more: its case has ended.
    """
    spans = spans_of(records, "reply", replied)
    for customer_id, seq, at, what in _done_to(records):
        for first, last, reply_id, since in spans.get(customer_id, ()):
            if first < seq < last:
                yield f"{what} of {customer_id} at {at:%d %b %H:%M}, while reply {reply_id} of {since:%d %b} waited"


def _done_to(records: Records) -> Iterator[tuple[str, int, datetime, str]]:
    """Each accepted message about a case that was open, and each hold that takes access away: whom, which line of
    the audit, when by the case, and in words."""
    for accepted in records.accepted:
        row = records.row_of(accepted)
        claims = records.lines_of["claim", row["message_id"]] if row else []
        before = [one for one in claims if moment(one["at"]) <= moment(accepted["at"])]
        if row is not None and before:
            seq, invoices = before[-1]["seq"], records.invoices_of[row["message_id"]]
            if not all(has_ended(records, invoice_id, seq) for invoice_id in invoices):
                yield row["customer_id"], seq, moment(row["claimed_at"]), _in_words(row)
    for hold in records.rows("SELECT * FROM holds"):
        lines = records.lines_of["hold", hold["hold_id"]]
        if lines and hold["level"] in _WORSE:
            what = f"hold {hold['hold_id']} was placed"
            yield hold["customer_id"], lines[0]["seq"], moment(hold["placed_at"]), what


def _in_words(row: Row) -> str:
    return f"message {row['message_id']} ({row['message']}) left"


def has_ended(records: Records, invoice_id: str, seq: int) -> bool:
    """Whether the case had ended before that line of the audit."""
    stages = [line["value"] for line in records.lines_of["case", invoice_id] if line["seq"] < seq]
    return bool(stages) and stages[-1] in ENDS


def answers_once(records: Records) -> Iterator[str]:
    """G3: a form of a reply that was confirmed was done once, another was not; each answer left once, or a person
    was told why it did not."""
    for form in records.answers:
        yield from _form_once(records.at_that_time(moment(form["at"])), form)
    yield from _left_once(records)


def _form_once(known: Records, form: Row) -> Iterator[str]:
    what = f"the form {form['form']} of {form['reply_id']} ({form['form_id']})"
    done, reply = form["outcome"] in {"answered", "handled", "told", "noted"}, known.replies.get(form["reply_id"])
    if form["form"].startswith("tell/"):
        kept = known.requests.get(form["form_id"], [])
        if len(kept) != done:
            yield f"{what} was {form['outcome']}, and is kept {len(kept)} times"
        return
    if done and (reply is None or reply["handled_at"] is None):
        yield f"{what} was {form['outcome']}, and the reply is not handled"
    if form["form"] == "answer":
        written = [row for row in known.answers_to[form["reply_id"]] if not done or form["mark"] in row["words"]]
        mine = [row for row in written if form["mark"] and form["mark"] in row["words"]]
        if done and len(written) != 1:
            yield f"{what} was confirmed, and {len(written)} answers are kept"
        elif not done and mine:
            yield f"{what} was {form['outcome']}, and its answer is kept"


def _answered_last(records: Records) -> set[str]:
    """The replies that were answered just before everything was stopped: a case that has ended takes a moment."""
    stopped = max((moment(line["at"]) for line in records.audit), default=datetime.max.replace(tzinfo=UTC))
    return {form["reply_id"] for form in records.answers if moment(form["at"]) > stopped - _TO_LEAVE}


def _left_once(records: Records) -> Iterator[str]:
    accepted = {row["message_id"] for line in records.accepted if (row := records.row_of(line))}
    messages = defaultdict[str, set[str]](set)
    for link in records.links:
        messages[link["step"]].add(link["message_id"])
    asked, on_their_way = {task["step"] for task in records.tasks}, _answered_last(records)
    for answers in records.answers_to.values():
        for answer in answers:
            step = f"@answer~{answer['answer_id']}"
            left = messages[step]
            what = f"answer {answer['answer_id']} to {answer['reply_id']}"
            if len(left) > 1:
                yield f"{what} left as {len(left)} messages"
            waits = answer["invoice_id"] in records.under_way or answer["reply_id"] in on_their_way
            waits = waits or answer["answer_id"] in records.answers_to_tell
            if not left and not waits and step not in asked:
                yield f"{what} never left, and nobody was told"
            for name in left & accepted:
                if answer["words"] and answer["words"] not in records.messages[name]["body"]:
                    yield f"{what} left in other words than its clerk's"


def grace_kept(records: Records) -> Iterator[str]:
    """G2: grace is granted as often and for as long as the policy grants it, and nothing is restricted before its
    day."""
    holds = defaultdict[str, list[Row]](list)
    for hold in records.rows("SELECT * FROM holds ORDER BY placed_at"):
        if hold["level"] in _WORSE:
            holds[hold["invoice_id"]].append(hold)
    for invoice_id, lines in records.timeline.items():
        granted = {found[1]: (line, date.fromisoformat(found[2])) for line in lines if (found := _grant(line))}
        if granted:
            yield from _grants(records, invoice_id, granted, holds[invoice_id])


def _grant(line: Row) -> re.Match[str] | None:
    return _GRANTED.match(line["reason"]) if line["kind"] == "grace" else None


def _grants(
    records: Records, invoice_id: str, granted: Mapping[str, tuple[Row, date]], holds: list[Row]
) -> Iterator[str]:
    rules, invoice = records.policy(invoice_id)["grace"], records.invoices[invoice_id]
    zone = ZoneInfo(records.customers[invoice["customer_id"]]["time_zone"])
    if len(granted) > rules["times"]:
        yield f"{invoice_id} was granted grace {len(granted)} times; its policy grants it {rules['times']} times"
    for line, until in granted.values():
        at = moment(line["at"])
        if until > at.astimezone(zone).date() + timedelta(days=rules["days"]):
            yield f"{invoice_id} was granted grace on {at:%d %b} until {until}, for more than {rules['days']} days"
        after = [hold for hold in holds if moment(hold["placed_at"]) > at]
        if after and moment(after[0]["placed_at"]).astimezone(zone).date() < until:
            placed = moment(after[0]["placed_at"]).astimezone(zone)
            yield f"{invoice_id} has grace until {until}, and {after[0]['hold_id']} was placed on {placed:%d %b}"
