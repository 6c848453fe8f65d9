"""Judges a run by what it left behind. Shares no code with the product, so that both cannot be wrong together."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from dunwell.domain.events import PART, REST
from tests.chaos import accounts, opt_outs
from tests.chaos.claims import Debt
from tests.chaos.incoming import asked_while_money_was_in_question, each_cent_once
from tests.chaos.records import ENDS, FAULTS, TEXTS, Records, Row, moment, round_of
from tests.chaos.replied import answers_once, grace_kept, has_ended, silent_while_a_reply_waits
from tests.laws.claims_by_day import rounded

_GONE = {"bounced", "failed", "withheld"}
_PROMISE = "promise_to_pay"
_WORSE = {"restricted": 1, "suspended": 2}
_MOST_ATTEMPTS = 12
"""A step gives up after ten; what is tried more often in minutes is tried for want of a fact."""
_WEEK = timedelta(days=7)
_PERSON = re.compile(r"[\w.-]+\.(accounts_payable|user|manager|executive|account_manager)\.(\d+)(?![\w-]|\.\w)")


def _days(*days: tuple[int, int]) -> frozenset[date]:
    return frozenset(date(2027, month, day) for month, day in days)


_HOLIDAYS: Mapping[str, frozenset[date]] = {
    "DE": _days((3, 26), (3, 29), (5, 6), (5, 17)),
    "US": _days((5, 31), (6, 18), (7, 5)),
    "JP": _days((3, 22), (4, 29), (5, 3), (5, 4), (5, 5), (7, 19)),
    "GB": _days((3, 26), (5, 3), (5, 31)),
    "CL": _days((3, 26), (5, 21), (6, 21), (6, 28), (7, 16)),
}
"""Holidays of the whole country on weekdays from March to July 2027, copied by hand from official lists."""

_COMPUTED = ("last_claim", "beside_principal")
"""What a case keeps of a claim that was computed."""

_WRITTEN = frozenset({"done", "reopened"})
_CONFIRMED = _WRITTEN | {"accepted", "sent"}
_LEFT = frozenset({"refused", "overtaken", "gone"})
"""How forms end: written down; taken by the case or the engine, which write it down later; not done."""
_LINES: Mapping[str, str] = {
    "payment_plan_agreed": "plan",
    "dispute_resolved": "dispute_resolved",
    "pause": "paused",
    "resume": "resumed",
    "invoice_amended": "amended",
}
"""The lines of the timeline that name who did it, by event."""
_BY_PEOPLE = frozenset({"promise", "dispute", "payment", "reversed", *_LINES.values()})
_COMMITTED = timedelta(seconds=3)
"""A transaction is over by then, and what it wrote is seen by all."""

_LINK_LIVES = timedelta(days=60)
"""How long the link of a message lives at least; also after the last of its invoices was settled."""
_TWO_DAYS = timedelta(days=2)
_MESSAGES = frozenset({"email", "sms", "whatsapp"})
_LIMITS: Mapping[str, tuple[tuple[frozenset[str], int], ...]] = {
    "CL": ((frozenset({"call", "visit"}), 1), (_MESSAGES | {"letter"}, 2)),
    "US": ((frozenset({"call"}), 7),),
}
"""How often the law of a country lets private persons be contacted in any seven days, in all by these forms."""
_APART: Mapping[str, timedelta] = {"CL": _TWO_DAYS}
"""How far apart contacts of one form are by that law."""


@dataclass(frozen=True)
class Tally:
    """What was found for one guarantee. `violations` say where and what."""

    guarantee: str
    cases: int
    contacts: int
    violations: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    tallies: tuple[Tally, ...]
    running: tuple[str, ...]
    """Cases that had not ended when the run was over, and money that nobody had come to."""

    @property
    def violations(self) -> list[str]:
        return [f"{tally.guarantee}: {what}" for tally in self.tallies for what in tally.violations]

    def table(self) -> str:
        head = "| guarantee | cases | contacts | violations |\n|---|---|---|---|\n"
        lines = (f"| {t.guarantee} | {t.cases} | {t.contacts} | {len(t.violations)} |" for t in self.tallies)
        return head + "\n".join(lines)


def check(folder: Path) -> Verdict:
    """Read the folder of a finished run and count violations for each guarantee."""
    records = Records(folder)
    contacts = len(records.accepted) + sum(task["kind"] == "call" for task in records.tasks)
    tallies = tuple(
        Tally(name, len(records.cases), contacts, tuple(dict.fromkeys(rule(records)))) for name, rule in RULES.items()
    )
    running = [*sorted(records.under_way), *records.not_applied]
    return Verdict(tallies, tuple(running))


def silent_after_money(records: Records) -> Iterator[str]:
    """G1: nothing that asks for money was claimed after the payment that settles, and then accepted."""
    claims = defaultdict(list)
    for line in records.audit:
        if line["kind"] == "claim":
            claims[line["key"]].append(line)
    for accepted in records.accepted:
        row, carried = records.row_of(accepted), records.invoices_of
        if row is None and records.replaced:  # nobody knows of it any more: judged by what was known then
            row, carried = records.replaced.row_of(accepted), records.replaced.invoices_of
        if row is None or not row["asks"]:
            continue
        before = [c for c in claims[row["message_id"]] if moment(c["at"]) <= moment(accepted["at"])]
        if not before:
            yield f"message {row['message_id']} left before it was claimed"
            continue
        for invoice in carried[row["message_id"]]:
            if records.settled_at(before[-1]["seq"], invoice):
                yield f"message {row['message_id']} ({row['message']}) asked for {invoice}, which was paid"


def no_restriction_without_proof(records: Records) -> Iterator[str]:
    """G2: as many warnings of this round had arrived as the policy says, at open addresses, its days before.

    Until a restore by what was known until then. A hold that stood then and is written again is no new one.
    """
    put_back = set[tuple[str, str]]()
    if records.replaced:
        yield from no_restriction_without_proof(records.replaced)
        standing = records.replaced.rows("SELECT * FROM holds WHERE released_at IS NULL")
        put_back = {(row["invoice_id"], row["level"]) for row in standing}
    holds = {row["hold_id"]: row for row in records.rows("SELECT * FROM holds")}
    for line in records.audit:
        if line["seq"] < records.restored_at or line["kind"] != "hold" or line["value"] not in _WORSE:
            continue
        hold = holds[line["key"]]
        if (hold["invoice_id"], hold["level"]) in put_back:
            continue
        policy = records.policy(hold["invoice_id"])
        step = next(s for s in policy["steps"] if s["access"] == hold["level"])
        needs, arrived = step["needs"], _arrived_warnings(records, hold["invoice_id"], line["seq"])
        arrived.pop(step["id"], None)  # after a reversal it is done again: its first news was no warning of it
        wanted = max(policy["warnings_before_restriction"], needs["delivered_warnings"] if needs else 0)
        if len(arrived) < wanted:
            yield f"hold {hold['hold_id']} after {len(arrived)} delivered warnings instead of {wanted}"
        elif needs and max(arrived.values()) + timedelta(days=needs["days"]) > moment(hold["placed_at"]):
            yield f"hold {hold['hold_id']} less than {needs['days']} days after the last warning arrived"


def _arrived_warnings(records: Records, invoice_id: str, seq: int) -> dict[str, datetime]:
    """The steps whose warning had arrived before audit number `seq`, by the reports that were really made.

    A number that was closed in the time that a restore took away is open again: Twilio keeps no list of them.
    """
    state, closed = dict[str, str](), set[tuple[str, str]]()
    for line in records.audit:
        if line["seq"] < seq and line["kind"] in {"state", "claim"}:
            state[line["key"]] = line["value"]
        reopened = line["key"] in TEXTS and line["seq"] in records.lost_lines and seq > records.restored_at
        if line["seq"] < seq and line["kind"] == "closed" and not reopened:
            closed.add((line["key"], line["value"].removeprefix("rehearsal:")))
    arrived = dict[str, datetime]()
    now_in, _ = records.round_at(seq, invoice_id)
    for link in records.links:
        if round_of(link["step"]) != now_in:
            continue  # it spoke of an earlier due date
        row = records.messages[link["message_id"]]
        true = row["message_id"] in records.reported_delivered and state.get(row["message_id"]) == "delivered"
        is_open = (row["channel"], row["address"]) not in closed
        if link["invoice_id"] == invoice_id and link["warning"] and true and is_open and row["settled_at"]:
            step = link["step"].partition(".")[0]
            arrived[step] = max(moment(row["settled_at"]), arrived.get(step, moment(row["settled_at"])))
    return arrived


def no_report_lost(records: Records) -> Iterator[str]:
    """G2: a report that was answered with success is kept, acted on, and shown by its message.

    Of the time that a restore took away it was kept until then.
    """
    for line in records.heard:
        known = records.at_that_time(moment(line["at"]))
        lost = known is not records
        kept = known.webhook_events.get((line["provider"], line["id"], line["word"]))
        row = records.by_their_id.get(line["id"])
        what = f"{line['provider']}'s {line['word']} of {line['id']}"
        if kept is None:
            yield f"{what} was taken and is not kept"
        elif lost:
            continue
        elif row is not None and kept["done_at"] is None:
            yield f"{what} was never acted on"
        elif row is not None and line["status"] and row["state"] != line["status"]:
            yield f"{what} was taken, and message {row['message_id']} is {row['state']}"


def once(records: Records) -> Iterator[str]:
    """G3: no id accepted twice, nothing accepted that was not claimed, no two messages for one thing.

    Left out is what nobody can know of after a restore (docs/operating.md): the database that has it was replaced,
    and no case had heard of it.
    """
    accepted = [line for line in records.accepted if not records.is_beyond_knowing(line)]
    mails = Counter(line["id"] for line in accepted if line["provider"] == "sendgrid")
    for message_id, times in mails.items():
        if times > 1:
            yield f"mail {message_id} was accepted {times} times"
        if message_id not in records.messages:
            yield f"mail {message_id} was accepted and is not in the outbox"
    texts = Counter((line["to"], line["body"]) for line in accepted if line["provider"] == "twilio")
    rows = Counter((row["address"], row["body"]) for row in records.messages.values() if row["channel"] in TEXTS)
    for text, times in texts.items():
        if times > rows[text]:
            yield f"the text to {text[0]} was accepted {times} times for {rows[text]} in the outbox"
    carried = defaultdict(set)
    for link in records.links:
        key = (link["invoice_id"], link["step"], link["contact_id"], link["channel"])
        carried[key].add(link["message_id"])
    for key, messages in carried.items():
        if len(messages) > 1:
            yield f"{' '.join(key)} went out as {len(messages)} messages"
    yield from _twice_at_one_address(records, accepted)


def _twice_at_one_address(records: Records, accepted: list[Row]) -> Iterator[str]:
    """However many people have it, and however each of them spells it."""
    taken = {row["message_id"] for line in accepted if (row := records.row_of(line))}
    reached = defaultdict(set)
    for link in records.links:
        if link["message_id"] in taken:
            where = records.messages[link["message_id"]]["address_key"]
            reached[link["invoice_id"], link["step"], link["channel"], where].add(link["message_id"])
    for (invoice_id, step, _, where), messages in reached.items():
        if len(messages) > 1:
            yield f"{invoice_id} {step} was accepted {len(messages)} times for {where}"


def forms_once(records: Records) -> Iterator[str]:
    """G3: what a form confirmed was done, once; what it refused, or what its clerk left alone, was not done.

    What was confirmed in the time that a restore took away was kept until then.
    """
    for form in records.forms:
        at, what = moment(form["at"]), f"the form {form['event']} of {form['invoice_id']} ({form['note']})"
        known = records.at_that_time(at)
        requests, notes = known.requests.get(form["form_id"], []), known.notes.get(form["note"], [])
        if form["outcome"] in _CONFIRMED:
            if len(requests) != 1 or len(notes) != 1:
                yield f"{what} was {form['outcome']}, and is kept {len(requests)} times with {len(notes)} notes"
            elif form["outcome"] in _WRITTEN and not _is_written(known, form, requests[0]["request_id"]):
                yield f"{what} was {form['outcome']}, and nobody wrote it down"
            yield from _overlooked(records, form, what)
        elif form["outcome"] not in _LEFT:
            yield f"{what} was answered {form['outcome']}"
        elif requests or notes:
            yield f"{what} was {form['outcome']}, and is kept {len(requests)} times with {len(notes)} notes"
    yield from _told_twice(records)


def _is_written(records: Records, form: Row, request_id: str) -> bool:
    """Whether the audit has it, or it was money that was known already."""
    content = form["content"]
    payment = (form["invoice_id"], content.get("payment_id", ""))
    part = (form["invoice_id"], f"{content.get('payment_id')} {_key_of(content)}")
    is_money = form["event"] in {"payment_received", "payment_reversed"}
    known = payment in records.payments if form["event"] == "payment_received" else part in records.reversals
    return bool(records.told.get(request_id)) or (is_money and known)


def _key_of(reversal: Row) -> str:
    """What tells a reversal from others of its payment."""
    return str(reversal.get("reversal_id") or (PART if reversal.get("amount") else REST))


def _overlooked(records: Records, form: Row, what: str) -> Iterator[str]:
    """What people had done since the page was made, and was not shown to the clerk before the form was taken."""
    if form["retries"] or records.restored_at:  # an earlier sending of the same may have come first
        return
    written = {line["value"]: moment(line["at"]) for line in records.lines_of["line", form["invoice_id"]]}
    for row in records.timeline.get(form["invoice_id"], []):
        at = written[str(row["seq"])]
        if row["seq"] > form["seen"] and row["kind"] in _BY_PEOPLE and at + _COMMITTED < moment(form["sent_at"]):
            yield f"{what} was taken without a word of what had been done meanwhile: {row['kind']}"


def pages_once(records: Records) -> Iterator[str]:
    """G3: what a form of a customer's page confirmed was done once for each invoice; a scanner changed nothing.

    What was confirmed in the time that a restore took away was kept until then.
    """
    for visit in records.visits:
        at, what = moment(visit["at"]), f"the form {visit['act']} of link {visit['link']} at {visit['at']}"
        known = records.at_that_time(at)
        kept = [row for form_id in visit["form_ids"] for row in known.requests.get(form_id, [])]
        asked = [row for form_id in visit["form_ids"] for row in known.asked.get(f"asked.{form_id}", [])]
        invoices = Counter(row["invoice_id"] for row in kept)
        if visit["outcome"] == "done":
            if not kept and len(asked) != 1:
                yield f"{what} was confirmed, and is not kept"
            for row in kept:
                if not known.told.get(row["request_id"]) and not _stands_already(known, row):
                    yield f"{what} was confirmed, and nobody wrote it down"
        elif visit["outcome"] == "404":
            if not _opens_nothing(known, visit):
                yield f"{what} was answered 404, and its link is neither revoked nor expired"
        elif visit["outcome"] != "503":  # they gave up after 503s: one sending may have counted
            taken = [row["invoice_id"] for row in kept if row["taken_at"] or known.told.get(row["request_id"])]
            if taken or asked:
                yield f"{what} was {visit['outcome']}, and is kept for {', '.join(taken) or 'a person'}"
        if visit["outcome"] == "scanned" and visit["act"]:
            yield f"a scanner's empty form was taken: {visit['act']} of link {visit['link']}"
        for invoice_id, times in invoices.items():
            if times > 1:
                yield f"{what} is kept {times} times for {invoice_id}"


def _stands_already(records: Records, request: Row) -> bool:
    """Whether it repeats, word for word, the promise that was written down last: nothing new is to be said."""
    said = {row["request_id"]: row["digest"] for row in records.rows("SELECT * FROM told")}
    earlier = [
        row
        for rows in records.requests.values()
        for row in rows
        if (row["invoice_id"], row["event"]) == (request["invoice_id"], _PROMISE)
        and moment(row["first_at"]) < moment(request["first_at"])
        and records.told.get(row["request_id"])
    ]
    last = max(earlier, key=lambda row: moment(row["first_at"]), default=None)
    digests = [said.get(row["request_id"]) for row in (last, request) if row is not None]
    return request["event"] == _PROMISE and len(digests) == 2 and digests[0] is not None and digests[0] == digests[1]


def _opens_nothing(records: Records, visit: Row) -> bool:
    """Whether the link of this visit was revoked, had expired by then, or was made in the lost time of a restore."""
    message = records.by_their_id.get(visit["message"])
    link = records.links_to_pages.get(message["message_id"] if message is not None else visit["customer"])
    if link is None:
        return records.replaced is not None
    then = max((line["seq"] for line in records.audit if moment(line["at"]) <= moment(visit["at"])), default=0)
    opens = [name for name, one in records.cases.items() if one["customer_id"] == visit["customer"]]
    opens = records.invoices_of[message["message_id"]] if message is not None else opens
    settled = all(has_ended(records, invoice, then + 1) for invoice in opens)
    lived = records.in_storm(moment(visit["at"])) - moment(link["made_at"])
    return link["revoked_at"] is not None or (settled and lived >= _LINK_LIVES)


_OF_CUSTOMER = "the whole customer, "
"""How the line of a form begins that was about the customer of the case."""


def _told_twice(records: Records) -> Iterator[str]:
    """No more lines of the timeline than confirmed forms, by clerk and kind; a promise or dispute names its note."""
    confirmed = Counter(
        (form["invoice_id"], form["clerk"], _LINES[form["event"]])
        for form in records.forms
        if form["outcome"] in _CONFIRMED and form["event"] in _LINES
    )
    for form in records.forms:
        for note in records.notes.get(form["note"], []):
            lines = [one for one in records.timeline[form["invoice_id"]] if one["ref"] == note["note_id"]]
            if len(lines) > 1:
                yield f"the form {form['event']} of {form['invoice_id']} ({form['note']}) was done {len(lines)} times"
    for (invoice_id, clerk, kind), forms in confirmed.items():
        own = [one for one in records.timeline[invoice_id] if not one["reason"].startswith(_OF_CUSTOMER)]
        lines = [one for one in own if one["kind"] == kind and clerk in one["reason"]]
        if len(lines) > forms:
            yield f"{invoice_id} has {len(lines)} lines {kind} by {clerk}, who sent {forms} such forms"


def no_step_lost(records: Records) -> Iterator[str]:
    """G4: the ladder's order, all of it before the end, each warning before its consequence, a trace of each."""
    links, tasks = list(records.links), list(records.tasks)
    if records.replaced:
        links, tasks = links + records.replaced.links, tasks + records.replaced.tasks
    told = {(link["invoice_id"], link["step"].partition(".")[0], round_of(link["step"])) for link in links}
    asked = {(task["invoice_id"], task["step"]) for task in tasks}
    for name, case in records.cases.items():
        ladder, state = records.policy(name)["steps"], case["state"]
        once_only = {step["id"] for step in ladder if step["days_after_due"] is None}  # it hangs on the issue date
        reached = asked | {(who, s) for who, s, in_ in told if in_ == state["round"] or s in once_only}
        behind = {done["step"]: done["outcome"] for done in state["steps"]}
        again = set(state["redo"])
        places = [place for done in behind for place, s in enumerate(ladder) if s["id"] == done and done not in again]
        if places != sorted(places):
            yield f"{name} did its steps in the order {', '.join(behind)}"
        last = max(places, default=-1)
        for place, step in enumerate(ladder):
            missing = step["id"] not in behind and step["id"] not in again
            if missing and place < last:
                yield f"{name} jumped over {step['id']}"
            elif missing and case["stage"] == "handed_over":
                yield f"{name} was handed over without {step['id']}"
            elif _warns(step) and behind.get(step["id"]) == "skipped" and _consequence_after(ladder, place, behind):
                yield f"{name} skipped the warning {step['id']} on the way to a consequence"
            elif behind.get(step["id"]) == "done" and step["message"] and (name, step["id"]) not in reached:
                yield f"{name} did {step['id']} and nobody heard of it"


def _warns(step: Row) -> bool:
    return bool(step["asks"] and {"email", "sms"} & set(step["by"]) and (step["days_after_due"] or 0) > 0)


def _consequence_after(ladder: list[Row], place: int, behind: Mapping[str, str]) -> bool:
    return any(s["id"] in behind and (s["access"] or s["stage"] or s["ends"]) for s in ladder[place + 1 :])


_CONFIRMING = ("promise_made", "plan_agreed", "dispute_opened", "grace_granted")
"""What a customer did themselves: its confirmation waits for no free place in their week, and takes one."""


def decent_hours(records: Records) -> Iterator[str]:
    """G5: inside the window of the debtor's zone, on business days, and not too often."""
    heard = defaultdict(list)
    for row in records.messages.values():
        if row["state"] == "withheld":
            continue
        customer = records.customers[row["customer_id"]]
        invoice = next(iter(records.invoices_of[row["message_id"]]), None)
        if invoice is None:
            continue
        local = moment(row["claimed_at"]).astimezone(ZoneInfo(customer["time_zone"]))
        policy = records.policy(invoice)
        opens, closes = (time.fromisoformat(one) for one in policy["window"])
        if not opens <= local.time() <= closes:
            yield f"message {row['message_id']} was claimed at {local:%H:%M} in {customer['time_zone']}"
        if local.weekday() > 4 or local.date() in _HOLIDAYS[customer["country"]]:
            yield f"message {row['message_id']} was claimed on {local:%a %d %b} in {customer['country']}"
        known = records.replaced.messages.get(row["message_id"]) if records.replaced else None
        gone = row["state"] in _GONE or (known is not None and known["state"] in _GONE)  # a restore lost the report
        if not gone and row["call"] != "refused":
            # One address is one person; our own account manager stands with many customers.
            person = row["contact_id"] if ".account_manager" in row["contact_id"] else row["address_key"]
            confirms = row["message"] in {policy.get("reactions", {}).get(name) for name in _CONFIRMING}
            order = max((line["seq"] for line in records.lines_of["claim", row["message_id"]]), default=0)
            heard[person or row["contact_id"], policy["contacts_per_week"]].append(
                (moment(row["claimed_at"]), confirms, order)
            )
    for (contact, cap), times in heard.items():
        for end, confirms, order in times:
            # A confirmation that was claimed after it, by a case whose clock is behind, could not be counted.
            count = sum(end - _WEEK < at <= end and not (later > order and also) for at, also, later in times)
            if count > cap and not confirms:
                yield f"{contact} got {count} messages in the 7 days to {end:%d %b %H:%M}, cap {cap}"


def limits_of_law(records: Records) -> Iterator[str]:
    """G5: no private person, nor anybody who may be one, is contacted more often than the law of the country says.

    All people of a customer together, about whatever invoice. Our own account manager is none of them.
    """
    made = defaultdict[str, list[tuple[datetime, str]]](list)
    for row in records.messages.values():
        if row["state"] not in _GONE and row["call"] != "refused" and ".account_manager" not in row["contact_id"]:
            made[row["customer_id"]].append((moment(row["claimed_at"]), row["channel"]))
    for task in records.tasks:
        if task["kind"] in {"call", "visit"} and task["state"] != "withdrawn":
            customer_id = records.cases[task["invoice_id"]]["customer_id"]
            made[customer_id].append((moment(task["due_at"]), task["kind"]))
    for customer_id, contacts in made.items():
        customer = records.customers[customer_id]
        if customer["kind"] in {None, "consumer"}:
            yield from _over_the_limit(customer, sorted(contacts))


def _over_the_limit(customer: Row, contacts: list[tuple[datetime, str]]) -> Iterator[str]:
    name, country = customer["customer_id"], customer["country"]
    for forms, most in _LIMITS.get(country, ()):
        times = [at for at, form in contacts if form in forms]
        for end in times:
            count = sum(end - _WEEK < at <= end for at in times)
            if count > most:
                what = f"{count} of {', '.join(sorted(forms))} in the 7 days to {end:%d %b %H:%M}"
                yield f"{name} got {what}, the law of {country} allows {most}"
    for alike in (_MESSAGES, *map(frozenset, (["letter"], ["call"], ["visit"]))):
        times = [at for at, form in contacts if form in alike]
        for earlier, later in pairwise(times):
            if later - earlier < _APART.get(country, timedelta()):
                yield f"{name} got two of {', '.join(sorted(alike))} {later - earlier} apart, on {later:%d %b %H:%M}"


def back_at_once(records: Records) -> Iterator[str]:
    """G7: no hold of a case that is over otherwise than by hand-over; access is the worst of the holds left."""
    worst = Counter[str]()
    placed = {line["key"]: line["seq"] for line in records.audit if line["kind"] == "hold"}
    for hold in records.rows("SELECT * FROM holds WHERE released_at IS NULL"):
        stage = records.cases[hold["invoice_id"]]["stage"]
        if stage in ENDS - {"handed_over"}:
            yield f"hold {hold['hold_id']} is left although {hold['invoice_id']} is {stage}"
        takes_away = hold["level"] in _WORSE  # unlike staged work, which waits on
        if takes_away and placed[hold["hold_id"]] < records.round_at(records.end, hold["invoice_id"])[1]:
            yield f"hold {hold['hold_id']} is left although {hold['invoice_id']} has a later due date"
        worst[hold["customer_id"]] = max(worst[hold["customer_id"]], _WORSE.get(hold["level"], 0))
    access = dict.fromkeys(records.customers, "full")
    for change in records.rows("SELECT * FROM access_changes ORDER BY sequence"):
        access[change["customer_id"]] = change["access"]
    for customer, level in access.items():
        if _WORSE.get(level, 0) != worst[customer]:
            yield f"{customer} has access {level}, its holds say otherwise"


def explained_alike(records: Records) -> Iterator[str]:
    """G9: the workflow tells the database's timeline; only what came after its last word may be missing."""
    last = {line["key"]: line["seq"] for line in records.audit if line["kind"] == "case"}
    written = {(line["key"], int(line["value"])): line for line in records.audit if line["kind"] == "line"}
    stored = defaultdict(list)
    for row in records.rows("SELECT * FROM timeline"):
        stored[row["invoice_id"]].append(row)
    for name, status in records.statuses().items():
        told = Counter(_line(line) for line in status["timeline"])
        kept = Counter(_line(row) for row in stored[name])
        # An ended case hears no more of what another one, which shared a letter with it, still learns.
        lines = [(row, written[name, row["seq"]]) for row in stored[name]]
        later = Counter(
            _line(row) for row, at in lines if at["seq"] > last[name] or records.is_after_its_last_word(name, at)
        )
        relearned = Counter(line[1:] for line in (kept - told).elements()) if records.restored_at else Counter()
        for line in told - kept:
            if relearned[line[1:]]:  # a provider told it again after the restore, and its moment is the later one
                relearned[line[1:]] -= 1
                continue
            yield f"{name} tells what the database lacks: {line[1]} {line[4]}"
        for line in kept - told - later:
            yield f"{name} does not tell what the database has: {line[1]} {line[4]}"


def _line(row: Row) -> tuple[datetime, str, str | None, str | None, str, str | None]:
    return moment(row["at"]), row["kind"], row["step"], row["channel"], _by_role(row["reason"]), row["ref"]


def _by_role(reason: str) -> str:
    """A case names people by their role, the database by their id."""
    return _PERSON.sub(lambda found: found[1].replace("_", " ") + (f" {found[2]}" if found[2] != "1" else ""), reason)


def exact_money(records: Records) -> Iterator[str]:
    """G10: what the case counts as paid is the sum of its payments, in the database and in the signals it heard."""
    rows = defaultdict[str, list[Decimal]](list)
    for sign, table in ((1, "payments"), (-1, "payment_reversals")):
        for row in records.rows(f"SELECT * FROM {table}"):
            rows[row["invoice_id"]].append(sign * Decimal(row["amount"]))
    credits = {row["invoice_id"]: Decimal(row["amount"]) for row in records.rows("SELECT * FROM credits")}
    heard = records.signals()
    for name, case in records.cases.items():
        if name not in heard:
            continue
        booked = sum(rows[name], Decimal(0))
        taken = {row["credit_id"] for row in records.credit_uses}
        counted, signalled = Decimal(case["state"]["paid"]), _signalled(heard[name], taken)
        if not booked == counted == signalled:
            yield f"{name}: {signalled} was signalled, {booked} booked, {counted} counted as paid"
        owed = Decimal(0) if case["stage"] == "cancelled" else Decimal(case["state"]["amount"])
        used = Decimal(case["state"].get("given", 0)) + Decimal(case["state"].get("beside_principal", 0))
        over = max(counted - owed - used, Decimal(0))
        if credits.get(name, Decimal(0)) != over:
            yield f"{name}: {over} was paid too much, the credit says {credits.get(name, 0)}"


def _signalled(signals: list[tuple[str, Row]], taken: Collection[str]) -> Decimal:
    """The sum of what was told. taken: the credit that was there; a case refuses what another one has used up."""
    paid, back = dict[str, Decimal](), dict[tuple[str, str], Decimal]()
    for name, content in signals:
        if name == "payment_received" or (name == "credit_applied" and content["credit_id"] in taken):
            paid.setdefault(content.get("payment_id") or content["credit_id"], Decimal(content["amount"]))
        if name == "payment_reversed":
            payment = content["payment_id"]
            gone = sum((amount for (of, _), amount in back.items() if of == payment), Decimal(0))
            left = paid.get(payment, Decimal(0)) - gone
            amount = Decimal(content.get("amount") or left)
            if 0 < amount <= left:  # of what did not come yet nothing goes back
                back.setdefault((payment, content.get("reversal_id") or str(content.get("amount"))), amount)
    return sum(paid.values(), Decimal(0)) - sum(back.values(), Decimal(0))


def claim_by_heads(records: Records) -> Iterator[str]:
    """G10: each claim that was kept is what the payments and the law make it, and a paid invoice has ended."""
    last = dict[str, Debt]()
    for line in records.audit:
        if line["kind"] != "owed":
            continue
        name = line["key"]
        before, debt = last.get(name), Debt(records, name, line)
        last[name] = debt
        if Decimal(debt.facts["paid"]) != debt.paid:
            continue  # a run that an operator reset, which has not been told yet
        if debt.open == 0 and debt.facts["ended"] not in ENDS - {"handed_over"}:
            yield f"{name}: {debt.paid} of {debt.facts['amount']} is paid, and the case has not ended"
        computed = before is None or any(before.facts[what] != debt.facts[what] for what in _COMPUTED)
        if debt.law is not None and debt.facts["last_claim"] and computed:
            yield from _wrong_claim(name, debt, debt.facts["last_claim"])
    for name, debt in last.items():
        if debt.law is not None and debt.facts["last_claim"] is None:
            yield f"{name}: no claim is kept"


def _wrong_claim(name: str, debt: Debt, kept: Row) -> Iterator[str]:
    day = date.fromisoformat(kept["as_of"])
    right = debt.claim(day)
    for head, amount in right.items():
        if Decimal(kept[head]) != amount:
            yield f"{name}: {kept[head]} of {head} is claimed on {day}, by law it is {amount}"
    beyond, counted = debt.paid - Decimal(debt.facts["amount"]), debt.counted(day)
    met = max(
        beyond - rounded(counted["overpaid"], debt.digits), min(beyond, Decimal(debt.facts["claimed"])), Decimal(0)
    )
    met = Decimal(0) if debt.open or debt.facts["ended"] == "cancelled" else met
    if Decimal(debt.facts["beside_principal"]) != met:
        yield f"{name}: {debt.facts['beside_principal']} counts as paid beside the principal, by law it is {met}"


def what_was_asked(records: Records) -> Iterator[str]:
    """G10: a message asks for what was open then, and claims beside it what the law gives up to its day."""
    carried = defaultdict[str, list[Row]](list)
    for link in records.links:
        carried[link["message_id"]].append(link)
    for message_id, links in carried.items():
        row, claims = records.messages[message_id], records.lines_of["claim", message_id]
        if row["asks"] and row["body"] and row["state"] != "withheld" and claims:
            found = [list(_wrong_sums(records, row, links, line)) for line in claims]
            yield from min(found, key=len)  # it was written at one of them


def _wrong_sums(records: Records, row: Row, links: list[Row], claimed_at: Row) -> Iterator[str]:
    """What is wrong with a message that was written when the audit's line `claimed_at` was."""
    asked = beside = Decimal(0)
    for link in links:
        lines = records.lines_of["owed", link["invoice_id"]]
        before = [one for one in lines if one["seq"] < claimed_at["seq"]]
        if not before:  # it was written anew later, for this invoice too; an only claim would be a fault
            yield f"{row['message_id']} was claimed before {link['invoice_id']} had a case"
            continue
        debt = Debt(records, link["invoice_id"], before[-1] | {"seq": claimed_at["seq"]})
        asked += debt.asked
        claimed = Decimal(str(link["claimed"] or 0))
        beside += claimed
        right = _beside(records, debt, link)
        if claimed != right and (claimed or not debt.may_be_left_out):
            until = link["claim_until"]
            yield f"{row['message_id']} claims {claimed} beside {debt.name} until {until}, by law it is {right}"
    if Decimal(row["amount"]) != asked:
        yield f"{row['message_id']} asks for {row['amount']}, {asked} was open"
    digits = records.invoices[links[0]["invoice_id"]]["digits"]
    if beside and f"{asked + beside:,.{digits}f}" not in row["body"]:
        yield f"{row['message_id']} does not name the {asked + beside} that settles everything"


def _beside(records: Records, debt: Debt, link: Row) -> Decimal:
    """What a message has to claim beside what is open of the invoice; nothing where its step does not.

    A message with a claim that is no step of the ladder asks for what is left once the invoice is paid.
    """
    steps = {step["id"]: step for step in records.policy(debt.name)["steps"]}
    step = steps.get(link["step"].partition(".")[0])
    if link["claimed"] is None or debt.law is None or (step is not None and not step["lump_sum"]):
        return Decimal(0)
    return rounded(debt.counted(date.fromisoformat(link["claim_until"]))["beside"], debt.digits)


def who_left_stays_so(records: Records) -> Iterator[str]:
    """G5: whom a case knew to be closed when the database was replaced by an older copy is closed in the end."""
    if records.replaced is None:
        return
    known = [one for case in records.replaced.cases.values() for one in case["state"].get("contact_changes", ())]
    closed = {
        row["contact_id"] for row in records.rows("SELECT contact_id FROM contacts WHERE closed_at IS NOT NULL")
    }
    stopped = {
        (row["channel"], row["address"].removeprefix("rehearsal:"))
        for row in records.rows("SELECT channel, address FROM closed_addresses")
    }
    addresses = {row["contact_id"]: row for row in records.rows("SELECT contact_id, email, phone FROM contacts")}
    newest: dict[tuple[str, str | None], Row] = {}
    for one in sorted(known, key=lambda one: moment(one["at"])):
        if one["change"]["what"] in {"closed", "opened"}:
            newest[one["change"]["contact_id"], one["change"]["channel"]] = one
    since = records.lost_time[0] if records.lost_time else None
    opened = {
        form["about"]
        for form in records.account_forms
        if form["action"] == "open" and since is not None and moment(form["at"]) >= since
    }
    for (contact, channel), one in newest.items():
        if one["change"]["what"] == "opened" or contact not in addresses or contact in opened:
            continue  # or a clerk opened it, which a case that had heard of the closing was told
        address = addresses[contact]["email" if channel == "email" else "phone"]
        is_closed = contact in closed if channel is None else (channel, (address or "").lower()) in stopped
        if not is_closed and (channel is None or address):
            yield f"{contact} was closed at {one['at']} ({one['change']['reason']}), and is open after the restore"


def nothing_stands_still(records: Records) -> Iterator[str]:
    """G13: each open case runs, and has an action to come or a person's open task; nothing is tried for ever."""
    for looks in records.standing():
        for name, now in looks[1].items():
            seen = (looks[0][name], now)
            still = [one for one in seen if one["stage"] not in ENDS and not one["planned"] and not one["tasks"]]
            if len(still) == len(seen):
                yield f"{name} is {now['stage']}, nothing is planned, and nobody was asked"
            if all(one["stage"] not in ENDS and not one["running"] for one in seen):
                yield f"{name} is {now['stage']}, and the engine does not run it"
            if min(one["attempts"] for one in seen) > _MOST_ATTEMPTS:
                yield f"{name} has tried an activity {now['attempts']} times"


def no_fault(records: Records) -> Iterator[str]:
    """G13: the web service answers nothing with 500."""
    for line in records.faults:
        yield f"the web service met {line}: read {FAULTS}"


def silent_while_matching(records: Records) -> Iterator[str]:
    """G1: nobody is asked, and nothing is taken, while money that came in may be theirs."""
    return asked_while_money_was_in_question(records, _HOLIDAYS)


RULES: Mapping[str, Callable[[Records], Iterator[str]]] = {
    "G1 silent after money": silent_after_money,
    "G1 silent while matching": silent_while_matching,
    "G1 silent while a reply waits": silent_while_a_reply_waits,
    "G2 no restriction without proof": no_restriction_without_proof,
    "G2 no report lost": no_report_lost,
    "G2 grace is kept": grace_kept,
    "G3 once": once,
    "G3 a form once": forms_once,
    "G3 a page's form once": pages_once,
    "G3 a customer's form once": accounts.forms_once,
    "G3 an answer once": answers_once,
    "G4 no lost step": no_step_lost,
    "G5 decent hours": decent_hours,
    "G5 limits of law": limits_of_law,
    "G5 who left stays so": who_left_stays_so,
    "G5 left alone": accounts.left_alone,
    "G5 STOP is kept": opt_outs.stop_is_kept,
    "G5 nothing to a closed address": opt_outs.nothing_to_a_closed_address,
    "G7 back at once": back_at_once,
    "G9 explained alike": explained_alike,
    "G10 exact money": exact_money,
    "G10 each cent once": each_cent_once,
    "G10 credit once": accounts.credit_once,
    "G10 claim by heads": claim_by_heads,
    "G10 what was asked": what_was_asked,
    "G13 no fault of the program": no_fault,
    "G13 nothing stands still": nothing_stands_still,
}
