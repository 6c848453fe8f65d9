"""A drawn life once more, lived by the real workflow: its activities, a database, and providers that speak HTTP.

The life is told the same things at the same moments as the model of `life.py`, on a time-skipping server of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import select
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from dunwell.client.registration import Registrar
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import BY_PERSON, Channel
from dunwell.domain.clock import Clock
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Invoice
from dunwell.domain.keys import StepKey
from dunwell.domain.terms import DebtorKind, MessageState
from dunwell.services import delivery_reports
from dunwell.store import cases, outbox, tasks
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from tests.builders import a_customer, an_invoice
from tests.gateways.fakes import Answer
from tests.laws.life import Fate, Happening, Life
from tests.laws.witness import Witness, providers
from tests.workflows.harness import CaseHarness, harness_on, time_skipping_server
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart
from workflows.options import TASK_QUEUE

_INVOICE = "inv-1"
_MONEY = {"payment_received", "payment_reversed"}
_REPORTED: Mapping[Fate, MessageState] = {
    "delivered": MessageState.DELIVERED,
    "bounced": MessageState.BOUNCED,
    "silent": MessageState.FAILED,
}
_MOMENT = timedelta(seconds=1)
_AT_WORK = 20
"""Seconds in which what is under way comes to its end: what is cut off in the middle stops this server's clock."""
_PATIENCE, _HEARING = 10, 0.5
"""Seconds of the machine's own, at most, for a signal to be taken, and for what it says to be written down."""


class DrawnDays:
    """The business days of one drawn life, whatever the country."""

    def __init__(self, calendar: BusinessCalendar) -> None:
        self._calendar = calendar

    def calendar(
        self, country: str, time_zone: str, window: tuple[str, str], first: date, last: date
    ) -> BusinessCalendar:
        return self._calendar


@dataclass
class Served:
    """One life on one server. `begin` is the model's first moment; the post is looked through once a day."""

    harness: CaseHarness
    life: Life
    begin: datetime
    witness: Witness
    _due: dict[str, tuple[datetime, Fate]] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)
    _told: bool = True
    _in_flight: deque[Happening] = field(default_factory=deque)

    async def live_through(self, happenings: list[Happening]) -> None:
        """Everything at its moment, then silence until nothing is left to wait for."""
        at, self.witness.meanwhile = self.begin, partial(self._interrupt, asyncio.get_running_loop())
        for drawn in happenings:
            at += timedelta(hours=drawn.wait)
            await self._pass_until(at)
            happening = drawn.dated(self.life.calendar.local_date(at))
            if happening.name == "outage":
                at += timedelta(hours=happening.content["hours"])
                await self._be_gone_until(at)
            elif happening.in_flight:
                self._in_flight.append(happening)
            else:
                await self._tell(happening.name, happening.content)
        await self._pass_until(at + self.life.quiet)
        if self.case.finished:
            self.witness.keep_status(_INVOICE, await self.harness.status())
            self.witness.keep_history(_INVOICE, await self.harness.case.fetch_history())

    @property
    def case(self) -> Case:
        with self.harness.deps.database.reading() as session:
            case = cases.get(session, _INVOICE)
        assert case is not None
        return case

    def contacts(self) -> Iterator[tuple[datetime, str]]:
        """Every letter and call of the ladder that left, with its moment; a call that was asked for is of no step."""
        with self.harness.deps.database.reading() as session:
            for row in outbox.of_invoice(session, _INVOICE):
                if row.state != MessageState.WITHHELD and not StepKey.parse(row.step).copied:
                    yield row.claimed_at, row.step
            for task in session.scalars(select(TaskRow).where(TaskRow.kind.in_(BY_PERSON))):
                if task.step:
                    yield task.due_at, task.step

    # Time ------------------------------------------------------------------------------------------------

    async def _pass_until(self, moment: datetime) -> None:
        while (now := await self.harness.now()) < moment:
            look = min((moment, *self._next_looks(now)))
            await self.harness.sleep(look - now)
            await self._bring_post(await self.harness.now())
            await self._say_yes()

    def _next_looks(self, now: datetime) -> Iterator[datetime]:
        """The rounds of the post after which something may have left, or has to be reported."""
        with self.harness.deps.database.reading() as session:
            row = cases.get_row(session, _INVOICE)
            acts_at = row.next_at if row else None
        waiting = [at for message, (at, _) in self._due.items() if message not in self._reported]
        # Just after news the plan in the database may be an older one.
        waiting += [now] if self._told else [acts_at] if acts_at else []
        self._told = False
        return (self.life.arrival(max(at, now + _MOMENT), 0) for at in waiting)

    async def _be_gone_until(self, moment: datetime) -> None:
        """Server and worker are lost; what falls due meanwhile is found late."""
        await self.harness.pass_time(seconds=_AT_WORK)
        gone = moment - await self.harness.now()
        try:
            await self.harness.outage(seconds=gone.total_seconds())
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await self._pass_until(moment)
            return
        self._told = True
        await self._bring_post(await self.harness.now())

    # News ------------------------------------------------------------------------------------------------

    async def _tell(self, name: str, content: dict[str, Any]) -> None:
        """When the case has ended, money begins a new run, as the product's own door does; the rest is lost."""
        if not await self._signal(name, content) and name in _MONEY:
            await self._reopen(name, content)

    async def _signal(self, name: str, content: dict[str, Any]) -> bool:
        """Whether anybody heard it."""
        self._told = True
        try:
            await self.harness.case.signal(name, content)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def _reopen(self, name: str, content: dict[str, Any]) -> None:
        self.harness.handle = await self.harness.env.client.start_workflow(
            InvoiceDunning.run,
            CaseStart(invoice_id=_INVOICE, clock=self.harness.clock),
            id=self.harness.case.id,
            task_queue=TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=name,
            start_signal_args=[content],
        )

    def _interrupt(self, loop: asyncio.AbstractEventLoop) -> None:
        """A provider has just taken a message: what was to happen during a step happens, and is written down."""
        if not self._in_flight:
            return
        happening, before = self._in_flight.popleft(), self.case.revision
        telling = self._tell(happening.name, happening.content)
        asyncio.run_coroutine_threadsafe(telling, loop).result(_PATIENCE)
        until = monotonic() + _HEARING
        while self.case.revision == before and monotonic() < until:
            sleep(0.01)  # what is refused never is

    async def _say_yes(self) -> None:
        with self.harness.deps.database.reading() as session:
            asked = [task.task_id for task in tasks.open_tasks(session, _INVOICE) if task.kind == "approval"]
        for task in asked:
            await self._signal("call_outcome", {"task_id": task, "outcome": "approved", "by": "head-of-sales"})

    async def _bring_post(self, now: datetime) -> None:
        """Say what became of each message whose time has come, to the case, or to the database when it is over."""
        theirs = dict[str, str]()  # what its provider calls it
        with self.harness.deps.database.reading() as session:
            for row in outbox.of_invoice(session, _INVOICE):
                if row.message_id not in self._due:
                    fate, hours = self.life.deliveries.pop(0) if self.life.deliveries else self.life.fallback
                    self._due[row.message_id] = self.life.arrival(row.claimed_at, hours), fate
                by_mail = row.channel == Channel.EMAIL
                theirs[row.message_id] = row.message_id if by_mail else row.provider_id or row.message_id
        due = [(at, message, fate) for message, (at, fate) in self._due.items() if at <= now]
        for _, message, fate in sorted(due):
            if message not in self._reported:
                self._reported.add(message)
                self.witness.note(event="reported", id=theirs[message], status=_REPORTED[fate].value)
                await self._report(message, _REPORTED[fate], now)

    async def _report(self, message: str, state: MessageState, now: datetime) -> None:
        content = {"message_id": message, "status": state.value, "at": now.isoformat()}
        if await self._signal("delivery_report", content):
            return
        with self.harness.deps.database.writing(self.life.case.customer_id) as session:
            row = outbox.get(session, message)
            assert row is not None
            delivery_reports.report(session, row, state, None, now, now)


def invoice_of(life: Life, people: tuple[Contact, ...]) -> Invoice:
    """The bill that the life's case is about. Of a life that owes more than the principal, more is claimed by law."""
    case, owed = life.case, life.owed
    claims, kind = "none" if owed is None else "statutory", owed and (owed.kind or DebtorKind.CONSUMER)
    return an_invoice(
        customer=a_customer(time_zone=life.calendar.zone.key, contacts=people, kind=kind),
        jurisdiction=owed and owed.law.code,
        interest=claims,
        lump_sum=claims,
        amount=case.money.amount,
        currency=case.currency,
        digits=case.money.digits,
        issued_on=case.issued_on,
        due_on=case.due_on,
        policy=case.policy.name,
    )


@asynccontextmanager
async def served(
    life: Life, begin: datetime, folder: Path, people: tuple[Contact, ...], troubles: Iterable[Answer] = ()
) -> AsyncIterator[Served]:
    """The life's case, begun at `begin` of a rehearsal's clock, which shows the very moments of the model's.

    `folder` holds the database, dunwell.sqlite, and what the checker of the storm asks for. `troubles` are what
    the mail provider does with the first requests.
    """
    database, witness = Database(f"sqlite:///{folder}/dunwell.sqlite"), Witness(folder)
    async with time_skipping_server() as env:
        with providers(witness, troubles) as gateways:
            days = DrawnDays(life.calendar)
            async with harness_on(env, database, rehearsal_gateways=gateways, business_days=days) as harness:
                harness.clock = Clock(rehearsal=True, speed=1, real=await env.get_current_time(), case=begin)
                registrar = Registrar(harness.deps, {life.policy.name: life.policy})
                registered = registrar.register(invoice_of(life, people), begin, harness.clock)
                assert registered.start is not None
                await harness.begin(registered.start)
                yield Served(harness, life, begin, witness)
    database.close()
