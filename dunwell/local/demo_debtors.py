"""The people of the demo: what each of them sees of a case, and what they do about it.

A debtor knows what a real one knows: the letters and texts that arrived, and what the product lets them do. A
story is a coroutine that waits for something to be seen and then reports something, as the billing system, the
bank or an agent would. A story that cannot go on says what it waited for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.invoice import Invoice
from dunwell.domain.terms import Access, Channel, MessageState, Role, Stage
from dunwell.domain.timeline import Entry
from dunwell.store import accounts, cases, outbox, tasks, timeline
from dunwell.store.database import Database

AGENT = "agent-7"
_PATIENCE_AFTER_THE_END = 8.0
"""Seconds in which a finished case may still change, for a payment can be taken back."""


@dataclass(frozen=True)
class Letter:
    """A message that arrived, `at` a moment of the case's time."""

    message: str
    channel: Channel
    at: datetime
    subject: str
    body: str


@dataclass(frozen=True)
class Seen:
    """A case at one look. `now` is its own time; `calls` maps the steps of open call tasks to their ids."""

    case: Case
    access: Access
    letters: tuple[Letter, ...]
    calls: Mapping[str, str]
    decisions: tuple[Entry, ...]
    now: datetime


class Window:
    """Looks at the cases in the database, again and again. Not for use by two threads at once."""

    def __init__(self, database: Database, speed: float) -> None:
        self._database = database
        self._speed = speed
        self._noticed: dict[str, tuple[datetime, float]] = {}

    def look(self) -> dict[str, Seen]:
        """Every case by its invoice id."""
        with self._database.reading() as session:
            return {row.invoice_id: self._see(session, row.invoice_id) for row, _, _ in cases.rows(session)}

    def _see(self, session: Session, invoice_id: str) -> Seen:
        row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
        if row is None or case is None:
            raise LookupError(f"case {invoice_id!r} vanished from the database")
        return Seen(
            case=case,
            access=accounts.access(session, case.customer_id),
            letters=_arrived(session, invoice_id, row.updated_at),
            calls={task.step: task.task_id for task in tasks.open_tasks(session, invoice_id) if task.kind == "call"},
            decisions=tuple(entry for _, entry in timeline.read(session, invoice_id)),
            now=self._case_time(case, row.updated_at),
        )

    def _case_time(self, case: Case, updated_at: datetime) -> datetime:
        """From the last change on the clock runs, but never past the next action: it stands still for that."""
        noticed = self._noticed.get(case.invoice_id)
        if noticed is None or noticed[0] != updated_at:
            noticed = self._noticed[case.invoice_id] = (updated_at, time.monotonic())
        now = updated_at + timedelta(seconds=(time.monotonic() - noticed[1]) * self._speed)
        return min(now, max(case.next_action.at, updated_at)) if case.next_action else now


def _arrived(session: Session, invoice_id: str, done: datetime) -> tuple[Letter, ...]:
    """What the debtor's people have read: letters of steps that are `done`, for nobody answers within a second."""
    return tuple(
        Letter(row.message, Channel(row.channel), row.claimed_at, row.subject, row.body)
        for row in outbox.of_invoice(session, invoice_id)
        if row.state == MessageState.DELIVERED
        and row.claimed_at <= done
        and f".{Role.ACCOUNT_MANAGER}." not in row.contact_id
    )


class UnexpectedError(Exception):
    """The case did not do what a story counts on. Says what was waited for and how the case stood."""


Tell = Callable[[str, dict[str, object]], Awaitable[None]]
"""Reports an event to the case: the signal's name and its content."""


class Debtor:
    """One debtor and one invoice. `waiting_for` says in plain words what the story waits for."""

    def __init__(self, invoice: Invoice, tell: Tell) -> None:
        self.invoice = invoice
        self.waiting_for = ""
        self._tell = tell
        self._seen: Seen | None = None
        self._news = asyncio.Event()
        self._payments = 0

    def look(self, seen: Seen) -> None:
        """Take in what can be seen now."""
        self._seen = seen
        self._news.set()

    @property
    def seen(self) -> Seen:
        if self._seen is None:
            raise UnexpectedError(f"{self.invoice.invoice_id}: nothing was seen of this case yet")
        return self._seen

    @property
    def today(self) -> date:
        return self.seen.now.date()

    # Seeing ----------------------------------------------------------------------------------------------

    async def letter(self, message: str, count: int = 1) -> None:
        """Until this message arrived by e-mail, for the `count`th time."""
        await self._until(f"the e-mail {message}", lambda seen: _times(seen, message, Channel.EMAIL) >= count)

    async def text(self, message: str) -> None:
        """Until this message arrived by SMS."""
        await self._until(f"the SMS {message}", lambda seen: _times(seen, message, Channel.SMS) > 0)

    async def call(self, step: str) -> str:
        """Until an agent is asked to call because of this step. Returns the task's id."""
        await self._until(f"the call of {step}", lambda seen: step in seen.calls)
        return self.seen.calls[step]

    async def access(self, level: Access) -> None:
        await self._until(f"{level.value} access", lambda seen: seen.access is level)

    async def released(self) -> None:
        """Until this invoice holds nothing back any more."""
        await self._until("the release of its holds", lambda seen: not seen.case.holds)

    async def day(self, wanted: date) -> None:
        await self._until(f"{wanted}", lambda seen: seen.now.date() >= wanted)

    async def end(self) -> None:
        await self._until("the end", lambda seen: seen.case.finished)

    async def _until(self, what: str, true_of: Callable[[Seen], bool]) -> None:
        self.waiting_for = what
        ended_at: float | None = None
        while self._seen is None or not true_of(self._seen):
            if self._seen is not None and self._seen.case.finished:
                ended_at = ended_at or time.monotonic()
                if time.monotonic() - ended_at > _PATIENCE_AFTER_THE_END:
                    raise UnexpectedError(f"waited for {what}, but the case ended ({self._seen.case.stage.value})")
            self._news.clear()
            await self._news.wait()
        self.waiting_for = ""

    # Doing -----------------------------------------------------------------------------------------------

    async def pay(self, amount: Decimal | None = None) -> str:
        """Pay so much, or all that is open. Returns the payment's id."""
        self._payments += 1
        payment_id = f"{self.invoice.invoice_id}-payment-{self._payments}"
        wanted = self.seen.case.open_amount if amount is None else amount
        await self.tell("payment_received", payment_id=payment_id, amount=wanted, currency=self.invoice.currency)
        return payment_id

    async def promise(self, days: int) -> date:
        """Promise all that is open in so many days. Returns the day."""
        on = self.today + timedelta(days=days)
        await self.tell("promise_to_pay", date=on, promised_by=Role.ACCOUNTS_PAYABLE.value, via="e-mail")
        return on

    async def tell(self, name: str, **content: object) -> None:
        """Report an event; amounts and dates become text, as everybody sends them."""
        await self._tell(name, {key: _plain(value) for key, value in content.items()})

    def part(self, of: int) -> Decimal:
        """The invoice's amount divided by `of`, in whole minor units."""
        return (self.invoice.amount / of).quantize(Decimal(1).scaleb(-self.invoice.digits))


def _times(seen: Seen, message: str, channel: Channel) -> int:
    return len({letter.at for letter in seen.letters if letter.message == message and letter.channel is channel})


def _plain(value: object) -> object:
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


# The stories ---------------------------------------------------------------------------------------------


async def pays_early(me: Debtor) -> None:
    await me.day(me.invoice.due_on - timedelta(days=4))
    await me.pay()
    await me.end()
    if me.seen.letters:
        raise UnexpectedError(f"paid before the due date, and got {me.seen.letters[0].message} all the same")


async def forgets(me: Debtor) -> None:
    await me.letter("final-warning")
    await me.day(me.today + timedelta(days=2))
    await me.pay()
    await me.letter("thank-you")


async def keeps_promise(me: Debtor) -> None:
    task = await me.call("promise-call")
    on = me.today + timedelta(days=5)
    await me.tell("call_outcome", task_id=task, outcome="promise", by=AGENT, promise={"date": on})
    await me.letter("promise-confirmed")
    await me.day(on - timedelta(days=1))
    await me.pay()
    await me.letter("thank-you")


async def breaks_promise(me: Debtor) -> None:
    await me.letter("reminder-first")
    await me.promise(days=4)
    await me.letter("promise-confirmed")
    await me.letter("promise-broken")
    await me.pay()
    await me.letter("thank-you")


async def pays_in_parts(me: Debtor) -> None:
    await me.letter("reminder-first")
    await me.pay(me.part(of=3))
    await me.letter("part-received")
    await me.letter("final-warning")
    await me.pay()
    await me.letter("thank-you")


async def disputes(me: Debtor) -> None:
    await me.letter("reminder-first")
    await me.tell("dispute_opened", reason="wrong-quantity", opened_by=Role.ACCOUNTS_PAYABLE.value)
    await me.letter("dispute-received")
    await me.day(me.today + timedelta(days=4))
    less = me.invoice.amount - me.part(of=4)
    await me.tell("dispute_resolved", outcome="adjusted", new_amount=less, by=AGENT)
    await me.letter("dispute-closed")
    await me.pay(less)
    await me.letter("thank-you")


async def never_pays(me: Debtor) -> None:
    await me.letter("handover-notice")


async def overpays(me: Debtor) -> None:
    await me.letter("reminder-first")
    await me.pay(me.invoice.amount + me.part(of=10))
    await me.letter("thank-you")
    if me.seen.case.credit != me.part(of=10):
        raise UnexpectedError(f"paid {me.part(of=10)} too much, but the credit is {me.seen.case.credit}")


async def is_reversed(me: Debtor) -> None:
    await me.letter("reminder-first")
    payment_id = await me.pay()
    await me.letter("thank-you")
    await me.day(me.today + timedelta(days=3))
    await me.tell("payment_reversed", payment_id=payment_id, reason="insufficient-funds")
    await me.letter("final-warning")
    await me.pay()
    await me.letter("thank-you", count=2)


async def gets_plan(me: Debtor) -> None:
    await me.letter("reminder-first")
    first, second = me.today + timedelta(days=7), me.today + timedelta(days=14)
    half = me.part(of=2)
    rest = me.invoice.amount - half
    instalments = [{"date": first, "amount": half}, {"date": second, "amount": rest}]
    await me.tell("payment_plan_agreed", instalments=instalments, by=AGENT)
    await me.letter("plan-agreed")
    await me.day(first - timedelta(days=1))
    await me.pay(half)
    await me.day(second - timedelta(days=1))
    await me.pay(rest)
    await me.letter("thank-you")


async def bounces(me: Debtor) -> None:
    await me.text("reminder-first")
    await me.pay()
    await me.text("thank-you")


async def is_restricted(me: Debtor) -> None:
    await me.access(Access.RESTRICTED)
    await me.letter("restricted")
    await me.pay()
    await me.access(Access.FULL)
    await me.letter("restored")


async def stops_work(me: Debtor) -> None:
    await me.letter("milestone-invoice")
    await me.letter("milestone-reminder")
    await me.pay()
    await me.released()
    await me.letter("thank-you")


@dataclass(frozen=True)
class Part:
    """A debtor's story, the end it must come to, and one line about it."""

    story: Callable[[Debtor], Awaitable[None]]
    ends: Stage
    line: str


CAST: Mapping[str, Part] = {
    "pays-early": Part(pays_early, Stage.PAID, "pays before anybody has to ask"),
    "forgets": Part(forgets, Stage.PAID, "forgot; pays after the second letter"),
    "keeps-promise": Part(keeps_promise, Stage.PAID, "promises a day on the phone, and pays"),
    "breaks-promise": Part(breaks_promise, Stage.PAID, "promises, breaks it, pays when reminded"),
    "pays-in-parts": Part(pays_in_parts, Stage.PAID, "pays a third, then the rest"),
    "disputes": Part(disputes, Stage.PAID, "disputes; the invoice is corrected, then paid"),
    "never-pays": Part(never_pays, Stage.HANDED_OVER, "never pays: the whole ladder"),
    "overpays": Part(overpays, Stage.PAID, "pays a tenth too much: kept as credit"),
    "is-reversed": Part(is_reversed, Stage.PAID, "the bank takes the payment back; pays again"),
    "gets-plan": Part(gets_plan, Stage.PAID, "agrees on two instalments and keeps them"),
    "bounces": Part(bounces, Stage.PAID, "the e-mail bounces; the SMS arrives"),
    "is-restricted": Part(is_restricted, Stage.PAID, "is restricted, pays, is back at once"),
    "stops-work": Part(stops_work, Stage.PAID, "the next milestone waits until this one is paid"),
}
"""Who plays in the demo, by invoice id."""
