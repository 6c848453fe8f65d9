"""The services at work without an engine: they run one by one, at the times a test names."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from dunwell.client.registration import Registrar
from dunwell.domain.case import Case
from dunwell.domain.case_copy import CaseCopy
from dunwell.domain.checkpoint import Mark, merged
from dunwell.domain.clock import Clock
from dunwell.domain.events import parse_event
from dunwell.domain.invoice import Invoice
from dunwell.domain.keys import StepKey
from dunwell.domain.policy import Policy
from dunwell.domain.timeline import Entry
from dunwell.gateways.base import Envelope, MessageGateway, ProductGateway, Receipt
from dunwell.gateways.product_access import HttpProductGateway
from dunwell.gateways.sendgrid.client import SendGridGateway
from dunwell.gateways.twilio.client import TwilioGateway
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import OtherCopy
from dunwell.services.recording import Recording
from dunwell.services.request_models import (
    CaseAnswer,
    CaseRequest,
    RecordAnswer,
    RecordRequest,
    StepAnswer,
    StepRequest,
)
from dunwell.services.steps import Steps
from dunwell.store import accounts, outbox, tasks, timeline
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.store.tables import MessageRow, TaskRow
from tests.builders import an_invoice, at, sample_deps, the_ladders
from tests.databases import opened
from tests.gateways.conftest import closed_url, product, sendgrid, twilio  # noqa: F401
from tests.gateways.fakes import FakeProvider

REGISTERED = at("2027-02-20 12:00")

R = TypeVar("R", bound=CaseRequest)
T = TypeVar("T")


@dataclass
class ServiceHarness:
    """The services, and the case that they work on.

    case: what its workflow would know. copy: what that workflow knows to be stored.
    """

    deps: Dependencies
    case: Case = field(init=False)
    told: int = 0
    attempt: int = 1  # which one of a piece of work this is
    written: Mark | None = None
    copy: CaseCopy | None = None
    handed: list[CaseRequest] = field(default_factory=list)  # as they were handed, the latest last

    def open(
        self,
        invoice: Invoice | None = None,
        now: datetime = REGISTERED,
        ladder: Policy | None = None,
        *,
        rehearsal: bool = False,
    ) -> Case:
        """The case of an invoice, on a ladder of its own if one is given."""
        bill, ladders = invoice or an_invoice(), the_ladders()
        if ladder is not None:
            bill, ladders = bill.model_copy(update={"policy": ladder.name}), {ladder.name: ladder}
        self.case = Registrar(self.deps, ladders).register(bill, now, Clock(rehearsal=rehearsal)).opening.case
        self.written, self.copy = self.case.mark, CaseCopy.of(self.case)
        return self.case

    def carry_out(self, step: str, when: str, case: Case | None = None, **facts: Any) -> StepAnswer:
        """The step at that time, by the case of its workflow, or by an older copy of it."""
        known = (case or self.case).model_copy(deep=True)
        if case is None:
            facts["written"] = self.written
        request = StepRequest.whole(known, now=at(when), step=step, planned_at=at(when), **facts)
        answer = self._hand(Steps(self.deps).carry_out, request, when)
        if answer.newer is not None:
            self.case = answer.newer
        elif answer.outcome is not None:
            self.case.take(answer.outcome)
        self.take_over(answer)
        return answer

    def take_over(self, answer: CaseAnswer) -> None:
        """What the workflow learns from an answer of whatever activity."""
        if answer.replaces and answer.newer is not None:
            self.case = answer.newer
        self.case.messages = merged(self.case.messages, answer.messages)
        self.case.holds, self.case.next_action = answer.holds, answer.next_action
        self.case.access, self.case.access_beside = answer.access, answer.access_beside
        self.case.take_claim(answer.last_claim, answer.accessory, answer.beside_principal)
        self.case.money.given, self.case.utc_offset_minutes = answer.given, answer.utc_offset_minutes
        self.written = answer.written.later(self.written) if answer.written else self.written
        copy = CaseCopy.of(self.case)
        self.copy = copy if copy.digest == answer.copy_digest else None

    def record(self, name: str, when: str, /, **content: Any) -> RecordAnswer:
        """Tell the case, and write it down as its workflow does."""
        said = self.case.apply(parse_event(name, [content]), at(when))
        self.told += 1
        entries = [
            Entry(key=f"told.{self.told}.{number}", at=at(when), kind=one.kind, reason=one.reason)
            for number, one in enumerate(said)
        ]
        answer = self.write(self.request(name, when, content, entries), when)
        if answer.not_arrived:
            self.case.reach_further(answer.not_arrived)
        if answer.arrived:
            self.case.outstanding.blocked_until = None
        if answer.contacts is not None:
            self.case.remember_contacts(answer.contacts, at(when))
        self.take_over(answer)
        return answer

    def request(self, name: str, when: str, content: dict[str, Any], entries: list[Entry]) -> RecordRequest:
        case = self.case.model_copy(deep=True)
        return RecordRequest.whole(
            case, now=at(when), event=name, content=content, entries=entries, written=self.written
        )

    def write(self, request: RecordRequest, when: str) -> RecordAnswer:
        return self._hand(Recording(self.deps).record, request, when)

    def _hand(self, service: Callable[[R, Attempt], T], request: R, when: str) -> T:
        """Hand the request as the workflow does: with what changed since the copy that is known, else whole."""
        if self.copy is not None and request.case is not None:
            short = request.with_changes(self.copy.changes_to(request.case))
            self.handed.append(short)
            with suppress(OtherCopy):
                return service(short, self.attempt_at(when))
        self.handed.append(request)
        return service(request, self.attempt_at(when))

    def pay(self, when: str, amount: str = "1200.00", payment_id: str = "p1") -> RecordAnswer:
        return self.record("payment_received", when, payment_id=payment_id, amount=amount, currency="EUR")

    def report(self, row: MessageRow, status: str, when: str, code: str | None = None) -> RecordAnswer:
        moment = at(when).isoformat()
        return self.record("delivery_report", when, message_id=row.message_id, status=status, at=moment, code=code)

    def attempt_at(self, when: str) -> Attempt:
        return Attempt(at(when), self.attempt)

    # What came of it

    def messages(self, step: str | None = None, *, copies: bool = False) -> list[MessageRow]:
        """The messages of a step, or all of them; copies for information only when asked for."""
        with self.deps.database.reading() as session:
            rows = outbox.of_invoice(session, self.case.invoice_id, step)
            return [row for row in rows if copies or not StepKey.parse(row.step).copied]

    def states(self, step: str | None = None) -> dict[str, str]:
        """ "accounts_payable email" -> state."""
        return {f"{row.contact_id.split('.')[-2]} {row.channel}": row.state for row in self.messages(step)}

    def tasks(self) -> list[TaskRow]:
        with self.deps.database.reading() as session:
            return list(tasks.open_tasks(session, self.case.invoice_id))

    def entries(self, kind: str | None = None) -> list[Entry]:
        with self.deps.database.reading() as session:
            written = [entry for _, entry in timeline.read(session, self.case.invoice_id)]
        return [entry for entry in written if kind in {None, entry.kind}]

    def access(self) -> str:
        with self.deps.database.reading() as session:
            return accounts.access(session, self.case.customer_id).value


class DyingWorker:
    """A gateway whose worker dies at the provider's door: before the message is handed over, or right after."""

    def __init__(self, inner: MessageGateway, *, after: bool, deaths: int = 1) -> None:
        self.inner, self.after, self.deaths = inner, after, deaths
        self.name, self.channel, self.can_find = inner.name, inner.channel, inner.can_find

    def send(self, envelope: Envelope) -> Receipt:
        dies, self.deaths = self.deaths > 0, self.deaths - 1
        if dies and not self.after:
            raise WorkerDied
        receipt = self.inner.send(envelope)
        if dies:
            raise WorkerDied
        return receipt

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        return self.inner.find(envelope, since)


class WorkerDied(Exception):
    """Nothing of what came after was done."""


def by_sendgrid(provider: FakeProvider) -> SendGridGateway:
    return SendGridGateway("SG.key", ("ana@dunwell.example", "Ana Lopez"), provider.url, timeout=10)


def by_twilio(provider: FakeProvider) -> TwilioGateway:
    return TwilioGateway("AC1", "token", "+15005550006", provider.url, timeout=10)


def to_product(url: str) -> HttpProductGateway:
    return HttpProductGateway(url, "secret", timeout=10)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with this release's schema, to be copied: most rules need no second kind of database."""
    file = tmp_path_factory.mktemp("template") / "dunwell.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    return file


@pytest.fixture
def file_database(empty_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(empty_file, tmp_path / "dunwell.sqlite")
    database = opened(f"sqlite:///{tmp_path}/dunwell.sqlite")
    yield database
    database.close()


class MakeHarness(Protocol):
    """A harness with gateways of the test's choice; the outbox where nothing else is given."""

    def __call__(
        self,
        email: MessageGateway | None = None,
        sms: MessageGateway | None = None,
        access: ProductGateway | None = None,
    ) -> ServiceHarness: ...


@pytest.fixture
def make_harness(file_database: Database) -> MakeHarness:
    def make(
        email: MessageGateway | None = None, sms: MessageGateway | None = None, access: ProductGateway | None = None
    ) -> ServiceHarness:
        return ServiceHarness(sample_deps(file_database, email=email, sms=sms, product=access))

    return make


@pytest.fixture
def harness(make_harness: MakeHarness) -> ServiceHarness:
    """Everything by the outbox, which delivers at once."""
    return make_harness()
