"""The simulated customers of the demo.

Each customer has a story: a coroutine that waits until something happens to its case, such as the delivery of a
message, and then reports an event, as the billing system, the bank or an agent would. A customer sees what a real one
sees: delivered messages and the access of the account.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Invoice
from dunwell.domain.terms import Access, MessageState, Role, Stage
from dunwell.domain.timeline import Entry
from dunwell.local.demo_visit import NoSuchPageError
from dunwell.store import accounts, cases, outbox, tasks, timeline
from dunwell.store.database import Database

AGENT = "agent-7"
_SECONDS_AFTER_END = 8.0
"""How long a story goes on waiting after its case has ended: a reversed payment may open the case again."""


@dataclass(frozen=True)
class Received:
    """A delivered message. `at` is in the case's time."""

    message: str
    channel: Channel
    at: datetime
    subject: str
    body: str


@dataclass(frozen=True)
class CaseView:
    """A case at one moment. `now` is the case's time; `calls` holds the ids of open call tasks by step."""

    case: Case
    access: Access
    messages: tuple[Received, ...]
    calls: Mapping[str, str]
    decisions: tuple[Entry, ...]
    now: datetime


class CaseReader:
    """Reads the cases from the database. Not for use by two threads at once."""

    def __init__(self, database: Database, speed: float) -> None:
        self._database = database
        self._speed = speed
        self._changes: dict[str, tuple[datetime, float]] = {}

    def look(self) -> dict[str, CaseView]:
        """Return every case by invoice id."""
        with self._database.reading() as session:
            return {row.invoice_id: self._view(session, row.invoice_id) for row, _, _ in cases.rows(session)}

    def _view(self, session: Session, invoice_id: str) -> CaseView:
        row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
        if row is None or case is None:
            raise LookupError(f"case {invoice_id!r} vanished from the database")
        return CaseView(
            case=case,
            access=accounts.access(session, case.customer_id),
            messages=_arrived(session, invoice_id, row.updated_at),
            calls={task.step: task.task_id for task in tasks.open_tasks(session, invoice_id) if task.kind == "call"},
            decisions=tuple(entry for _, entry in timeline.read(session, invoice_id)),
            now=self._case_time(case, row.updated_at),
        )

    def _case_time(self, case: Case, updated_at: datetime) -> datetime:
        """Return the case's time. It runs on from the last change and stops at the next action until that is done."""
        change = self._changes.get(case.invoice_id)
        if change is None or change[0] != updated_at:
            change = self._changes[case.invoice_id] = (updated_at, time.monotonic())
        now = updated_at + timedelta(seconds=(time.monotonic() - change[1]) * self._speed)
        return min(now, max(case.next_action.at, updated_at)) if case.next_action else now


def _arrived(session: Session, invoice_id: str, done: datetime) -> tuple[Received, ...]:
    """Return the delivered messages claimed up to the time `done`. Later ones are not answered yet."""
    return tuple(
        Received(row.message, Channel(row.channel), row.claimed_at, row.subject, row.body)
        for row in outbox.of_invoice(session, invoice_id)
        if row.state == MessageState.DELIVERED
        and row.claimed_at <= done
        and f".{Role.ACCOUNT_MANAGER}." not in row.contact_id
    )


class UnexpectedError(Exception):
    """A case did not do what its story expects. The text says what was expected and what the case did."""


Tell = Callable[[str, dict[str, object]], Awaitable[None]]
"""Sends a signal, given by name and content, to the case."""

Visit = Callable[[], Awaitable[None]]
"""Opens the account in the product, and asks for grace on the page about its restriction."""


class DemoCustomer:
    """One customer with one invoice. `waiting_for` says what the story waits for."""

    def __init__(self, invoice: Invoice, tell: Tell, visit: Visit) -> None:
        self.invoice = invoice
        self.waiting_for = ""
        self._tell = tell
        self._visit = visit
        self._seen: CaseView | None = None
        self._changed = asyncio.Event()
        self._payments = 0

    def look(self, seen: CaseView) -> None:
        """Store the present view of the case, and let the story check what it waits for."""
        self._seen = seen
        self._changed.set()

    @property
    def seen(self) -> CaseView:
        if self._seen is None:
            raise UnexpectedError(f"{self.invoice.invoice_id}: nothing was seen of this case yet")
        return self._seen

    @property
    def today(self) -> date:
        return self.seen.now.date()

    # Waiting ---------------------------------------------------------------------------------------------

    async def email(self, message: str, count: int = 1) -> None:
        """Wait until this message was delivered by e-mail `count` times."""
        await self._until(f"the e-mail {message}", lambda seen: _times(seen, message, Channel.EMAIL) >= count)

    async def sms(self, message: str) -> None:
        """Wait until this message was delivered by SMS."""
        await self._until(f"the SMS {message}", lambda seen: _times(seen, message, Channel.SMS) > 0)

    async def call(self, step: str) -> str:
        """Wait until this step has an open call task. Returns the task's id."""
        await self._until(f"the call of {step}", lambda seen: step in seen.calls)
        return self.seen.calls[step]

    async def access(self, level: Access) -> None:
        await self._until(f"{level.value} access", lambda seen: seen.access is level)

    async def released(self) -> None:
        """Wait until this invoice has no hold."""
        await self._until("the release of its holds", lambda seen: not seen.case.holds)

    async def day(self, wanted: date) -> None:
        await self._until(f"{wanted}", lambda seen: seen.now.date() >= wanted)

    async def end(self) -> None:
        await self._until("the end", lambda seen: seen.case.finished)

    async def _until(self, what: str, true_of: Callable[[CaseView], bool]) -> None:
        self.waiting_for = what
        ended_at: float | None = None
        while self._seen is None or not true_of(self._seen):
            if self._seen is not None and self._seen.case.finished:
                ended_at = ended_at or time.monotonic()
                if time.monotonic() - ended_at > _SECONDS_AFTER_END:
                    raise UnexpectedError(f"waited for {what}, but the case ended ({self._seen.case.stage.value})")
            self._changed.clear()
            await self._changed.wait()
        self.waiting_for = ""

    # Reporting -------------------------------------------------------------------------------------------

    async def pay(self, amount: Decimal | None = None) -> str:
        """Pay this amount, or all that is open. Returns the payment's id."""
        self._payments += 1
        payment_id = f"{self.invoice.invoice_id}-payment-{self._payments}"
        wanted = self.seen.case.open_amount if amount is None else amount
        await self.tell("payment_received", payment_id=payment_id, amount=wanted, currency=self.invoice.currency)
        return payment_id

    async def promise(self, days: int) -> date:
        """Promise to pay all that is open in so many days. Returns the promised day."""
        on = self.today + timedelta(days=days)
        await self.tell("promise_to_pay", date=on, promised_by=Role.ACCOUNTS_PAYABLE.value, via="e-mail")
        return on

    async def ask_for_grace(self) -> None:
        """Ask for some days of access on the page about the restriction, as a person does with a browser."""
        try:
            await self._visit()
        except NoSuchPageError as error:
            raise UnexpectedError(f"asked for grace, but {error}") from None

    async def tell(self, name: str, **content: object) -> None:
        """Send an event. Amounts and dates are sent as text."""
        await self._tell(name, {key: _plain(value) for key, value in content.items()})

    def part(self, of: int) -> Decimal:
        """Return the invoice's amount divided by `of`, rounded to minor units."""
        return (self.invoice.amount / of).quantize(Decimal(1).scaleb(-self.invoice.digits))


def _times(seen: CaseView, message: str, channel: Channel) -> int:
    return len(
        {received.at for received in seen.messages if received.message == message and received.channel is channel}
    )


def _plain(value: object) -> object:
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


# The stories ---------------------------------------------------------------------------------------------


async def pays_early(me: DemoCustomer) -> None:
    await me.day(me.invoice.due_on - timedelta(days=4))
    await me.pay()
    await me.end()
    if me.seen.messages:
        raise UnexpectedError(f"paid before the due date, and got {me.seen.messages[0].message} all the same")


async def forgets(me: DemoCustomer) -> None:
    await me.email("final-warning")
    await me.day(me.today + timedelta(days=2))
    await me.pay()
    await me.email("thank-you")


async def keeps_promise(me: DemoCustomer) -> None:
    task = await me.call("promise-call")
    on = me.today + timedelta(days=5)
    await me.tell("call_outcome", task_id=task, outcome="promise", by=AGENT, promise={"date": on})
    await me.email("promise-confirmed")
    await me.day(on - timedelta(days=1))
    await me.pay()
    await me.email("thank-you")


async def breaks_promise(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    await me.promise(days=4)
    await me.email("promise-confirmed")
    await me.email("promise-broken")
    await me.pay()
    await me.email("thank-you")


async def pays_in_parts(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    await me.pay(me.part(of=3))
    await me.email("part-received")
    await me.email("final-warning")
    await me.pay()
    await me.email("thank-you")


async def disputes(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    await me.tell("dispute_opened", reason="wrong-quantity", opened_by=Role.ACCOUNTS_PAYABLE.value)
    await me.email("dispute-received")
    await me.day(me.today + timedelta(days=4))
    less = me.invoice.amount - me.part(of=4)
    await me.tell("dispute_resolved", outcome="adjusted", new_amount=less, by=AGENT)
    await me.email("dispute-closed")
    await me.pay(less)
    await me.email("thank-you")


async def never_pays(me: DemoCustomer) -> None:
    await me.email("handover-notice")


async def overpays(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    await me.pay(me.invoice.amount + me.part(of=10))
    await me.email("thank-you")
    if me.seen.case.credit != me.part(of=10):
        raise UnexpectedError(f"paid {me.part(of=10)} too much, but the credit is {me.seen.case.credit}")


async def is_reversed(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    payment_id = await me.pay()
    await me.email("thank-you")
    await me.day(me.today + timedelta(days=3))
    await me.tell("payment_reversed", payment_id=payment_id, reason="insufficient-funds")
    await me.email("final-warning")
    await me.pay()
    await me.email("thank-you", count=2)


async def gets_plan(me: DemoCustomer) -> None:
    await me.email("reminder-first")
    first, second = me.today + timedelta(days=7), me.today + timedelta(days=14)
    half = me.part(of=2)
    rest = me.invoice.amount - half
    instalments = [{"date": first, "amount": half}, {"date": second, "amount": rest}]
    await me.tell("payment_plan_agreed", instalments=instalments, by=AGENT)
    await me.email("plan-agreed")
    await me.day(first - timedelta(days=1))
    await me.pay(half)
    await me.day(second - timedelta(days=1))
    await me.pay(rest)
    await me.email("thank-you")


async def bounces(me: DemoCustomer) -> None:
    await me.sms("reminder-first")
    await me.pay()
    await me.sms("thank-you")


async def is_restricted(me: DemoCustomer) -> None:
    await me.access(Access.RESTRICTED)
    await me.email("restricted")
    await me.ask_for_grace()
    await me.access(Access.FULL)
    await me.email("grace-confirmed")
    await me.access(Access.RESTRICTED)
    await me.email("restricted", count=2)
    await me.pay()
    await me.access(Access.FULL)
    await me.email("restored")


async def stops_work(me: DemoCustomer) -> None:
    await me.email("milestone-invoice")
    await me.email("milestone-reminder")
    await me.pay()
    await me.released()
    await me.email("thank-you")


@dataclass(frozen=True)
class Story:
    """A customer's story, the stage in which its case must end, and one line about it."""

    run: Callable[[DemoCustomer], Awaitable[None]]
    ends: Stage
    line: str


STORIES: Mapping[str, Story] = {
    "pays-early": Story(pays_early, Stage.PAID, "pays before anybody has to ask"),
    "forgets": Story(forgets, Stage.PAID, "forgot; pays after the second received"),
    "keeps-promise": Story(keeps_promise, Stage.PAID, "promises a day on the phone, and pays"),
    "breaks-promise": Story(breaks_promise, Stage.PAID, "promises, breaks it, pays when reminded"),
    "pays-in-parts": Story(pays_in_parts, Stage.PAID, "pays a third, then the rest"),
    "disputes": Story(disputes, Stage.PAID, "disputes; the invoice is corrected, then paid"),
    "never-pays": Story(never_pays, Stage.HANDED_OVER, "never pays: the whole ladder"),
    "overpays": Story(overpays, Stage.PAID, "pays a tenth too much: kept as credit"),
    "is-reversed": Story(is_reversed, Stage.PAID, "the bank takes the payment back; pays again"),
    "gets-plan": Story(gets_plan, Stage.PAID, "agrees on two instalments and keeps them"),
    "bounces": Story(bounces, Stage.PAID, "the e-mail bounces; the SMS arrives"),
    "is-restricted": Story(
        is_restricted, Stage.PAID, "is restricted, asks for some days, then pays and is back at once"
    ),
    "stops-work": Story(stops_work, Stage.PAID, "the next milestone waits until this one is paid"),
}
"""The customers of the demo, by invoice id."""
