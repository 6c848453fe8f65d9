"""Compares Dunwell with what is common today: an hourly cron job that scans an SQL table for due reminders.

The job is written as such jobs are: it marks what was paid since its last run, selects the open invoices whose days
overdue are those of a step, sends, and stores the step when the run has ended. Both run through the same month on a
simulated clock: payments come at any minute, the machine is down for thirty hours and for a whole day, and in some
hours the provider is so slow that the next run begins before the last one has ended; for Dunwell a second worker then
executes the same steps again. Dunwell's own activities and database are used.

    python -m bench.cron --invoices 300 --seed 7
"""

import argparse
import random
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from bench.cases import AMOUNT, invoice, ladder, registered
from bench.environment import deps_on, scratch
from bench.tables import percentile, table
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.events import parse_event
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest, StepRequest
from dunwell.services.steps import Steps

START = date(2027, 3, 1)
DAYS = 31
STEPS = (1, 4, 8, 15)
"""Days after the due date on which a reminder is planned."""
OPEN, CLOSED = time(10), time(17)
QUICK_SECONDS, SLOW_SECONDS = 2, 600
"""Seconds that the provider takes for a message, usually and in a slow hour."""


@dataclass(frozen=True)
class Month:
    """The random events of the month, the same for both systems."""

    due: dict[str, date]
    paid: dict[str, datetime]
    outages: tuple[tuple[datetime, datetime], ...]
    slow: frozenset[datetime]  # hours whose run takes longer than an hour

    @classmethod
    def draw(cls, invoices: int, seed: int) -> "Month":
        draw = random.Random(seed)
        due, paid = {}, {}
        for number in range(invoices):
            name = f"i-{number}"
            due[name] = START + timedelta(days=draw.randrange(14))
            if draw.random() < 0.7:
                minutes = draw.randrange(16 * 24 * 60)
                paid[name] = datetime.combine(due[name], time(0), UTC) + timedelta(minutes=minutes)
        first = datetime.combine(START + timedelta(days=9), time(6), UTC)
        second = datetime.combine(START + timedelta(days=17), time(0), UTC)
        outages = ((first, first + timedelta(hours=30)), (second, second + timedelta(hours=24)))
        hours = [datetime.combine(START + timedelta(days=day), time(10), UTC) for day in range(2, DAYS, 7)]
        return cls(due, paid, outages, frozenset(hours))

    def down(self, moment: datetime) -> bool:
        return any(begin <= moment < end for begin, end in self.outages)

    def up(self, moment: datetime) -> datetime:
        """Return the moment itself, or the end of the outage in which it lies."""
        return next((end for begin, end in self.outages if begin <= moment < end), moment)

    def wanted(self) -> set[tuple[str, int]]:
        """Return the steps after which the invoice stayed open for a week within the month."""
        never = datetime.max.replace(tzinfo=UTC)
        week, end = timedelta(days=7), datetime.combine(START + timedelta(days=DAYS), time(0), UTC)
        return {
            (name, step)
            for name, due in self.due.items()
            for step in STEPS
            if datetime.combine(due + timedelta(days=step), time(10), UTC) + week
            < min(end, self.paid.get(name, never))
        }


@dataclass
class Tally:
    """The result of one system: messages sent (invoice, step, time), and the delay until it knew of each payment."""

    sent: list[tuple[str, int, datetime]] = field(default_factory=list)
    noticed_after: list[timedelta] = field(default_factory=list)

    def doubles(self) -> int:
        return sum(count - 1 for count in Counter((name, step) for name, step, _ in self.sent).values())

    def after_payment(self, month: Month) -> int:
        """Return how many messages were sent after the payment of their invoice."""
        return sum(name in month.paid and at > month.paid[name] for name, _, at in self.sent)

    def lost(self, month: Month) -> int:
        """Return how many steps never happened although the invoice stayed open for a week after them."""
        done = {(name, step) for name, step, _ in self.sent}
        return sum((name, step) not in done for name, step in month.wanted())


# The job ---------------------------------------------------------------------------------------------------


class Cron:
    """The cron job with its table."""

    def __init__(self, month: Month) -> None:
        self._month, self.tally = month, Tally()
        self._table = sqlite3.connect(":memory:")
        self._table.execute("create table invoices (id text primary key, due text, paid_at text, last_step int)")
        self._table.executemany(
            "insert into invoices values (?, ?, null, 0)",
            [(name, due.isoformat()) for name, due in month.due.items()],
        )

    def live(self) -> Tally:
        hours = [datetime.combine(START, time(0), UTC) + timedelta(hours=number) for number in range(24 * DAYS)]
        unsaved: list[tuple[int, str]] = []
        for hour in hours:
            if self._month.down(hour):
                continue
            self._import_payments(hour)
            steps = self._send_what_is_due(hour) if OPEN <= hour.time() < CLOSED else []
            # Progress is saved at the end of a run: if that takes more than an hour, the next run reads too early.
            self._save(unsaved)
            unsaved = steps
            if hour not in self._month.slow:
                self._save(unsaved)
                unsaved = []
        return self.tally

    def _import_payments(self, hour: datetime) -> None:
        """Mark as paid what was paid since the last run."""
        for (name,) in self._table.execute("select id from invoices where paid_at is null").fetchall():
            if name in self._month.paid and self._month.paid[name] <= hour:
                self._table.execute("update invoices set paid_at = ? where id = ?", (hour.isoformat(), name))
                self.tally.noticed_after.append(hour - self._month.paid[name])

    def _send_what_is_due(self, hour: datetime) -> list[tuple[int, str]]:
        done: list[tuple[int, str]] = []
        seconds = SLOW_SECONDS if hour in self._month.slow else QUICK_SECONDS
        for step in STEPS:
            day = (hour.date() - timedelta(days=step)).isoformat()
            found = self._table.execute(
                "select id from invoices where paid_at is null and due = ? and last_step < ?", (day, step)
            )
            for (name,) in found.fetchall():
                at = hour + timedelta(seconds=seconds * (len(done) + 1))
                self.tally.sent.append((name, step, at))
                done.append((step, name))
        return done

    def _save(self, steps: Iterable[tuple[int, str]]) -> None:
        self._table.executemany("update invoices set last_step = ? where id = ?", steps)


# Dunwell ---------------------------------------------------------------------------------------------------


class Counting(OutboxGateway):
    """The outbox, with a list of what a provider would have been given."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(Channel.EMAIL)
        self._tally = tally
        self.now = datetime.combine(START, time(0), UTC)
        self.step = ("", 0)

    def send(self, envelope: Envelope) -> Receipt:
        self._tally.sent.append((*self.step, self.now))
        return super().send(envelope)


class Cases:
    """The same month with Dunwell, through the services that a case's workflow uses, in the same order."""

    def __init__(self, month: Month, deps: Dependencies) -> None:
        self._month, self.tally = month, Tally()
        self._provider = Counting(self.tally)
        deps = replace(deps, rehearsal_gateways={**deps.rehearsal_gateways, Channel.EMAIL: self._provider})
        self._deps, self._steps, self._recording = deps, Steps(deps), Recording(deps)
        self._policy = ladder(deps, "month", _reminders())

    def live(self) -> Tally:
        """Run case after case. Each has a customer of its own, so their order does not matter."""
        opens = datetime.combine(START, time(0), UTC)
        for name, due in self._month.due.items():
            bill = invoice(name, self._policy, due)
            [known] = registered(self._deps, self._policy, [bill], 1.0, opens)
            self._life(known.invoice.invoice_id, known.opening.case)
        return self.tally

    def _life(self, name: str, case: Case) -> None:
        paid = self._month.paid.get(name)
        paid = paid and self._month.up(paid)
        end = datetime.combine(START + timedelta(days=DAYS), time(0), UTC)
        while (action := case.next_action) is not None:
            at = self._month.up(action.at)
            if at >= end or (paid is not None and paid <= at):
                break
            case = self._step(name, case, at)
        if paid is not None and paid < end:
            self._pay(case, paid, self._month.paid[name])

    def _step(self, name: str, case: Case, at: datetime) -> Case:
        action = case.next_action
        assert action is not None
        self._provider.now, self._provider.step = at, (name, int(action.step.removeprefix("day-")))
        request = StepRequest.whole(case, now=at, rehearsal=True, step=action.step, planned_at=action.at)
        answer = self._steps.carry_out(request.model_copy(deep=True), Attempt(at))
        if at.replace(minute=0, second=0, microsecond=0) in self._month.slow:
            # As if the worker had been taken for dead: another one executes the step again.
            self._steps.carry_out(request.model_copy(deep=True), Attempt(at))
        after = case.model_copy(deep=True)
        assert answer.outcome is not None
        after.take(answer.outcome)
        after.next_action = answer.next_action
        return after

    def _pay(self, case: Case, at: datetime, came_in: datetime) -> None:
        content = {"payment_id": "p-1", "amount": str(AMOUNT), "currency": "EUR"}
        after = case.model_copy(deep=True)
        after.apply(parse_event("payment_received", [content]), at)
        request = RecordRequest.whole(after, now=at, rehearsal=True, event="payment_received", content=content)
        self._recording.record(request, Attempt(at))
        self.tally.noticed_after.append(at - came_in)


def _reminders() -> list[dict[str, object]]:
    return [
        {
            "id": f"day-{step}",
            "when": f"due + {step} day{'s' if step > 1 else ''} at 10:00",
            "to": ["accounts_payable"],
            "by": ["email"],
            "message": "reminder-second" if step > 1 else "reminder-first",
        }
        for step in STEPS
    ]


def bench(invoices: int, seed: int) -> str:
    month = Month.draw(invoices, seed)
    rows = [_row("hourly cron job", Cron(month).live(), month)]
    with scratch() as folder, deps_on("sqlite", folder) as deps:
        rows.append(_row("dunwell", Cases(month, deps).live(), month))
    heads = [
        f"{invoices} invoices, a month, seed {seed}",
        "messages",
        "after the payment",
        "lost steps",
        "sent twice",
    ]
    return table([*heads, "min until it knew: p50", "most"], rows)


def _row(title: str, tally: Tally, month: Month) -> list[object]:
    minutes = [waited.total_seconds() / 60 for waited in tally.noticed_after]
    counts = [len(tally.sent), tally.after_payment(month), tally.lost(month), tally.doubles()]
    return [title, *counts, f"{percentile(minutes, 50):.0f}", f"{max(minutes):.0f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cron", description=__doc__)
    parser.add_argument("--invoices", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    print(bench(chosen.invoices, chosen.seed))


if __name__ == "__main__":
    main()
