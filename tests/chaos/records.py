"""What a run left behind, read without any of the product's code: plain SQL, JSON, and the emulators' own log."""

import base64
import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

DATABASE = "dunwell.sqlite"
REPLACED = "replaced.sqlite"
STANDING = "standing.jsonl"
FORMS = "forms.jsonl"
ACCOUNTS = "accounts.jsonl"
MONEY = "money.jsonl"
UNMATCHED = "unmatched.json"
VISITS = "visits.jsonl"
ANSWERS = "answers.jsonl"
STOPS = "stops.jsonl"
FAULTS = "faults.log"

Row = dict[str, Any]

_NEVER = datetime.max.replace(tzinfo=UTC)
_SINCE = ("state", "call", "provider_id", "settled_at")
"""What a message whose text was lost has of its own."""

ENDS = frozenset({"paid", "cancelled", "written_off", "handed_over"})

TO_HAND_ON = """e.state = 'new' AND NOT (e.direction = 'out' AND EXISTS (
SELECT 1 FROM bank_entries came JOIN incoming_payments p ON p.identity = came.identity
WHERE came.end_to_end_id = e.end_to_end_id AND p.state IN ('unmatched', 'proposed')))"""
"""Of the bank's entries: what nobody has come to yet. What may take back a payment waits until a person has decided
about that one."""

TEXTS = frozenset({"sms", "whatsapp"})
"""The channels of Twilio."""


def moment(text: str) -> datetime:
    """A time of the database (UTC, unsaid) or of JSON."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


@dataclass(frozen=True)
class Records:
    """The folder of a run: dunwell.sqlite, providers.jsonl, standing.jsonl, forms.jsonl, accounts.jsonl, money.jsonl,
    unmatched.json, visits.jsonl, answers.jsonl, stops.jsonl, faults.log, histories/, statuses/.

    Where the database was restored from a copy, also replaced.sqlite: as it was until then.
    """

    folder: Path
    database: str = DATABASE

    def rows(self, query: str) -> list[Row]:
        connection = sqlite3.connect(self.folder / self.database)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(query)]
        connection.close()
        return found

    @cached_property
    def cases(self) -> dict[str, Row]:
        """By invoice id, with `state` (and in it the steps) read from its JSON."""
        found = {row["invoice_id"]: row for row in self.rows("SELECT * FROM cases")}
        for row in found.values():
            row["state"] = _json(row["state"])
        return found

    @cached_property
    def invoices(self) -> dict[str, Row]:
        return {row["invoice_id"]: row for row in self.rows("SELECT * FROM invoices")}

    @cached_property
    def customers(self) -> dict[str, Row]:
        return {row["customer_id"]: row for row in self.rows("SELECT * FROM customers")}

    @cached_property
    def replaced(self) -> "Records | None":
        """The database that a restore replaced, and what happened until then. None: there was no restore."""
        if self.database == REPLACED or not (self.folder / REPLACED).exists():
            return None
        return Records(self.folder, REPLACED)

    @cached_property
    def lost_time(self) -> tuple[datetime, datetime] | None:
        """From the copy to the restore: what was written in between is known to the replaced database alone."""
        ends = {line["kind"]: moment(line["at"]) for line in self.audit if line["kind"] in {"copied", "restored"}}
        return (ends["copied"], ends["restored"]) if "restored" in ends else None

    @cached_property
    def restored_at(self) -> int:
        """The audit's number of the restore; 0: there was none."""
        return max((line["seq"] for line in self.audit if line["kind"] == "restored"), default=0)

    def at_that_time(self, at: datetime) -> "Records":
        """Where to look for what was done then: the database that was replaced, for the time that a restore took."""
        lost = self.lost_time is not None and self.lost_time[0] <= at <= self.lost_time[1]
        return self.replaced if lost and self.replaced else self

    @cached_property
    def lost_lines(self) -> range:
        """The audit's numbers of the lost time; none without a restore."""
        copied = min((line["seq"] for line in self.audit if line["kind"] == "copied"), default=0)
        return range(copied, self.restored_at)

    def is_beyond_knowing(self, accepted: Row) -> bool:
        """Whether what a provider accepted is known to nobody but the provider.

        It was claimed and accepted in the time that a restore took away, and until then no step or event of a case
        had been answered with it: the worker died before, or the step had to be tried again for somebody else.
        """
        if self.replaced is None or self.lost_time is None:
            return False
        row, at = self.replaced.row_of(accepted), moment(accepted["at"])
        if row is None or not self.lost_time[0] <= at <= self.lost_time[1]:
            return False
        name = row["message_id"]
        claims = [line for line in self.audit if line["kind"] == "claim" and line["key"] == name]
        last = max((line["seq"] for line in claims if moment(line["at"]) <= at), default=0)
        heard = (self._has_heard_of(invoice, name) for invoice in self.replaced.invoices_of[name])
        return last in self.lost_lines and not any(heard)

    def _has_heard_of(self, invoice_id: str, message_id: str) -> bool:
        """Whether an activity of the case was answered with that message before the restore."""
        file = self.folder / "histories" / f"{invoice_id}.json"
        if self.lost_time is None or not file.exists():
            return True
        return any(
            message_id in base64.b64decode(payload.get("data", "")).decode()
            for event in json.loads(file.read_text())["events"]
            if (answer := event.get("activityTaskCompletedEventAttributes"))
            and moment(event["eventTime"]) <= self.lost_time[1]
            for payload in answer.get("result", {}).get("payloads", [])
        )

    @cached_property
    def messages(self) -> dict[str, Row]:
        """A message whose text was lost in a restore: with the text and the times that it had before."""
        found = {row["message_id"]: row for row in self.rows("SELECT * FROM messages")}
        before = self.replaced.messages if self.replaced else {}
        for name in found.keys() & before.keys():
            if not found[name]["body"]:
                since = {key: found[name][key] for key in _SINCE if found[name][key] is not None}
                found[name] = before[name] | since
        return found

    @cached_property
    def links(self) -> list[Row]:
        return self.rows("SELECT * FROM message_invoices")

    @cached_property
    def invoices_of(self) -> dict[str, list[str]]:
        carried = defaultdict(list)
        for link in self.links:
            carried[link["message_id"]].append(link["invoice_id"])
        return carried

    @cached_property
    def links_of(self) -> dict[str, list[Row]]:
        """By invoice."""
        found = defaultdict(list)
        for link in self.links:
            found[link["invoice_id"]].append(link)
        return found

    @cached_property
    def payments(self) -> dict[tuple[str, str], Row]:
        """By invoice and the name that the audit has for each."""
        return {(row["invoice_id"], row["payment_id"]): row for row in self.rows("SELECT * FROM payments")}

    @cached_property
    def reversals(self) -> dict[tuple[str, str], Row]:
        """By the same."""
        rows = self.rows("SELECT * FROM payment_reversals")
        return {(row["invoice_id"], f"{row['payment_id']} {row['key']}"): row for row in rows}

    @cached_property
    def credit_uses(self) -> list[Row]:
        return self.rows("SELECT * FROM credit_uses")

    @cached_property
    def tasks(self) -> list[Row]:
        return self.rows("SELECT * FROM tasks")

    @cached_property
    def audit(self) -> list[Row]:
        """In the order of the database's own writes."""
        return self.rows("SELECT * FROM chaos_audit ORDER BY seq")

    @cached_property
    def lines_of(self) -> dict[tuple[str, str], list[Row]]:
        """The audit's lines by kind and key."""
        found = defaultdict(list)
        for line in self.audit:
            found[line["kind"], line["key"]].append(line)
        return found

    @property
    def end(self) -> int:
        """A number behind the audit's last."""
        return max((line["seq"] for line in self.audit), default=0) + 1

    @cached_property
    def _policies(self) -> dict[tuple[str, int], Row]:
        return {(row["name"], row["version"]): _json(row["body"]) for row in self.rows("SELECT * FROM policies")}

    def policy(self, invoice_id: str) -> Row:
        invoice = self.invoices[invoice_id]
        return self._policies[invoice["policy_name"], invoice["policy_version"]]

    @cached_property
    def _log(self) -> list[Row]:
        return [json.loads(line) for line in (self.folder / "providers.jsonl").read_text().splitlines()]

    @cached_property
    def accepted(self) -> list[Row]:
        return [line for line in self._log if line["event"] == "accepted"]

    @cached_property
    def heard(self) -> list[Row]:
        """The reports that the web service answered with success."""
        return [line for line in self._log if line["event"] == "heard"]

    @cached_property
    def webhook_events(self) -> dict[tuple[str, str, str], Row]:
        """What was kept of reports, by provider, the message's id there, and the provider's word."""
        found = {}
        for row in self.rows("SELECT * FROM webhook_events"):
            event = _json(row["body"]).get("event")
            if event is None:  # what cases are told of replies and of customers' pages: no provider's report
                continue
            found[row["provider"], event.get("message_id") or event.get("provider_id"), row["kind"]] = row
        return found

    @cached_property
    def by_their_id(self) -> dict[str, Row]:
        """The outbox by the ids that the providers' reports name: ours for e-mail, the provider's for SMS."""
        return {
            row["message_id" if row["channel"] == "email" else "provider_id"]: row for row in self.messages.values()
        }

    @cached_property
    def reported_delivered(self) -> set[str]:
        """Message ids."""
        told = (line["id"] for line in self._log if line["event"] == "reported" and line["status"] == "delivered")
        return {self.by_their_id[id_]["message_id"] for id_ in told if id_ in self.by_their_id}

    @cached_property
    def forms(self) -> list[Row]:
        """What became of the forms that clerks sent; none in a storm without them."""
        file = self.folder / FORMS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def account_forms(self) -> list[Row]:
        """What became of the forms that clerks sent from the pages of customers; none in a storm without them."""
        file = self.folder / ACCOUNTS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def money(self) -> list[Row]:
        """What came in by Stripe, by webhook and by bank; nothing in a storm without."""
        file = self.folder / MONEY
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def shown(self) -> frozenset[str]:
        """Which payments the page of unmatched money showed in the end."""
        file = self.folder / UNMATCHED
        return frozenset(one["entry_id"] for one in json.loads(file.read_text())) if file.exists() else frozenset()

    @cached_property
    def visits(self) -> list[Row]:
        """What became of the forms of customers' pages; none in a storm without."""
        file = self.folder / VISITS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def answers(self) -> list[Row]:
        """What became of the forms by which clerks handled replies; none in a storm without."""
        file = self.folder / ANSWERS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def stops(self) -> list[Row]:
        """The addresses from which STOP was taken; none in a storm without."""
        file = self.folder / STOPS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @cached_property
    def answers_to(self) -> dict[str, list[Row]]:
        """What clerks answered, by the reply."""
        return self._by("answers", "reply_id")

    @cached_property
    def replies(self) -> dict[str, Row]:
        return {row["reply_id"]: row for row in self.rows("SELECT * FROM replies")}

    @cached_property
    def faults(self) -> list[str]:
        """The last line of each traceback of the web service."""
        file = self.folder / FAULTS
        found = file.read_text().splitlines() if file.exists() else []
        return [line for line in found if line and not line.startswith((" ", "Traceback"))]

    @cached_property
    def under_way(self) -> frozenset[str]:
        """The cases that had not ended when the run was over."""
        return frozenset(self.cases.keys() - self.statuses().keys())

    @cached_property
    def not_applied(self) -> list[str]:
        """What Stripe, a webhook or the bank told of, and clerks' answers, that nobody had come to yet."""
        due = [name for (_, name), row in self.subjects.items() if row["state"] == "due"]
        due += sorted(self.answers_to_tell)
        return due + [row["identity"] for row in self.rows(f"SELECT identity FROM bank_entries e WHERE {TO_HAND_ON}")]

    @cached_property
    def answers_to_tell(self) -> frozenset[str]:
        """Clerks' answers that their cases had not been told of when the run was over: a killed process held them."""
        bodies = [row["body"] for row in self.rows("SELECT body FROM webhook_events WHERE done_at IS NULL")]
        told = [event for body in bodies for event in _json(body).get("cases", ())]
        return frozenset(event["content"]["answer"] for event in told if "answer" in event["content"])

    @cached_property
    def bank_entries(self) -> list[Row]:
        return self.rows("SELECT * FROM bank_entries")

    @cached_property
    def bookings(self) -> list[Row]:
        return self.rows("SELECT * FROM bookings")

    @cached_property
    def incoming(self) -> dict[str, Row]:
        """Payments that are matched, by the identity of their entry."""
        return {row["identity"]: row for row in self.rows("SELECT * FROM incoming_payments")}

    @cached_property
    def subjects(self) -> dict[tuple[str, str], Row]:
        """What providers told of, by provider and their id."""
        return {(row["provider"], row["subject"]): row for row in self.rows("SELECT * FROM billing_subjects")}

    @cached_property
    def requests(self) -> dict[str, list[Row]]:
        """What is remembered of requests, by the key of their caller's choice."""
        return self._by("requests", "key")

    @cached_property
    def submissions(self) -> set[tuple[str, str]]:
        """Which forms about customers were carried out: by whom, and their ids."""
        return {(row["principal"], row["form_id"]) for row in self.rows("SELECT * FROM submissions")}

    @cached_property
    def asked(self) -> dict[str, list[Row]]:
        """The product's own audit by the key of what was told: what customers asked for that a person answers."""
        return self._by("audit", "key")

    @cached_property
    def links_to_pages(self) -> dict[str | None, Row]:
        """The links to customers' pages by the message that carries each, those of restrictions by customer."""
        rows = self.rows("SELECT * FROM links WHERE kind = 'page' OR kind = 'restriction' ORDER BY made_at")
        return {row["message_id"] if row["kind"] == "page" else row["customer_id"]: row for row in rows}

    def in_storm(self, at: datetime) -> datetime:
        """The time of the storm, in which the pages live, at this real time."""
        began, begins, speed = (self.folder / "clock").read_text().split()
        return moment(begins) + (at - moment(began)) * float(speed)

    @cached_property
    def notes(self) -> dict[str, list[Row]]:
        """By their text."""
        return self._by("notes", "text")

    @cached_property
    def told(self) -> dict[str, list[Row]]:
        """The product's own audit, by the request that it is about."""
        return self._by("audit", "request_id")

    @cached_property
    def timeline(self) -> dict[str, list[Row]]:
        """By invoice."""
        return self._by("timeline", "invoice_id")

    def _by(self, table: str, column: str) -> dict[str, list[Row]]:
        found = defaultdict(list)
        for row in self.rows(f"SELECT * FROM {table}"):
            found[row[column]].append(row)
        return found

    def row_of(self, accepted: Row) -> Row | None:
        """The outbox row behind something a provider accepted."""
        if accepted["provider"] == "sendgrid":
            return self.messages.get(accepted["id"])
        known = [row for row in self.messages.values() if row["provider_id"] == accepted["id"]]
        same = [
            row
            for row in self.messages.values()
            if row["channel"] in TEXTS and (row["address"], row["body"]) == (accepted["to"], accepted["body"])
        ]
        return next(iter(known + same), None)

    def standing(self) -> list[tuple[dict[str, Row], dict[str, Row]]]:
        """How each case stood when the storm was over and when the run was, at two looks each."""
        lines = (self.folder / STANDING).read_text().splitlines()
        return [(first, second) for first, second in map(json.loads, lines)]

    def statuses(self) -> dict[str, Row]:
        """The workflow's own answers to `status`, of the cases that ended."""
        return {path.stem: json.loads(path.read_text()) for path in (self.folder / "statuses").glob("*.json")}

    def signals(self) -> dict[str, list[tuple[str, Row]]]:
        """(name, content) of every signal and accepted update in the histories, in order, of the cases that ended."""
        ended = self.statuses().keys()
        histories = (self.folder / "histories").glob("*.json")
        return {path.stem: list(_signals(path)) for path in histories if path.stem in ended}

    def is_after_its_last_word(self, invoice_id: str, line: Row) -> bool:
        """Whether a line of the timeline was written after all that the case could hear.

        After the last answer that it had from the database: a signal that came later would have made it ask again.
        """
        file = self.folder / "histories" / f"{invoice_id}.json"
        events = [event for event in json.loads(file.read_text())["events"] if "eventTime" in event]
        answers = [event for event in events if "activityTaskCompletedEventAttributes" in event]
        return moment(line["at"]) > _last_time(answers or events)

    def settled_at(self, seq: int, invoice_id: str) -> bool:
        """Whether the payments written before audit number `seq` cover the invoice, as it was amended by then.

        A rest within the ladder's tolerance (of minor units) is asked of nobody, once something was paid.
        """
        changed = [
            line["value"]
            for line in self.audit
            if line["seq"] < seq and line["kind"] == "amount" and line["key"] == invoice_id
        ]
        amount = Decimal([self.invoices[invoice_id]["amount"], *changed][-1])
        paid = self.paid_before(seq, invoice_id)
        waived = Decimal(self.policy(invoice_id)["tolerance"]).scaleb(-self.invoices[invoice_id]["digits"])
        return paid >= amount or (paid > 0 and amount - paid <= waived)

    def round_at(self, seq: int, invoice_id: str) -> tuple[int, int]:
        """The round of the ladder that the case was in before audit number `seq`, and the number it began with."""
        begun = {1: 0}
        for line in self.audit:
            if line["seq"] < seq and line["kind"] == "round" and line["key"] == invoice_id:
                begun.setdefault(int(line["value"]), line["seq"])  # after a restore it is written once more
        return max(begun.items())

    def paid_before(self, seq: int, invoice_id: str) -> Decimal:
        """A payment or reversal that was lost in a restore and is written again is still one."""
        counted = dict[str, Decimal]()
        for line in self.audit:
            if line["seq"] < seq and line["kind"] in {"payment", "reversal"} and line["key"] == invoice_id:
                amount = Decimal(line["value"])
                counted[line["part"]] = amount if line["kind"] == "payment" else -amount
        return sum(counted.values(), Decimal(0))


def _last_time(events: list[Row]) -> datetime:
    return max((moment(event["eventTime"]) for event in events), default=_NEVER)


def round_of(step: str) -> int:
    """The round in a step's key: 2 of "restrict.round2.again1", else 1."""
    marks = [mark for mark in step.split(".") if mark.startswith("round")]
    return int(marks[0].removeprefix("round")) if marks else 1


def _signals(path: Path) -> list[tuple[str, Row]]:
    found = []
    for event in json.loads(path.read_text())["events"]:
        signal = event.get("workflowExecutionSignaledEventAttributes")
        update = event.get("workflowExecutionUpdateAcceptedEventAttributes", {}).get("acceptedRequest")
        again = event.get("workflowExecutionUpdateAdmittedEventAttributes", {}).get("request")  # told anew by a reset
        if signal and "input" in signal:  # the one without only lets somebody past
            found.append((signal["signalName"], _content(signal["input"])))
        if update or again:
            told = (update or again)["input"]
            found.append((told["name"], _content(told["args"])))
    return found


def _content(told: Row) -> Row:
    read: Row = json.loads(base64.b64decode(told["payloads"][0]["data"]))
    return read


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
