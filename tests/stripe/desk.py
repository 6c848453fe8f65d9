"""Cases without an engine: what is told them is applied and written down by the real rules and services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from dunwell.client.answers import TellOutcome, TellResult
from dunwell.client.billing import Billing
from dunwell.client.cases import Cases
from dunwell.client.closed_tasks import why_not_running
from dunwell.client.registration import Registered, Registrar
from dunwell.client.starting import Start
from dunwell.domain.billing_events import BillingEvent, SubjectState
from dunwell.domain.case import Case
from dunwell.domain.events import MONEY, parse_event
from dunwell.domain.invoice import Invoice
from dunwell.domain.principals import SYSTEM, Principal, right_for
from dunwell.domain.timeline import Entry
from dunwell.services.attempt import Attempt
from dunwell.services.billing_inbox import BillingInbox
from dunwell.services.dependencies import Dependencies
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest
from dunwell.store import billing_events, cases
from dunwell.store.tables import BillingSubjectRow
from dunwell.views.lookup import find_invoice
from tests.builders import an_invoice, the_ladders


@dataclass
class Desk:
    """Stands for `Cases`, and for the worker that applies what was reported. `away`: nobody can be told anything.

    `slow`: cases take what they are told, and write it down in `catch_up`.
    """

    deps: Dependencies
    told: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    away: Exception | None = None
    slow: bool = False
    kept: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inbox = BillingInbox(self.deps.database)
        self.later = timedelta()  # how far the clock of the worker is ahead
        self.billing = Billing(self.deps, cast(Cases, self), lambda: datetime.now(UTC) + self.later)

    # As Cases

    async def tell(
        self, invoice_id: str, name: str, content: Mapping[str, Any], *, principal: Principal = SYSTEM, **_: Any
    ) -> TellResult:
        if self.away is not None:
            raise self.away
        principal.check(right_for(name, content))
        if self.slow:
            self.kept.append((invoice_id, name, content))
            return TellResult(TellOutcome.SENT)
        with self.deps.database.reading() as session:
            find_invoice(session, invoice_id)
            case = cases.get(session, invoice_id)
        assert case is not None
        if case.ended is not None and name not in MONEY:
            raise why_not_running(self.deps.database, invoice_id)
        now, before = datetime.now(UTC), case.mark
        said = case.apply(parse_event(name, [dict(content)]), now)
        self.told.append((invoice_id, name, content))
        key = f"told.{len(self.told)}"
        entries = [
            Entry(key=f"{key}.{number}", at=now, kind=one.kind, reason=one.reason) for number, one in enumerate(said)
        ]
        request = RecordRequest.whole(
            case, now=now, event=name, content=dict(content), entries=entries, written=before
        )
        Recording(self.deps).record(request, Attempt(now, 1))
        return TellResult(TellOutcome.DONE)

    async def catch_up(self) -> None:
        """The cases write down what they took."""
        self.slow, kept, self.kept = False, self.kept, []
        for one in kept:
            await self.tell(*one)

    async def start(self, registered: Registered) -> Start:
        if self.away is not None:
            raise self.away
        return Start.STARTED if registered.start else Start.PAID

    # What happens

    def register(self, invoice: Invoice | None = None) -> None:
        Registrar(self.deps, the_ladders()).register(invoice or an_invoice(), datetime.now(UTC))

    async def hear(self, provider: str, *events: BillingEvent | None) -> None:
        """Events come in, and are applied."""
        self.inbox.take(provider, [one for one in events if one is not None], datetime.now(UTC))
        await self.work()

    async def work(self) -> None:
        while await self.billing.apply_due():
            continue

    async def try_again(self) -> None:
        """The time comes at which what waits is tried again."""
        with self.deps.database.writing() as session:
            for row in session.query(BillingSubjectRow):
                row.next_at = datetime.now(UTC) if row.next_at else None
        await self.work()

    # What came of it

    def case(self, invoice_id: str = "inv-1") -> Case:
        with self.deps.database.reading() as session:
            case = cases.get(session, invoice_id)
        assert case is not None
        return case

    def paid(self, invoice_id: str = "inv-1") -> str:
        money = self.case(invoice_id).money
        return str(money.whole(money.paid))

    def open(self, invoice_id: str = "inv-1") -> str:
        return str(self.case(invoice_id).open_amount)

    def subject(self, name: str, provider: str = "stripe") -> BillingSubjectRow:
        with self.deps.database.reading() as session:
            row = billing_events.get(session, provider, name)
        assert row is not None
        return row

    def waiting(self) -> dict[str, str]:
        """What waits, with its reason."""
        with self.deps.database.reading() as session:
            return {row.subject: row.reason or "" for row in billing_events.waiting(session)}

    def state(self, name: str, provider: str = "stripe") -> SubjectState:
        return self.subject(name, provider).state

    def names(self) -> list[str]:
        return [name for _, name, _ in self.told]
